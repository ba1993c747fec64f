package scoring

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
)

// alike is how far a score made on another machine may be off.
const alike = 1e-6

// Current scores the replies of a stored run again, by the scoring that the
// run states, and returns the run with the scores that its replies give, and
// the jobs whose stored scores are others: a reply or a score was changed, or
// another version of the program followed other rules. A reply without any
// stored score stays without. Cosines by an embedding server are taken as they
// are stored, for the server may not be there, and so is the floor.
func Current(ctx context.Context, run eval.Run) (eval.Run, []eval.JobID, error) {
	by := run.Record().Scoring
	if by == nil {
		return run, nil, nil
	}
	cfg := Config{IncludePrompt: by.Scoring.IncludePrompt, Answers: NewAnswers(run.Record().Plan.Queries)}
	scorer := New(cfg)
	out := current{Run: run, anew: make(map[eval.JobID]eval.ScoredReply)}
	var changed []eval.JobID
	for r, err := range run.Replies(ctx) {
		if err != nil {
			return nil, nil, fmt.Errorf("score the run again: %w", err)
		}
		if r.Reply.Failure != nil || !Any(r.Scores) {
			continue
		}
		fresh, err := scorer.Score(ctx, cfg.PairOf(r.Query, r.Reply))
		if err != nil {
			return nil, nil, fmt.Errorf("score the run again: %w", err)
		}
		var floor *float64
		if f, ok := by.Floors[r.Reply.JobID.Model]; ok {
			floor = &f
		}
		if renew(&r, fresh, by.Scoring, floor) {
			out.anew[r.Reply.JobID] = r
			changed = append(changed, r.Reply.JobID)
		} else if !slices.Equal(r.Flags, fresh.Flags) { // an older version had fewer
			r.Flags = fresh.Flags
			out.anew[r.Reply.JobID] = r
		}
	}
	return out, changed, ctx.Err()
}

// Any reports whether any metric of the text is scored; em_strict always is once
// a reply was.
func Any(scores []metrics.Score) bool {
	ofText := metrics.Text()
	return slices.ContainsFunc(scores, func(s metrics.Score) bool {
		return s.Status == metrics.Scored && slices.ContainsFunc(ofText, func(m metrics.Metric) bool { return m.Name == s.Metric })
	})
}

// renew puts the fresh scores in place of the stored ones that differ, and
// reports whether any did.
func renew(r *eval.ScoredReply, fresh Result, by eval.Scoring, floor *float64) bool {
	served := by.Embedding != eval.EmbeddingBuiltin
	scores := slices.Clone(r.Scores)
	differs := false
	for i, s := range scores[:len(metrics.Text())] {
		f := fresh.Scores[i]
		switch {
		case s.Metric == metrics.CosineLift, served && (s.Metric == metrics.Cosine || s.Metric == metrics.CosineBest):
		case f.Status != s.Status || math.Abs(f.Value-s.Value) > alike:
			scores[i], differs = f, true
		}
	}
	if !differs {
		return false
	}
	lift := slices.IndexFunc(scores, func(s metrics.Score) bool { return s.Metric == metrics.CosineLift })
	scores[lift] = fresh.Scores[lift]
	metrics.FillLift(scores, floor)
	r.Scores, r.Flags = scores, fresh.Flags
	return true
}

// current is a run with some of its scores made anew.
type current struct {
	eval.Run
	anew map[eval.JobID]eval.ScoredReply
}

func (c current) Replies(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		for r, err := range c.Run.Replies(ctx) {
			if anew, ok := c.anew[r.Reply.JobID]; ok {
				r = anew
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
