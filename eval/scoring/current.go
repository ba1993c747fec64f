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

// Current is a stored run with the scores that its replies give, by the scoring
// that the run states. A reply without any stored score stays without. Cosines by
// an embedding server are taken as they are stored, for the server may not be
// there, and so is the floor. It scores on all processors and holds few replies
// at a time.
type Current struct {
	eval.Run
	by      *eval.ScoringRecord // nil: the run is not scored
	cfg     Config
	scored  bool // once, all of it
	changed Changed
	anew    map[eval.JobID]eval.ScoredReply // that differ from what is stored; nil: too many to keep
}

// NewCurrent returns what run is now.
func NewCurrent(run eval.Run) *Current {
	c := &Current{Run: run, by: run.Record().Scoring}
	if c.by != nil {
		c.cfg = Config{IncludePrompt: c.by.Scoring.IncludePrompt, Answers: NewAnswers(run.Record().Plan.Queries)}
	}
	return c
}

// Changed says how many replies have other scores stored than they give: a reply
// or a score was changed, or another version of the program followed other
// rules. That is known once Replies has been gone over to its end.
func (c *Current) Changed() Changed { return c.changed }

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
	differs := func(i int) bool { return !sameScore(r.Scores[i], fresh.Scores[i], by) }
	ofText := len(metrics.Text())
	first := 0
	for first < ofText && !differs(first) {
		first++
	}
	if first == ofText {
		return false
	}
	scores := slices.Clone(r.Scores)
	for i := first; i < ofText; i++ {
		if differs(i) {
			scores[i] = fresh.Scores[i]
		}
	}
	lift := slices.IndexFunc(scores, func(s metrics.Score) bool { return s.Metric == metrics.CosineLift })
	scores[lift] = fresh.Scores[lift]
	metrics.FillLift(scores, floor)
	r.Scores, r.Flags = scores, fresh.Flags
	return true
}

// sameScore reports whether a stored score is what the reply gives, or one that
// is taken as it is stored.
func sameScore(stored, fresh metrics.Score, by eval.Scoring) bool {
	switch stored.Metric {
	case metrics.CosineLift:
		return true
	case metrics.Cosine, metrics.CosineBest:
		if by.Embedding != eval.EmbeddingBuiltin {
			return true
		}
	}
	return fresh.Status == stored.Status && math.Abs(fresh.Value-stored.Value) <= alike
}

// mostAnew is how many replies are kept with the scores that they give. Where
// more differ, all are scored again whenever they are read.
const mostAnew = 5_000

// Replies yields the replies of all models. It scores them when it is gone over
// for the first time.
func (c *Current) Replies(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
	if c.by == nil || c.scored {
		return c.shown(ctx, c.Run.Replies)
	}
	return func(yield func(eval.ScoredReply, error) bool) {
		c.changed, c.anew = Changed{}, make(map[eval.JobID]eval.ScoredReply)
		for r, err := range c.renewed(ctx, c.Run.Replies) {
			if err != nil {
				yield(eval.ScoredReply{}, fmt.Errorf("score the run again: %w", err))
				return
			}
			c.note(r)
			if !yield(r.ScoredReply, nil) {
				return
			}
		}
		c.scored = true
	}
}

// note takes in what has become of a reply.
func (c *Current) note(r renewal) {
	if r.rescored {
		if c.changed.N++; c.changed.N == 1 {
			c.changed.First = r.Reply.JobID
		}
	}
	if c.anew == nil || !r.rescored && !r.reflagged {
		return
	}
	if c.anew[r.Reply.JobID] = r.ScoredReply; len(c.anew) > mostAnew {
		c.anew = nil
	}
}

// RepliesOf yields those of one model.
func (c *Current) RepliesOf(ctx context.Context, model string) iter.Seq2[eval.ScoredReply, error] {
	return c.shown(ctx, func(ctx context.Context) iter.Seq2[eval.ScoredReply, error] { return eval.RepliesOf(ctx, c.Run, model) })
}

// shown puts the scores that replies give in place of the stored ones.
func (c *Current) shown(ctx context.Context, stored func(context.Context) iter.Seq2[eval.ScoredReply, error]) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		if c.by != nil && (!c.scored || c.anew == nil) {
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
