package eval

import (
	"context"
	"iter"
)

// RepliesOf yields the outcomes of one model of a run, as Run.Replies orders
// them. A run that can go to them directly does.
func RepliesOf(ctx context.Context, run Run, model string) iter.Seq2[ScoredReply, error] {
	if direct, ok := run.(interface {
		RepliesOf(ctx context.Context, model string) iter.Seq2[ScoredReply, error]
	}); ok {
		return direct.RepliesOf(ctx, model)
	}
	return func(yield func(ScoredReply, error) bool) {
		for r, err := range run.Replies(ctx) {
			if err == nil && r.Reply.JobID.Model != model {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
