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

// Changed says which replies have other scores than are stored.
type Changed struct {
	N     int
	First eval.JobID // in the run's order; of no meaning where N is 0
}

// Current scores the replies of a stored run again, by the scoring that the
// run states, and returns the run with the scores that its replies give, and
// how many have others stored: a reply or a score was changed, or another
// version of the program followed other rules. A reply without any stored score
// stays without. Cosines by an embedding server are taken as they are stored,
// for the server may not be there, and so is the floor. It scores on all
// processors and holds few replies at a time.
func Current(ctx context.Context, run eval.Run) (eval.Run, Changed, error) {
	by := run.Record().Scoring
	if by == nil {
		return run, Changed{}, nil
	}
	out := current{Run: run, by: *by, anew: make(map[eval.JobID]eval.ScoredReply),
		cfg: Config{IncludePrompt: by.Scoring.IncludePrompt, Answers: NewAnswers(run.Record().Plan.Queries)}}
	var changed Changed
	for r, err := range out.renewed(ctx, run.Replies) {
		if err != nil {
			return nil, Changed{}, fmt.Errorf("score the run again: %w", err)
		}
		if r.rescored {
			if changed.N++; changed.N == 1 {
				changed.First = r.Reply.JobID
			}
		}
		if r.rescored || r.reflagged {
			out.note(r.ScoredReply)
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

// mostAnew is how many replies are kept with the scores that they give. Where
// more differ, all are scored again whenever they are read.
const mostAnew = 5_000

// current is a run with the scores that its replies give.
type current struct {
	eval.Run
	by   eval.ScoringRecord
	cfg  Config
	anew map[eval.JobID]eval.ScoredReply // nil: too many to keep
}

// note keeps a reply that differs from what is stored.
func (c *current) note(r eval.ScoredReply) {
	if c.anew == nil {
		return
	}
	if c.anew[r.Reply.JobID] = r; len(c.anew) > mostAnew {
		c.anew = nil
	}
}

// Replies yields the replies of all models.
func (c current) Replies(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
	return c.shown(ctx, c.Run.Replies)
}

// RepliesOf yields those of one model.
func (c current) RepliesOf(ctx context.Context, model string) iter.Seq2[eval.ScoredReply, error] {
	return c.shown(ctx, func(ctx context.Context) iter.Seq2[eval.ScoredReply, error] { return eval.RepliesOf(ctx, c.Run, model) })
}

func (c current) shown(ctx context.Context, stored func(context.Context) iter.Seq2[eval.ScoredReply, error]) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		if c.anew == nil {
			for r, err := range c.renewed(ctx, stored) {
				if !yield(r.ScoredReply, err) {
					return
				}
			}
			return
		}
		for r, err := range stored(ctx) {
			if anew, ok := c.anew[r.Reply.JobID]; ok {
				r = anew
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
