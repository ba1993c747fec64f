package reports

import (
	"context"
	"fmt"
	"iter"
	"math"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
)

// fakeRun is a stored run in memory.
type fakeRun struct {
	record  eval.RunRecord
	replies []eval.ScoredReply
}

func (f fakeRun) Record() eval.RunRecord                         { return f.record }
func (f fakeRun) Reviews(context.Context) ([]eval.Review, error) { return nil, nil }
func (f fakeRun) Replies(context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		for _, r := range f.replies {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// hundred is a run of two models over 102 queries: Teacher has a reply of n
// milliseconds and n tokens for every n from 100 down to 1, every fourth with
// the keyword, then a failure, then nothing; Student was never asked.
func hundred() fakeRun {
	start := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	var f fakeRun
	p := &f.record.Plan
	p.Models = []eval.Model{{Name: "Teacher", Role: eval.RoleReference}, {Name: "Student", Role: eval.RoleStudent}}
	for i := range 102 {
		q := queries.Query{ID: fmt.Sprintf("q%03d", i), Prompt: "P", Keyword: "K", Reference: "K"}
		p.Queries.Queries = append(p.Queries.Queries, q)
		r := eval.ScoredReply{Query: q, Reply: eval.Reply{Job: eval.JobID{Model: "Teacher", Query: q.ID},
			Usage:  eval.Usage{PromptTokens: 2, CompletionTokens: 100 - i},
			Timing: eval.Timing{Start: start, End: start.Add(time.Duration(100-i) * time.Millisecond), Attempts: 1}}}
		em := 0.0
		if i%4 == 0 {
			em = 1
		}
		for _, m := range metrics.All() {
			s := metrics.Score{Metric: m.Name, Status: metrics.Unscored}
			if m.Name == metrics.EM {
				s = metrics.Score{Metric: m.Name, Status: metrics.Scored, Value: em}
			}
			r.Scores = append(r.Scores, s)
		}
		switch i {
		case 100:
			r.Reply.Timing.End = start.Add(time.Hour)
			r.Reply.Failure = &eval.Failure{Kind: eval.FailTimeout}
		case 101:
			continue
		}
		f.replies = append(f.replies, r)
	}
	for process := 1; process <= 2; process++ {
		f.record.Phases = append(f.record.Phases, eval.Phase{Model: "Teacher", Process: process, Name: eval.PhaseAnswer, Start: start, End: start.Add(5 * time.Second),
			Reading: emissions.Reading{Energy: 180_000_000, Low: 90_000_000, High: 360_000_000, Quality: emissions.Measured, Method: "rapl"}})
	}
	return f
}

func TestBuild(t *testing.T) {
	r, err := Build(t.Context(), hundred(), Options{Factor: &emissions.CarbonFactor{GPerKWh: 500}, PUE: 2})
	if err != nil {
		t.Fatal(err)
	}
	m := r.Models[0]
	if r.Status != Partial || m.Replies != 100 || m.Failures != 1 || m.Missing != 1 || m.FailKinds[eval.FailTimeout] != 1 {
		t.Errorf("%s, %d replies, %d failures %v, %d missing", r.Status, m.Replies, m.Failures, m.FailKinds, m.Missing)
	}
	if m.Tokens != (eval.Usage{PromptTokens: 200, CompletionTokens: 5050}) {
		t.Errorf("tokens: %+v", m.Tokens)
	}
	// Two turns of 5 s and 0.05 Wh each; 25 of the 100 replies are right.
	for name, figure := range map[string]struct {
		got  *float64
		want float64
	}{
		"p50, ms": {m.LatencyMS.P50, 50.5}, "p95, ms": {m.LatencyMS.P95, 95.05}, "p99, ms": {m.LatencyMS.P99, 99.01},
		"duration, s": {m.DurationS, 10}, "tokens/s": {m.TokensPerS, 505},
		"Wh": {m.Energy.Wh, 0.1}, "low Wh": {m.Energy.LowWh, 0.05}, "high Wh": {m.Energy.HighWh, 0.2},
		"Wh per 1,000": {m.Energy.WhPer1000, 1}, "Wh per correct": {m.Energy.WhPerCorrect, 0.004},
		"J per token": {m.Energy.JPerToken, 360.0 / 5050}, "mean W": {m.Energy.MeanW, 36},
		"kg": {m.EmissionsKg, 0.0001}, "g per 1,000": {m.GPer1000, 1},
	} {
		if figure.got == nil || math.Abs(*figure.got/figure.want-1) > 1e-9 {
			t.Errorf("%s: got %v, want %g", name, figure.got, figure.want)
		}
	}
}

// TestBuildOfWhatIsNotThere: a model that was not asked has no figures, and
// none of them is 0.
func TestBuildOfWhatIsNotThere(t *testing.T) {
	r, err := Build(t.Context(), hundred(), Options{Factor: &emissions.CarbonFactor{GPerKWh: 500}})
	if err != nil {
		t.Fatal(err)
	}
	m := r.Models[1]
	if m.Replies != 0 || m.Failures != 0 || m.Missing != 102 || m.Energy.Quality != emissions.Unavailable {
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
