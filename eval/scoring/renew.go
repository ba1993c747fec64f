package scoring

import (
	"context"
	"iter"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/disteval/disteval/eval"
)

// renewal is a reply with the scores and flags that it gives.
type renewal struct {
	eval.ScoredReply
	rescored  bool // other scores were stored
	reflagged bool // the same scores were stored with other flags: an older version had fewer
}

// renewBatch is how many replies one worker scores at a time.
const renewBatch = 128

// batch is some replies, and when ready is closed what they became.
type batch struct {
	replies []renewal
	err     error // that came after them
	ready   chan struct{}
}

func newBatch() *batch {
	return &batch{replies: make([]renewal, 0, renewBatch), ready: make(chan struct{})}
}

// renewed yields the stored replies in their order, as they score now. One
// goroutine reads, one for each processor scores; all have ended when the
// iteration has.
func (c *Current) renewed(ctx context.Context, stored func(context.Context) iter.Seq2[eval.ScoredReply, error]) iter.Seq2[renewal, error] {
	return func(yield func(renewal, error) bool) {
		workers := runtime.GOMAXPROCS(0)
		ctx, cancel := context.WithCancel(ctx)
		ordered, work := make(chan *batch, 2*workers), make(chan *batch)
		var group errgroup.Group
		defer func() {
			cancel()
			_ = group.Wait() // errors come with the batches
		}()
		group.Go(func() error {
			defer close(ordered)
			defer close(work)
			readBatches(stored(ctx), func(b *batch) bool {
				for _, to := range []chan *batch{ordered, work} {
					select {
					case to <- b:
					case <-ctx.Done():
						return false
					}
				}
				return true
			})
			return nil
		})
		for range workers {
			group.Go(func() error {
				scorer := New(c.cfg)
				for b := range work {
					c.renewAll(ctx, scorer, b)
					close(b.ready)
				}
				return nil
			})
		}
		yieldBatches(ctx, ordered, yield)
	}
}

// readBatches cuts the replies into batches until emit returns false. An error
// stands in the last one.
func readBatches(replies iter.Seq2[eval.ScoredReply, error], emit func(*batch) bool) {
	next := newBatch()
	for r, err := range replies {
		if err != nil {
			next.err = err
			break
		}
		if next.replies = append(next.replies, renewal{ScoredReply: r}); len(next.replies) < renewBatch {
			continue
		}
		if !emit(next) {
			return
		}
		next = newBatch()
	}
	emit(next)
}

func yieldBatches(ctx context.Context, ordered <-chan *batch, yield func(renewal, error) bool) {
	for b := range ordered {
		select {
		case <-b.ready:
		case <-ctx.Done():
			yield(renewal{}, ctx.Err())
			return
		}
		for _, r := range b.replies {
			if !yield(r, nil) {
				return
			}
		}
		if b.err != nil {
			yield(renewal{}, b.err)
			return
		}
	}
	if ctx.Err() != nil {
		yield(renewal{}, ctx.Err())
	}
}

// renewAll scores a batch again. After an error the rest of it is left out.
func (c *Current) renewAll(ctx context.Context, scorer *Scorer, b *batch) {
	for i := range b.replies {
		r := &b.replies[i]
		if r.Reply.Failure != nil || !Any(r.Scores) {
			continue
		}
		fresh, err := scorer.Score(ctx, c.cfg.PairOf(r.Query, r.Reply))
		if err != nil {
			b.replies, b.err = b.replies[:i], err
			return
		}
		var floor *float64
		if f, ok := c.by.Floors[r.Reply.JobID.Model]; ok {
			floor = &f
		}
		r.rescored = renew(&r.ScoredReply, fresh, c.by.Scoring, floor)
		if !r.rescored && !slices.Equal(r.Flags, fresh.Flags) {
			r.Flags, r.reflagged = fresh.Flags, true
		}
	}
}
