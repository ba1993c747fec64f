package gate

import (
	"context"

	"github.com/disteval/disteval/eval"
)

// Stored takes into account what a run that is gone on with has already.
func (w *Watch) Stored(ctx context.Context, run eval.Run, done map[eval.JobID]bool) error {
	if len(done) == 0 {
		return nil
	}
	for r, err := range run.Replies(ctx) {
		if err != nil {
			return err
		}
		if done[r.Reply.JobID] {
			w.Reply(ctx, r.Reply)
		}
	}
	return nil
}

// Observe returns an observer that tells o what it is told, and calls stop as
// soon as the run is judged.
func (w *Watch) Observe(ctx context.Context, o eval.Observer, stop func()) eval.Observer {
	return observer{o, ctx, w, stop}
}

type observer struct {
	eval.Observer
	ctx   context.Context
	watch *Watch
	stop  func()
}

func (o observer) ReplyReceived(m eval.Model, r eval.Reply) {
	o.Observer.ReplyReceived(m, r)
	if o.watch.Reply(o.ctx, r) {
		o.stop()
	}
}

func (o observer) ModelEnded(m eval.Model, gaveUp string) {
	o.Observer.ModelEnded(m, gaveUp)
	if o.watch.GaveUp(m.Name, gaveUp); o.watch.Judgement() != nil {
		o.stop()
	}
}
