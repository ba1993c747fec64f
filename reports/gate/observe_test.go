package gate_test

import (
	"context"
	"iter"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/gate"
)

// told counts what it is told.
type told struct {
	eval.Observer
	replies, ended int
}

func (t *told) ReplyReceived(eval.Model, eval.Reply) { t.replies++ }
func (t *told) ModelEnded(eval.Model, string)        { t.ended++ }

type storedRun struct {
	eval.Run
	replies []eval.ScoredReply
}

func (s storedRun) Replies(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
	return listed(s.replies)(ctx)
}

// TestObserve ends a run at the reply that no other can make good, whether it
// comes now or was there before, and at a model that is given up.
func TestObserve(t *testing.T) {
	one := 1.0
	w := watchedRun([]string{"student"}, 4, func(int, int) float64 { return 0 }, func(int, int) float64 { return 0 })
	student := w.record.Plan.Models[0]
	expected := gate.Expected{Queries: gate.QuerySet{SHA256: w.record.Plan.Queries.SHA256()}, Models: []gate.Model{{Name: "student", Bounds: []gate.Bound{{Measure: metrics.EM, Expected: &one, Tolerance: 0.3}}}}}
	answer := func(query int) eval.Reply {
		r := w.outcome[query].Reply
		r.Text = " Rome"
		return r
	}
	for _, tt := range []struct {
		name   string
		stored int
		gaveUp string
		want   reports.Outcome
		after  int
	}{
		{"the second wrong reply", 0, "", reports.Regression, 2},
		{"one is stored", 1, "", reports.Regression, 1},
		{"given up", 0, "no answer", reports.Inconclusive, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			watch := gate.NewWatch(expected, w.record)
			run, done := storedRun{}, map[eval.JobID]bool{}
			for q := range tt.stored {
				run.replies = append(run.replies, eval.ScoredReply{Reply: answer(q)})
				done[w.outcome[q].Reply.JobID] = true
			}
			if err := watch.Stored(t.Context(), run, done); err != nil {
				t.Fatal(err)
			}
			var inner told
			stopped := false
			o := watch.Observe(t.Context(), &inner, func() { stopped = true })
			if tt.gaveUp != "" {
				o.ModelEnded(student, tt.gaveUp)
			}
			for q := tt.stored; !stopped && q < 4; q++ {
				o.ReplyReceived(student, answer(q))
			}
			j := watch.Judgement()
			if !stopped || j == nil || j.Status() != tt.want || inner.replies != tt.after || tt.gaveUp != "" && inner.ended != 1 {
				t.Errorf("stopped %t after %d replies with %+v", stopped, inner.replies, j)
			}
		})
	}
}
