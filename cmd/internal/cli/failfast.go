package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/eval/session"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/gate"
)

// failFast ends a run as soon as its verdict is certain. It is an eval.Observer
// that tells another one what it is told.
type failFast struct {
	eval.Observer
	ctx   context.Context
	watch *gate.Watch
	stop  context.CancelFunc
}

func (f failFast) ReplyReceived(m eval.Model, r eval.Reply) {
	f.Observer.ReplyReceived(m, r)
	if f.watch.Reply(f.ctx, r) {
		f.stop()
	}
}

func (f failFast) ModelEnded(m eval.Model, gaveUp string) {
	f.Observer.ModelEnded(m, gaveUp)
	if f.watch.GaveUp(m.Name, gaveUp); f.watch.Judgement() != nil {
		f.stop()
	}
}

// askWatched asks a run's open questions, those to the models that something is
// expected of first, until its verdict is certain. judgement is then what it
// has come to before every question was asked; nil where it is to be judged as
// a whole.
func (a *app) askWatched(ctx context.Context, s *session.Session, store *runstore.Store, o eval.Observer, expected gate.Expected) (judgement *reports.Judgement, err error) {
	watch := gate.NewWatch(expected, store.Record())
	if err := noteStored(ctx, store, watch); err != nil {
		return nil, err
	}
	asked := eval.ErrInterrupted
	if watch.Judgement() == nil {
		s.First = watch.Models()
		drain, stop := context.WithCancel(a.drain)
		defer stop()
		asked = s.Ask(ctx, drain, store, failFast{o, ctx, watch, stop})
	}
	if judgement = watch.Judgement(); judgement == nil || !stopped(asked) {
		return nil, asked
	}
	return judgement, nil
}

// stopped reports whether an error says that asking was ended, and nothing else.
func stopped(err error) bool {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return !slices.ContainsFunc(joined.Unwrap(), func(err error) bool { return !stopped(err) })
	}
	return errors.Is(err, eval.ErrInterrupted)
}

// noteStored tells a watch what a run that is gone on with has already.
func noteStored(ctx context.Context, store *runstore.Store, watch *gate.Watch) error {
	done, err := store.Done(ctx)
	if err != nil || len(done) == 0 {
		return err
	}
	for r, err := range store.Replies(ctx) {
		if err != nil {
			return err
		}
		if done[r.Reply.JobID] {
			watch.Reply(ctx, r.Reply)
		}
	}
	return nil
}
