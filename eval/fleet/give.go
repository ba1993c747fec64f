package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/disteval/disteval/eval"
)

// given is a question on its way into the queue.
type given struct {
	at     place
	audit  string // host of an audit; empty: a question for anyone
	future jetstream.PubAckFuture
	err    error
}

// giveWhatIsLeft waits until the replies are stored that an earlier process
// left in the queue, and then gives out what has no outcome.
func (a *asking) giveWhatIsLeft(ctx context.Context) error {
	for end := time.After(goodbye); !a.allStored(ctx); {
		select {
		case <-ctx.Done():
			return nil
		case <-end: // a queue that does not answer is told by others
			return a.give(ctx)
		case <-time.After(tick / 20):
		}
	}
	return a.give(ctx)
}

// give keeps the queue filled.
func (a *asking) give(ctx context.Context) error {
	sent := make(chan given, inFlight)
	settled := make(chan error, 1)
	go func() { settled <- a.settle(ctx, sent) }()
	defer close(sent)
	for {
		g, ok := a.next(ctx)
		if !ok {
			select {
			case <-ctx.Done():
				return nil
			case err := <-settled:
				return err
			case <-time.After(5 * time.Millisecond):
			}
			continue
		}
		select {
		case sent <- g:
		case err := <-settled:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// next publishes the next question that has room; false where none has.
func (a *asking) next(ctx context.Context) (given, bool) {
	a.mu.Lock()
	closed := a.closed
	a.mu.Unlock()
	if closed {
		return given{}, false
	}
	if at, host, ok := a.audit.take(); ok {
		return a.nextAudit(ctx, at, host), true
	}
	at, attempt, ok := a.book.take()
	if !ok {
		return given{}, false
	}
	g := given{at: at}
	g.future, g.err = a.publish(ctx, at, questionSubject(a.what.ID, at.model), attempt, "")
	return g, true
}

func (a *asking) nextAudit(ctx context.Context, at place, host string) given {
	g := given{at: at, audit: host}
	s, subject := seat{at.model, host}, auditSubject(a.what.ID, at.model, host)
	if !a.audit.opened(s, false) {
		if g.err = a.openTaker(ctx, auditTaker(at.model, host), subject); g.err != nil {
			return g
		}
		a.audit.opened(s, true)
	}
	g.future, g.err = a.publish(ctx, at, subject, 0, host)
	return g
}

// publish gives out a question; host is that of an audit.
func (a *asking) publish(ctx context.Context, at place, subject string, attempt int, host string) (jetstream.PubAckFuture, error) {
	p := a.book.pages[at.model]
	q := question{Run: a.what.ID, Key: a.keys.of(at, attempt, host), Model: at.model, Job: at.job,
		Digest: p.model.Digest, Request: p.jobs[at.job].Request, Before: p.before(at.job), Audit: host != ""}
	if p.probes {
		probe, err := a.probeOf(ctx, at)
		if err != nil {
			return nil, err
		}
		q.Before, q.Probe = a.book.pages[p.of].before(len(a.book.pages[p.of].jobs)), &probe
	}
	data, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	return a.c.js.PublishMsgAsync(&nats.Msg{Subject: subject, Data: data}, jetstream.WithMsgID(q.Key))
}

// settle notes which questions the queue has taken.
func (a *asking) settle(ctx context.Context, sent <-chan given) error {
	const what = "give out questions"
	for g := range sent {
		var seq uint64
		if g.err == nil {
			select {
			case ack := <-g.future.Ok():
				seq = ack.Sequence
			case g.err = <-g.future.Err():
			case <-ctx.Done():
				return nil
			}
		}
		switch {
		case errors.Is(g.err, nats.ErrMaxPayload) && a.book.pages[g.at.model].probes:
			if err := a.fail(ctx, g.at, eval.FailTooLong, "the NATS server takes no message of this size (max_payload)"); err != nil {
				return err
			}
			continue
		case g.audit != "" && g.err != nil:
			a.audit.again(g.at, g.audit)
		case g.audit == "":
			a.book.queued(g.at, seq, g.err == nil)
		}
		if g.err == nil {
			a.fine(what)
			continue
		}
		if err := a.trouble(what, g.err); err != nil {
			return err
		}
		if !pause(ctx, tick/10) {
			return nil
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// mostLost is how often the queue may lose a job before it is a failure.
const mostLost = 5

// patrol looks for jobs that will have no outcome by themselves: given to
// MaxDeliveries workers without one, or lost by the queue.
func (a *asking) patrol(ctx context.Context) error {
	const what = "look into the queue"
	idle := make(map[int]int) // how often in a row a model's questions were all taken and none in work
	for pause(ctx, tick) {
		if a.c.opts.Check != nil {
			if err := a.c.opts.Check(); err != nil {
				return eval.WithHint(err, "make room, then go on with --resume; all that was received is stored")
			}
		}
		err := a.clear(ctx)
		if err == nil {
			err = a.audit.patrol(ctx, a)
		}
		for _, i := range a.book.openPages() {
			if err != nil {
				break
			}
			var resting bool
			if resting, err = a.resting(ctx, taker(i)); !resting || len(a.book.waiting(i)) == 0 {
				idle[i] = 0
				continue
			}
			if idle[i]++; idle[i] > 1 {
				err = a.examine(ctx, i)
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrConsumerNotFound):
			a.c.opts.Say("the queue of the run has gone; making it again")
			err = a.open(ctx, false)
		}
		if err == nil {
			a.fine(what)
		} else if err := a.trouble(what, err); err != nil {
			return err
		}
	}
	return nil
}

// resting reports whether a consumer has neither questions to give nor any in
// work.
func (a *asking) resting(ctx context.Context, name string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	cons, err := a.c.js.Consumer(ctx, questionStream(a.what.ID), name)
	if err != nil {
		return false, err
	}
	info := cons.CachedInfo()
	return info.NumPending == 0 && info.NumAckPending == 0, nil
}

// examine tells the jobs that the queue has still, and nobody gets any more,
// from those that it has not, and ends or gives out again both.
func (a *asking) examine(ctx context.Context, model int) error {
	stream, err := a.c.js.Stream(ctx, questionStream(a.what.ID))
	if err != nil {
		return err
	}
	var gone, spent []int
	for job, seq := range a.book.waiting(model) {
		msg, err := stream.GetMsg(ctx, seq)
		switch {
		case err != nil && !errors.Is(err, jetstream.ErrMsgNotFound):
			return err
		case err == nil && a.is(msg, place{model, job}):
			spent = append(spent, job)
		default:
			gone = append(gone, job)
		}
	}
	// The reply of a question that is gone was there before it went.
	if !a.allStored(ctx) {
		return nil
	}
	for _, job := range spent {
		seq := a.book.waiting(model)[job]
		if err := a.fail(ctx, place{model, job}, eval.FailLost, fmt.Sprintf("%d workers took the question, and none brought an outcome", MaxDeliveries)); err != nil {
			return err
		}
		if err := stream.DeleteMsg(ctx, seq); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return err
		}
	}
	for _, job := range gone {
		if a.book.wasLost(place{model, job}) < mostLost {
			continue
		}
		if err := a.fail(ctx, place{model, job}, eval.FailLost, fmt.Sprintf("the queue lost the question %d times", mostLost)); err != nil {
			return err
		}
	}
	return nil
}

// is reports whether a message is the question of a job. After a power cut a
// server may give a number a second time.
func (a *asking) is(msg *jetstream.RawStreamMsg, at place) bool {
	var q question
	return json.Unmarshal(msg.Data, &q) == nil && q.Model == at.model && q.Job == at.job
}

// fail is the outcome of a job that has no other.
func (a *asking) fail(ctx context.Context, at place, kind eval.FailureKind, reason string) error {
	if !a.book.settle(at) {
		return nil
	}
	now := a.c.opts.Now()
	p := a.book.pages[at.model]
	failure := &eval.Failure{Kind: kind, Message: reason}
	if p.probes {
		a.signal()
		return a.putProbe(ctx, at, eval.Probe{Start: now, End: now, Failure: failure})
	}
	r := eval.Reply{JobID: p.jobs[at.job].ID, Timing: eval.Timing{Start: now, End: now, Attempts: MaxDeliveries}, Failure: failure}
	a.what.Observer.ReplyReceived(p.model, r)
	a.signal()
	return a.what.Store.Put(ctx, r)
}
