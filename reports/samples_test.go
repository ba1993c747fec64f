package reports_test

import (
	"context"
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

// drawn is a scored run of one model: em and text of sample s of query q.
type drawn struct {
	queries, samples int
	em               func(q, s int) float64
	text             func(q, s int) string
}

func (d drawn) Record() eval.RunRecord {
	p := eval.Plan{Samples: d.samples, Models: []eval.Model{{Name: "m"}}}
	for q := range d.queries {
		p.Queries.Queries = append(p.Queries.Queries, queries.Query{ID: fmt.Sprintf("q%02d", q), Prompt: "p", Keyword: "k"})
	}
	return eval.RunRecord{Plan: p}
}

func (d drawn) Reviews(context.Context) ([]eval.Review, error) { return nil, nil }

func (d drawn) Replies(context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		for q, query := range d.Record().Plan.Queries.Queries {
			for s := range d.samples {
				r := eval.ScoredReply{Query: query, Reply: eval.Reply{JobID: eval.JobID{Model: "m", Query: query.ID, Sample: s}, Text: d.text(q, s)}}
				r.Scores = []metrics.Score{{Metric: metrics.EM, Value: d.em(q, s), Status: metrics.Scored}}
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

func built(t *testing.T, d drawn) reports.Report {
	t.Helper()
	r, err := reports.Build(t.Context(), d, reports.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func near(a *float64, b float64) bool { return a != nil && math.Abs(*a-b) < 1e-9 }

// TestSamples: a query's score is the mean of its samples, and the spread is
// told apart into that between queries and that within one.
func TestSamples(t *testing.T) {
	text := func(q, s int) string { return fmt.Sprint(q) }
	// Half of the queries are right in every sample, half in one of four.
	d := drawn{queries: 20, samples: 4, text: text, em: func(q, s int) float64 {
		if q%2 == 0 || s == 0 {
			return 1
		}
		return 0
	}}
	r := built(t, d)
	m := r.Models[0]
	em := m.Metric(metrics.EM)
	if m.Missing != 0 || m.Replies != 80 || em.N != 20 || em.Mean != 0.625 || em.Samples != 4 || em.Method == "wilson" {
		t.Errorf("%d replies, %d missing, em %+v", m.Replies, m.Missing, em)
	}
	between := math.Sqrt(20 * 0.375 * 0.375 / 19)
	if !near(em.SDBetween, between) || !near(em.SDWithin, math.Sqrt(0.25/2)) || !near(em.Any, 1) || !near(em.Identical, 0.5) {
		t.Errorf("between %v, within %v, any %v, identical %v", *em.SDBetween, *em.SDWithin, *em.Any, *em.Identical)
	}
}

// TestSamplesAreNoQueries: samples that say the same make no interval narrower.
func TestSamplesAreNoQueries(t *testing.T) {
	text := func(q, s int) string { return "" }
	em := func(q, _ int) float64 { return float64(q % 2) }
	one := built(t, drawn{queries: 40, samples: 2, em: em, text: text}).Models[0].Metric(metrics.EM)
	nine := built(t, drawn{queries: 40, samples: 9, em: em, text: text}).Models[0].Metric(metrics.EM)
	if one.Lo != nine.Lo || one.Hi != nine.Hi {
		t.Errorf("2 samples [%v, %v], 9 samples [%v, %v]", one.Lo, one.Hi, nine.Lo, nine.Hi)
	}
}

func TestDeterminism(t *testing.T) {
	em := func(int, int) float64 { return 1 }
	quiet := built(t, drawn{queries: 10, samples: 3, em: em, text: func(q, _ int) string { return fmt.Sprint(q) }})
	if said := strings.Join(quiet.Warnings, "\n"); strings.Contains(said, "temperature 0") {
		t.Errorf("the same text each time: %s", said)
	}
	noisy := built(t, drawn{queries: 10, samples: 3, em: em, text: func(q, s int) string {
		if q == 3 || q == 7 {
			return fmt.Sprint(s)
		}
		return "x"
	}})
	want := "m: at temperature 0, 8 of 10 queries gave the same text 3 times; 2 did not (q03, q07)."
	if said := strings.Join(noisy.Warnings, "\n"); !strings.Contains(said, want) {
		t.Errorf("got %s, want %s", said, want)
	}
}
