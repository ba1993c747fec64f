package xlsx

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

var created = time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

// sample is a report by hand: two models, two categories, n replies each.
func sample(n int) reports.Report {
	r := reports.Report{
		RunID: "20260301-123000", Dir: "runs/20260301-123000", Created: created, ToolVersion: "1.0.0",
		PlanHash: strings.Repeat("ab", 32), Status: reports.Complete,
		Queries:   reports.QuerySet{Name: "builtin", Version: "1", N: n, SHA256: strings.Repeat("cd", 32)},
		Host:      eval.Host{OS: "linux", Arch: "amd64", CPUModel: "Test CPU", CPUs: 8, MemoryGB: 31.5, Hostname: "bench"},
		Scoring:   &eval.ScoringRecord{ID: 1, Created: created, Scoring: eval.Scoring{Embedding: eval.EmbeddingBuiltin}},
		Factor:    &emissions.CarbonFactor{GPerKWh: 501.7, ISO3: "AUS", Country: "Australia", Year: 2023, Source: "Ember"},
		PUE:       1,
		Models:    []reports.Model{sampleModel("big", eval.RoleReference, n, 0.715), sampleModel("small", eval.RoleStudent, n, 0.02)},
		Headlines: []string{"small keeps 3 % of big's exact match at 0.4 % of its time."},
		Warnings:  []string{"=one warning"},
		Audit:     []string{"row 2 implies 0.34 W"},
		Comparisons: []reports.Comparison{
			{Metric: "em", Title: "EM", Model: "small", Reference: "big", PHolm: ptr(0.00002),
				Comparison: stat.Comparison{N: n, Difference: -0.695, Lo: -0.75, Hi: -0.62, HasInterval: true,
					P: 0.00001, Test: "mcnemar-exact", Method: "newcombe", Wins: 1, Losses: 140, Ties: n - 141}},
			{Metric: "cosine", Title: "Cosine", Model: "small", Reference: "big", Comparison: stat.Comparison{P: 1, Test: "paired-bootstrap"}},
		},
		Categories: []reports.Category{
			{Name: "geography", N: n / 2, EM: []*float64{ptr(0.8), ptr(0.0)}},
			{Name: "science", N: n - n/2, EM: []*float64{ptr(0.63), nil}},
		},
		Published: []reports.PublishedRow{{Model: "big", DurationS: 18215.61, EmissionsKg: 0.184, EM: 0.715, Cosine: 0.7257, Rouge: 0.0821}},
		Reviews: &reports.ReviewSummary{Reviewers: []string{"ann"}, N: 3,
			WithEM: []reports.ReviewAgreement{{A: "ann", B: "em", Agreement: stat.Agreement{N: 3, Observed: 0.75, Kappa: 0.5, HasKappa: true, Lo: -0.1, Hi: 0.9, HasInterval: true}}}},
	}
	for i := range n {
		r.Plan.Queries.Queries = append(r.Plan.Queries.Queries, queries.Query{ID: fmt.Sprintf("q%06d", i)})
	}
	r.Plan.Models = []eval.Model{r.Models[0].Model, r.Models[1].Model}
	r.Replies = sampleReplies([]string{"big", "small"}, n)
	return r
}

func sampleModel(name string, role eval.Role, n int, em float64) reports.Model {
	m := reports.Model{
		Model:   eval.Model{Name: name, Provider: eval.ProviderBuiltin, Model: name, Role: role},
		Replies: n - 1, Failures: 1, DurationS: ptr(77.125), LoadS: ptr(0.5), TokensPerS: ptr(41.5),
		Tokens:    eval.Usage{PromptTokens: new(10 * n), CompletionTokens: new(16 * n)},
		LatencyMS: reports.Latency{P50: ptr(310.5), P95: ptr(500.25), P99: ptr(700.0)},
		Energy: reports.Energy{Quality: emissions.Measured, Method: "rapl", Wh: ptr(1.25), LowWh: ptr(1.25), HighWh: ptr(1.25),
			WhPer1000: ptr(6.25), MeanW: ptr(58.3),
			Zones: []emissions.Zone{{Name: "package-0", Energy: 4_500_000_000, Counted: true}},
			Gaps:  []emissions.Gap{{Zone: "package-0", Start: created, End: created.Add(time.Second), Reason: "read failed"}}},
		EmissionsKg: ptr(0.000627), GPer1000: ptr(3.14), Floor: ptr(0.06), Negated: 2, Disagree: 1,
	}
	for _, mt := range metrics.All() {
		s := stat.Summary{N: n - 1, Mean: em, Lo: em - 0.02, Hi: em + 0.03, HasInterval: true, Method: "wilson"}
		if mt.Name == metrics.CosineLift {
			s = stat.Summary{}
		}
		m.Metrics = append(m.Metrics, reports.Metric{Name: mt.Name, Title: mt.Title, Summary: s})
	}
	return m
}

// sampleReplies are n replies of each model; every model's last is a failure.
func sampleReplies(models []string, n int) func(context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) {
			for _, m := range models {
				for i := range n {
					if !yield(sampleReply(m, i, i == n-1), nil) {
						return
					}
				}
			}
		}
	}
}

func sampleReply(model string, i int, failed bool) eval.ScoredReply {
	start := created.Add(time.Duration(i) * time.Second)
	sr := eval.ScoredReply{
		Query: queries.Query{ID: fmt.Sprintf("q%06d", i), Prompt: "The capital of France is", Keyword: "Paris", Category: "geography"},
		Reply: eval.Reply{Text: " Paris, which lies on the Seine and has been the capital, with breaks, for a thousand years; it is also the largest city of the country.\nThe capital of Spain is Madrid.",
			DoneReason: "stop", Usage: eval.Usage{PromptTokens: new(6), CompletionTokens: new(33)},
			Timing: eval.Timing{Start: start, End: start.Add(312500 * time.Microsecond), Attempts: 1}, Energy: ptr(emissions.Energy(18_500_000))},
		Flags: []string{"em_disagrees"},
	}
	sr.Reply.JobID = eval.JobID{Model: model, Query: sr.Query.ID}
	if failed {
		sr.Reply.Text, sr.Flags = "", nil
		sr.Reply.Failure = &eval.Failure{Kind: eval.FailTimeout, Message: "no answer within 60 s"}
	}
	for k, m := range metrics.All() {
		s := metrics.Score{Metric: m.Name, Value: 1 - float64(k)/7 + float64(i%97)/1000, Status: metrics.Scored}
		if m.Binary {
			s.Value = float64(i % 2)
		}
		if failed || m.Name == metrics.CosineBest {
			s = metrics.Score{Metric: m.Name, Status: metrics.Unscored, Reason: "no vector"}
		}
		sr.Scores = append(sr.Scores, s)
	}
	return sr
}
