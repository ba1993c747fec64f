package reports

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
)

// memoryRun is a run that is held in memory.
type memoryRun struct {
	record  eval.RunRecord
	replies []eval.ScoredReply
	reviews []eval.Review
}

func (r memoryRun) Record() eval.RunRecord { return r.record }

func (r memoryRun) Replies(context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		for _, reply := range r.replies {
			if !yield(reply, nil) {
				return
			}
		}
	}
}

func (r memoryRun) Reviews(context.Context) ([]eval.Review, error) { return r.reviews, nil }

// madeRun is a run of two models on n queries. The i-th reply takes i+1 ms and
// 1 J; the reference is right on the first half, the student on the first
// tenth.
func madeRun(n int, reference, student string) memoryRun {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var run memoryRun
	p := &run.record.Plan
	for i := range n {
		p.Queries.Queries = append(p.Queries.Queries, queries.Query{ID: fmt.Sprintf("q%03d", i), Category: []string{"a", "b"}[i%2]})
	}
	for at, name := range []string{reference, student} {
		role, right := eval.RoleReference, n/2
		if at == 1 {
			role, right = eval.RoleStudent, n/10
		}
		p.Models = append(p.Models, eval.Model{Name: name, Role: role})
		run.record.Phases = append(run.record.Phases, eval.Phase{Model: name, Process: 1, Name: eval.PhaseAnswer,
			Start: start, End: start.Add(10 * time.Second), Reading: emissions.Reading{Quality: emissions.Measured, Method: "rapl", Energy: 360e6, Low: 360e6, High: 360e6}})
		for i, q := range p.Queries.Queries {
			joule := emissions.Energy(1e6)
			r := eval.ScoredReply{Query: q, Reply: eval.Reply{JobID: eval.JobID{Model: name, Query: q.ID}, Energy: &joule,
				Usage:  eval.Usage{PromptTokens: new(5), CompletionTokens: new(10)},
				Timing: eval.Timing{Start: start, End: start.Add(time.Duration(i+1) * time.Millisecond), Attempts: 1}}}
			for _, m := range metrics.Text() {
				score := metrics.Score{Metric: m.Name, Status: metrics.Scored}
				if i < right {
					score.Value = 1
				}
				r.Scores = append(r.Scores, score)
			}
			run.replies = append(run.replies, r)
		}
	}
	return run
}

func build(t *testing.T, run eval.Run, o Options) Report {
	t.Helper()
	r, err := Build(t.Context(), run, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFiguresOfAModel(t *testing.T) {
	m := build(t, madeRun(100, "teacher", "student"), Options{Factor: &emissions.CarbonFactor{GPerKWh: 500}, PUE: 2}).Models[0]
	figures := map[string]*float64{
		"p50": m.LatencyMS.P50, "p95": m.LatencyMS.P95, "p99": m.LatencyMS.P99,
		"duration": m.DurationS, "tokens/s": m.TokensPerS, "Wh": m.Energy.Wh, "Wh per 1,000": m.Energy.WhPer1000,
		"Wh per correct": m.Energy.WhPerCorrect, "J per token": m.Energy.JPerToken, "W": m.Energy.MeanW, "kg": m.EmissionsKg, "g per 1,000": m.GPer1000,
	}
	want := map[string]float64{"p50": 50.5, "p95": 95.05, "p99": 99.01, "duration": 10, "tokens/s": 100, "Wh": 0.1, "Wh per 1,000": 1,
		"Wh per correct": 0.002, "J per token": 0.36, "W": 36, "kg": 1e-4, "g per 1,000": 1}
	got := map[string]float64{}
	for name, v := range figures {
		if v != nil {
			got[name] = *v
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestComparisonOfModels(t *testing.T) {
	r := build(t, madeRun(100, "teacher", "student"), Options{})
	want := []string{
		"teacher has the keyword in 50 % of its 100 replies (95 % interval 40.4 % to 59.6 %).",
		"student keeps 20 % of teacher's exact match (95 % interval 11.5 % to 34.8 %), at 100 % of the time and 100 % of the energy of teacher per answered query (100 and 100 answered).",
	}
	if diff := cmp.Diff(want, r.Headlines); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	c := r.Comparisons[0]
	if c.Metric != metrics.EM || c.N != 100 || c.Wins != 0 || c.Losses != 40 || *c.Same != (Concordant{Right: 10, Wrong: 50}) {
		t.Errorf("em is compared as %+v %+v", c, c.Same)
	}
	if got := r.Categories; len(got) != 2 || got[0].N != 50 || *got[0].EM[0] != 0.5 || *got[1].EM[1] != 0.1 {
		t.Errorf("categories %+v", got)
	}
	if len(r.Audit) > 0 {
		t.Errorf("the audit finds %q in a sound run", r.Audit)
	}
}

func TestAuditBesidePublishedTable(t *testing.T) {
	run := madeRun(10, "LLaMA-2-7B", "BABY-LLAMA-58M")
	run.record.Plan.Models[0].Model, run.record.Plan.Models[1].Source = "llama2:7b-text-fp16", "hf://Timinar/baby-llama-58m@main"
	run.record.Phases[1].Reading.Energy = 1e6 // 0.1 W
	r := build(t, run, Options{Factor: &emissions.CarbonFactor{GPerKWh: 500, ISO3: "AUS"}})
	if len(r.Published) != 2 || r.Published[1].Ours != 1 {
		t.Errorf("published rows %+v", r.Published)
	}
	for what, models := range map[string][]Model{
		"a namesake":         {{Model: eval.Model{Name: "DistilLlama", Model: "distilllama"}}},
		"the teacher alone":  {{Model: eval.Model{Name: "teacher", Model: "llama2:7b"}}},
		"another repository": {{Model: eval.Model{Name: "x", Source: "hf://HenryHHHH/DistilLlama-2"}}},
	} {
		if rows := published(models); rows != nil {
			t.Errorf("%s is set beside %+v", what, rows)
		}
	}
	want := []string{
		"published, LLaMA-2-7B-HF: assumed, not measured: a constant times the duration",
		"published, baby-llama-58m: implies at most 0.34 W, less than any working machine",
		"published, baby-llama-58m: low by a factor of about 212 against the other rows",
		"this run, BABY-LLAMA-58M: implies at most 0.1 W, less than any working machine",
		"this run, BABY-LLAMA-58M: low by a factor of about 360 against the other rows",
	}
	if diff := cmp.Diff(want, r.Audit); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestSharedWarningIsSaidOnce(t *testing.T) {
	run := madeRun(10, "teacher", "student")
	for i := range run.record.Phases {
		run.record.Phases[i].Reading.Warnings = []string{"two runs overlap"}
	}
	if r := build(t, run, Options{}); !slices.Contains(r.Warnings, "teacher, student, energy: two runs overlap") {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestPartialRun(t *testing.T) {
	run := madeRun(10, "teacher", "student")
	run.replies = slices.Delete(run.replies, 17, 20)
	run.replies[0].Reply.Failure = &eval.Failure{Kind: eval.FailTimeout}
	run.record.GaveUp = map[string]string{"student": "connection refused"}
	r := build(t, run, Options{})
	if m := r.Models[0]; m.Replies != 9 || m.Failures != 1 || m.Missing != 0 || m.Metric(metrics.EM).N != 9 {
		t.Errorf("teacher: %d replies, %d failures, %d missing, em of %d", m.Replies, m.Failures, m.Missing, m.Metric(metrics.EM).N)
	}
	if m := r.Models[1]; r.Status != Partial || m.Replies != 7 || m.Missing != 3 {
		t.Errorf("%s, student: %d replies, %d missing", r.Status, m.Replies, m.Missing)
	}
	if n := r.Comparisons[0].N; n != 6 {
		t.Errorf("em is compared on %d queries, want 6", n)
	}
	for _, want := range []string{"student was given up: connection refused", "3 of 10 questions have no outcome", "teacher: failures: 1."} {
		if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, want) }) {
			t.Errorf("no warning says %q", want)
		}
	}
}

// TestTokensWithoutACount: where a server gave no count, or one that cannot be,
// there is no sum, and no rate of 0.
func TestTokensWithoutACount(t *testing.T) {
	for _, u := range []eval.Usage{{}, {PromptTokens: new(1), CompletionTokens: new(-5)}, {PromptTokens: new(1), CompletionTokens: new(1<<63 - 1)}} {
		run := madeRun(10, "teacher", "student")
		run.replies[3].Reply.Usage = u
		r := build(t, run, Options{})
		m := r.Models[0]
		if m.Tokens.CompletionTokens != nil || m.TokensPerS != nil || m.Energy.JPerToken != nil || m.Lengths.MeanTokens != nil {
			t.Errorf("%v, %v tokens/s, %v J a token, %v tokens a reply", m.Tokens, m.TokensPerS, m.Energy.JPerToken, m.Lengths.MeanTokens)
		}
		if m := r.Models[1]; m.Tokens.CompletionTokens == nil || *m.Tokens.CompletionTokens != 100 {
			t.Errorf("the other model: %v", m.Tokens)
		}
	}
}

// TestFiguresOfAModelNotAsked: it has none, and none of them is 0.
func TestFiguresOfAModelNotAsked(t *testing.T) {
	run := madeRun(10, "teacher", "student")
	run.replies, run.record.Phases = run.replies[:10], run.record.Phases[:1]
	r := build(t, run, Options{Factor: &emissions.CarbonFactor{GPerKWh: 500}})
	m := r.Models[1]
	if m.Replies != 0 || m.Failures != 0 || m.Missing != 10 || m.Energy.Quality != emissions.Unavailable {
		t.Errorf("%d replies, %d failures, %d missing, energy %s", m.Replies, m.Failures, m.Missing, m.Energy.Quality)
	}
	for name, got := range map[string]*float64{
		"p50": m.LatencyMS.P50, "p95": m.LatencyMS.P95, "p99": m.LatencyMS.P99, "duration": m.DurationS, "load": m.LoadS, "tokens/s": m.TokensPerS,
		"Wh": m.Energy.Wh, "low Wh": m.Energy.LowWh, "Wh per 1,000": m.Energy.WhPer1000, "Wh per correct": m.Energy.WhPerCorrect,
		"J per token": m.Energy.JPerToken, "mean W": m.Energy.MeanW, "kg": m.EmissionsKg, "g per 1,000": m.GPer1000,
	} {
		if got != nil {
			t.Errorf("%s is %g, want none", name, *got)
		}
	}
	for _, s := range m.Metrics {
		if s.N != 0 || s.Value() != nil {
			t.Errorf("%s: n %d, mean %v", s.Name, s.N, s.Value())
		}
	}
	for _, c := range r.Comparisons {
		if c.N != 0 || c.PHolm != nil {
			t.Errorf("%s is compared on %d queries, p %v", c.Metric, c.N, c.PHolm)
		}
	}
}

func TestAgreementOfReviewers(t *testing.T) {
	run := madeRun(10, "teacher", "student")
	for i := range 10 {
		verdict := map[bool]string{true: "right", false: "wrong"}[i < 5] // as em sees it
		run.reviews = append(run.reviews, eval.Review{JobID: run.replies[i].Reply.JobID, Reviewer: "Ann", Verdict: verdict})
		if i == 9 {
			verdict = "unsure"
		}
		if i == 0 {
			verdict = "wrong"
		}
		run.reviews = append(run.reviews, eval.Review{JobID: run.replies[i].Reply.JobID, Reviewer: "Bob", Verdict: verdict})
	}
	got := build(t, run, Options{}).Reviews
	if got.N != 20 || len(got.WithEM) != 2 || len(got.Between) != 1 {
		t.Fatalf("%+v", got)
	}
	if a := got.WithEM[0]; a.A != "Ann" || a.B != "em" || a.N != 10 || a.Kappa != 1 {
		t.Errorf("%+v", a)
	}
	// Of nine, eight alike; by chance 4/9*5/9 + 5/9*4/9 = 40/81.
	if a := got.Between[0]; a.N != 9 || cmp.Diff((8.0/9-40.0/81)/(1-40.0/81), a.Kappa, cmpopts.EquateApprox(1e-12, 0)) != "" {
		t.Errorf("%+v", a)
	}
}

// TestEachOutcomeIsTold wants whoever is told of the outcomes to hear of all of
// them, in order, failures too.
func TestEachOutcomeIsTold(t *testing.T) {
	run := madeRun(20, "teacher", "student")
	run.replies[3].Reply.Failure = &eval.Failure{Kind: eval.FailTimeout}
	run.replies[3].Scores = nil
	var told []eval.ScoredReply
	build(t, run, Options{Each: func(s eval.ScoredReply) { told = append(told, s) }})
	if diff := cmp.Diff(run.replies, told); diff != "" {
		t.Errorf("stored -, told +:\n%s", diff)
	}
}
