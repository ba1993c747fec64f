package text

import (
	"context"
	"flag"
	"fmt"
	"iter"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, file, got string) {
	t.Helper()
	path := "testdata/" + file
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// hostile is text that tries everything at once.
const hostile = "=HYPERLINK(\"x\")|`</script><script>alert(1)</script> **b** [l](http://x.example) @team #1 www.x.example\n::error::forged\r\n##[error]forged %0A\x1b[31mred\u202edesrever\u2066\x00\u0085\xff]]>"

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

// sample is a run of a teacher, measured, and a student that has nothing but
// failures: every figure that can be missing is missing.
func sample() reports.Report {
	teacher := reports.Model{
		Model:   eval.Model{Name: "teacher", Provider: "ollama", Model: "llama2:7b-text", Digest: "sha256:aa", Role: eval.RoleReference, Generation: eval.DefaultGeneration()},
		Replies: 2, DurationS: ptr(18215.61), LoadS: ptr(4.5), Tokens: eval.Usage{PromptTokens: new(20), CompletionTokens: new(30)}, TokensPerS: ptr(12.345),
		LatencyMS: reports.Latency{P50: ptr(900.5), P95: ptr(1000.0), P99: ptr(1001.0)},
		Energy: reports.Energy{Quality: emissions.Partial, Method: "estimate+nvml", Wh: ptr(366.76), LowWh: ptr(300.0), HighWh: ptr(400.0), MeasuredWh: ptr(256.732), MeasuredShare: ptr(0.7),
			Zones: []emissions.Zone{{Name: "package-0", Energy: 3.6e9, Counted: true}}},
		EmissionsKg: ptr(0.184), Floor: ptr(0.31), SecondsPerReply: ptr(9107.805),
		Lengths:   reports.Lengths{MeanTokens: ptr(15.0), MeanChars: ptr(61.5), ByLength: 1},
		FailKinds: map[eval.FailureKind]int{},
	}
	student := reports.Model{
		Model: eval.Model{Name: "student", Provider: "builtin", Model: "student", Role: eval.RoleStudent}, Failures: 1, Missing: 1,
		GaveUp: "connection refused", Energy: reports.Energy{Quality: emissions.Unavailable, Method: "off", Reason: "metering is off"},
		FailKinds: map[eval.FailureKind]int{eval.FailRefused: 1},
	}
	for _, m := range metrics.All() {
		var chance *float64
		if m.Name == metrics.EM {
			chance = ptr(0.0125)
		}
		teacher.Metrics = append(teacher.Metrics, reports.Metric{Chance: chance, Name: m.Name, Title: m.Title, Summary: stat.MeanBinary([]float64{1, 0})})
		student.Metrics = append(student.Metrics, reports.Metric{Name: m.Name, Title: m.Title, Summary: stat.MeanBinary(nil)})
	}
	return reports.Report{
		RunID: "20260301-120000-abcdef", Created: start, ToolVersion: "v1.0.0", PlanHash: "0123456789abcdef0123", Status: reports.Partial,
		Queries: reports.QuerySet{Name: "builtin", Version: "1", N: 2, SHA256: "fedcba9876543210"},
		Host:    eval.Host{OS: "linux", Arch: "amd64", CPUModel: "Test CPU", CPUs: 4, MemoryGB: 8},
		Scoring: &eval.ScoringRecord{ID: 1, Created: start, Scoring: eval.Scoring{Embedding: "builtin"}},
		Factor:  &emissions.CarbonFactor{GPerKWh: 501.7, ISO3: "AUS", Country: "Australia", Year: 2024, Source: "stated"}, PUE: 1,
		Models: []reports.Model{teacher, student},
		Comparisons: []reports.Comparison{
			{Metric: "em", Title: "EM", Model: "student", Reference: "teacher", Comparison: stat.ComparePaired(nil, nil, true, 1)},
			{Metric: "em", Title: "EM", Model: "other", Reference: "teacher", Comparison: stat.ComparePaired([]float64{0, 0}, []float64{1, 0}, true, 1), PHolm: ptr(1.0)},
		},
		Categories: []reports.Category{{Name: "geography", N: 2, EM: []*float64{ptr(0.5), nil}}},
		Reviews: &reports.ReviewSummary{Reviewers: []string{hostile, "bob"}, N: 3,
			WithEM:  []reports.ReviewAgreement{{A: hostile, B: "em", Agreement: stat.Kappa([][]int{{1, 0}, {0, 1}})}, {A: "bob", B: "em", Agreement: stat.Kappa([][]int{{1, 0}, {0, 0}})}},
			Between: []reports.ReviewAgreement{{A: hostile, B: "bob", Agreement: stat.Kappa([][]int{{0, 0}, {0, 0}})}}},
		Headlines: []string{"teacher has the keyword in 50 % of its 2 replies.", "student has no reply that could be scored."},
		Warnings:  []string{"two metered runs overlapped", "student was given up: connection refused. Go on with --resume."},
		Replies:   replies(scored(" Paris."), failure("dial tcp: refused")),
	}
}

func replies(list ...eval.ScoredReply) func(context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) {
			for _, r := range list {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

func scored(text string) eval.ScoredReply {
	s := eval.ScoredReply{
		Reply: eval.Reply{JobID: eval.JobID{Model: "teacher", Query: "geo-france"}, Text: text, DoneReason: "stop",
			Usage: eval.Usage{PromptTokens: new(10), CompletionTokens: new(15)}, Energy: ptr(emissions.Energy(1_500_000)),
			Timing: eval.Timing{Start: start, End: start.Add(900500 * time.Microsecond), Attempts: 1, Eval: 800 * time.Millisecond}},
		Query: queries.Query{ID: "geo-france", Prompt: "The capital of France is", Keyword: "Paris", Category: "geography"},
		Flags: []string{"negated"},
	}
	for i, m := range metrics.All() {
		score := metrics.Score{Metric: m.Name, Value: 1 / float64(i+1), Status: metrics.Scored}
		if m.Name == metrics.CosineLift {
			score = metrics.Score{Metric: m.Name, Value: 99, Status: metrics.Unscored, Reason: "no floor"}
		}
		s.Scores = append(s.Scores, score)
	}
	return s
}

func failure(message string) eval.ScoredReply {
	s := eval.ScoredReply{
		Reply: eval.Reply{JobID: eval.JobID{Model: "student", Query: "geo-france"}, Failure: &eval.Failure{Kind: eval.FailRefused, Message: message}},
		Query: queries.Query{ID: "geo-france", Prompt: "The capital of France is", Keyword: "Paris"},
	}
	for _, m := range metrics.All() {
		s.Scores = append(s.Scores, metrics.Score{Metric: m.Name, Status: metrics.Unscored, Reason: "no answer"})
	}
	return s
}

// judgement has one of each outcome, and a paired comparison.
func judgement() reports.Judgement {
	p := reports.Paired{Model: "teacher", Before: 0.5, After: 0.48, Comparison: stat.Comparison{N: 200, P: 0.125, Test: "mcnemar-exact", Losses: 4},
		Discordance: 0.1, Detectable: ptr(0.065)}
	for i := range 4 {
		p.NewlyWrong = append(p.NewlyWrong, reports.Change{Query: fmt.Sprintf("q%d", i), Prompt: "The capital of France is", Keyword: "Paris", Reply: " Lyon"})
	}
	return reports.Judgement{RunID: "run-1", Baseline: "run-0", Paired: []reports.Paired{p}, Unjudged: []string{"other"}, Checks: []reports.Check{
		{Measure: "status", Expected: "complete", Got: "complete", Outcome: reports.Pass},
		{Model: "teacher", Measure: "em", Expected: "0.72 ± 0.02", Got: "0.68", Outcome: reports.Regression, Reason: "95 % interval [0.61, 0.74]"},
		{Model: "teacher", Measure: "cosine", Expected: "at least 0.5", Got: reports.None, Outcome: reports.Inconclusive, Reason: "nothing was scored"},
		{Model: "teacher", Measure: "duration_s", Expected: "at most 80", Got: "70", Outcome: reports.Improved, Reason: "better than expected"},
		{Model: "teacher", Measure: "query", Query: "q1", Expected: "right", Got: "wrong", Outcome: reports.Regression, Reason: `"France is" went on with " Lyon"`},
	}}
}
