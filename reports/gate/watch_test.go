package gate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/gate"
)

// watched is a run of some models over n queries, to be answered in any order.
type watched struct {
	record  eval.RunRecord
	outcome []eval.ScoredReply // by model and query
}

func watchedRun(models []string, n int, em func(model, query int) float64, rouge func(model, query int) float64) watched {
	var w watched
	set := queries.Set{Name: "random"}
	for q := range n {
		set.Queries = append(set.Queries, queries.Query{ID: fmt.Sprintf("q%03d", q), Prompt: "p", Keyword: "Paris", Reference: "Paris"})
	}
	w.record = eval.RunRecord{ID: "run", Plan: eval.Plan{Queries: set, Scoring: eval.Scoring{Embedding: eval.EmbeddingBuiltin}}}
	for i, name := range models {
		w.record.Plan.Models = append(w.record.Plan.Models, eval.Model{Name: name})
		for q, query := range set.Queries {
			w.outcome = append(w.outcome, eval.ScoredReply{Query: query, Reply: eval.Reply{JobID: eval.JobID{Model: name, Query: query.ID}},
				Scores: []metrics.Score{{Metric: metrics.EM, Value: em(i, q), Status: metrics.Scored},
					{Metric: metrics.EMStrict, Value: 0, Status: metrics.Scored},
					{Metric: metrics.RougeLF1, Value: rouge(i, q), Status: metrics.Scored}}})
		}
	}
	return w
}

// report is the whole run's, with the figures that the gate judges.
func (w watched) report() reports.Report {
	p := w.record.Plan
	r := reports.Report{RunID: w.record.ID, Status: reports.Complete, Replies: listed(w.outcome), Scoring: &eval.ScoringRecord{ID: 1, Scoring: p.Scoring},
		Queries: reports.QuerySet{N: len(p.Queries.Queries), SHA256: p.Queries.SHA256()}}
	for _, m := range p.Models {
		var em, rouge []float64
		for _, s := range w.outcome {
			if s.Reply.Model == m.Name {
				em, rouge = append(em, s.Scores[0].Value), append(rouge, s.Scores[2].Value)
			}
		}
		mean := 0.0
		for _, x := range rouge {
			mean += x / float64(len(rouge))
		}
		r.Models = append(r.Models, reports.Model{Model: m, Replies: len(em), Metrics: []reports.Metric{
			{Name: metrics.EM, Summary: stat.MeanBinary(em)}, {Name: metrics.EMStrict, Summary: stat.Summary{N: len(em)}},
			{Name: metrics.RougeLF1, Summary: stat.Summary{N: len(rouge), Mean: mean}}}})
	}
	return r
}

// randomBound expects something near what came, or far from it.
func randomBound(r *rand.Rand, measure string, mean float64) gate.Bound {
	b := gate.Bound{Measure: measure}
	at := min(1, max(0, mean+r.NormFloat64()*0.15))
	switch r.IntN(4) {
	case 0:
		b.Min = &at
	case 1:
		b.Max = &at
	default:
		b.Expected, b.Tolerance = &at, r.Float64()*0.2
	}
	return b
}

// TestWatchAgreesWithTheWhole asks 10,000 random runs in random orders: where a
// watch ends a run, the whole run comes to the same verdict, and where the
// whole is no regression, none is ended.
func TestWatchAgreesWithTheWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	verdicts, early := make(map[reports.Outcome]int), 0
	for round := range 10_000 {
		models := []string{"a", "b", "c"}[:1+r.IntN(3)]
		n, skill := 1+r.IntN(24), r.Float64()
		w := watchedRun(models, n, func(int, int) float64 { return boolean(r.Float64() < skill) },
			func(int, int) float64 { return r.Float64() * skill })
		e := gate.Expected{Queries: gate.QuerySet{SHA256: w.record.Plan.Queries.SHA256()}}
		for _, name := range models[:1+r.IntN(len(models))] {
			m := gate.Model{Name: name}
			for _, measure := range []string{metrics.EM, metrics.RougeLF1} {
				if r.IntN(3) > 0 {
					m.Bounds = append(m.Bounds, randomBound(r, measure, skill*map[string]float64{metrics.EM: 1, metrics.RougeLF1: 0.5}[measure]))
				}
			}
			if r.IntN(4) == 0 {
				m.QueriesRight = []string{fmt.Sprintf("q%03d", r.IntN(n))}
			}
			e.Models = append(e.Models, m)
		}
		watch := gate.NewWatch(e, w.record)
		order, asked := r.Perm(len(w.outcome)), 0
		for _, i := range order {
			asked++
			if watch.Scored(w.outcome[i]) {
				break
			}
		}
		whole := checked(t, w.report(), e, gate.Options{})
		verdicts[whole.Status()]++
		switch j := watch.Judgement(); {
		case j != nil && j.Status() != whole.Status():
			t.Fatalf("round %d: ended with %s after %d of %d, the whole run is %s: %+v\n%s", round, j.Status(), asked, len(order), whole.Status(), j.Checks, reasons(whole))
		case j == nil && whole.Status() != reports.Pass:
			t.Fatalf("round %d: all is asked, the run is %s, and the watch has not noticed: %s", round, whole.Status(), reasons(whole))
		case j != nil && asked < len(order):
			early++
		}
	}
	if verdicts[reports.Pass] < 1000 || verdicts[reports.Regression] < 1000 || early < 1000 {
		t.Errorf("the rounds say little: %v, %d ended early", verdicts, early)
	}
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// TestWatchEndsAsSoonAsItCan gives the number of questions after which each
// case is decided.
func TestWatchEndsAsSoonAsItCan(t *testing.T) {
	const n = 200
	right := func(from int) func(int, int) float64 {
		return func(_, q int) float64 { return boolean(q >= from) }
	}
	half := 0.5
	for _, test := range []struct {
		name   string
		model  gate.Model
		em     func(int, int) float64
		change func([]eval.ScoredReply)
		after  int // 0: not at all
		want   reports.Outcome
		says   string
	}{
		{name: "all wrong at first", model: gate.Model{Bounds: []gate.Bound{{Measure: metrics.EM, Min: &half}}}, em: right(150), after: 101, want: reports.Regression, says: "after 101 of 200 questions"},
		{name: "as many right as needed", model: gate.Model{Bounds: []gate.Bound{{Measure: metrics.EM, Min: &half}}}, em: right(100)},
		{name: "a query that must be right", model: gate.Model{QueriesRight: []string{"q060"}}, em: right(61), after: 61, want: reports.Regression, says: "after 61 of 200 questions"},
		{name: "a failure", model: gate.Model{}, em: right(0), after: 10, want: reports.Inconclusive, says: "after 10 of 200 questions",
			change: func(rs []eval.ScoredReply) { fail(&rs[9]) }},
		{name: "a failure put up with", model: gate.Model{MaxFailures: 1}, em: right(0), change: func(rs []eval.ScoredReply) { fail(&rs[9]) }},
		{name: "failures count as right", model: gate.Model{MaxFailures: 1, Bounds: []gate.Bound{{Measure: metrics.EM, Min: &half}}}, em: right(150), after: 102, want: reports.Regression,
			change: func(rs []eval.ScoredReply) { fail(&rs[9]) }},
		{name: "dumps of answers", model: gate.Model{Bounds: []gate.Bound{{Measure: metrics.EM, Min: &half}}}, em: right(150), change: func(rs []eval.ScoredReply) { rs[0].Flags = []string{"answer_dump"} }},
		{name: "more right than a limit", model: gate.Model{Bounds: []gate.Bound{{Measure: metrics.EM, Max: &half}}}, em: right(0), after: 190, want: reports.Regression, says: "however the 10 open ones"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := watchedRun([]string{"a", "b"}, n, test.em, func(int, int) float64 { return 0 })
			if test.change != nil {
				test.change(w.outcome)
			}
			test.model.Name = "a"
			watch := gate.NewWatch(gate.Expected{Queries: gate.QuerySet{SHA256: w.record.Plan.Queries.SHA256()}, Models: []gate.Model{test.model}}, w.record)
			after := 1 + slices.IndexFunc(w.outcome, watch.Scored)
			j := watch.Judgement()
			if after != test.after || (j != nil) != (test.after > 0) {
				t.Fatalf("decided after %d, want %d: %+v", after, test.after, j)
			}
			if j != nil && (j.Status() != test.want || !strings.Contains(reasons(*j), test.says) || !slices.Equal(j.Unjudged, []string{"b"})) {
				t.Errorf("%s, want %s and %q: %+v", j.Status(), test.want, test.says, j)
			}
		})
	}
}

// TestWatchKnowsBeforeTheFirstQuestion takes runs that the file is not about.
func TestWatchKnowsBeforeTheFirstQuestion(t *testing.T) {
	w := watchedRun([]string{"a"}, 3, func(int, int) float64 { return 1 }, func(int, int) float64 { return 1 })
	sha := w.record.Plan.Queries.SHA256()
	for name, e := range map[string]gate.Expected{
		"other queries":     {Queries: gate.QuerySet{SHA256: hash}, Models: []gate.Model{{Name: "a"}}},
		"other scoring":     {Queries: gate.QuerySet{SHA256: sha}, Scoring: &eval.Scoring{IncludePrompt: true}, Models: []gate.Model{{Name: "a"}}},
		"no model":          {Queries: gate.QuerySet{SHA256: sha}, Models: []gate.Model{{Name: "b"}}},
		"other digest":      {Queries: gate.QuerySet{SHA256: sha}, Models: []gate.Model{{Name: "a", Digest: "sha256:x"}}},
		"a query not asked": {Queries: gate.QuerySet{SHA256: sha}, Models: []gate.Model{{Name: "a", QueriesRight: []string{"q009"}}}},
	} {
		if j := gate.NewWatch(e, w.record).Judgement(); j == nil || j.Status() != reports.Inconclusive {
			t.Errorf("%s: %+v", name, j)
		}
	}
	watch := gate.NewWatch(gate.Expected{Queries: gate.QuerySet{SHA256: sha}, Models: []gate.Model{{Name: "a"}}}, w.record)
	if watch.Judgement() != nil {
		t.Errorf("a run that the file is about is judged before it is asked: %+v", watch.Judgement())
	}
	watch.GaveUp("a", "5 failures in a row")
	if j := watch.Judgement(); j == nil || j.Status() != reports.Inconclusive || !strings.Contains(reasons(*j), "5 failures in a row") {
		t.Errorf("a model given up: %+v", j)
	}
}
