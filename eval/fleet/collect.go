package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/disteval/disteval/eval"
)

// collect stores what comes back. A reply is acknowledged when the record has
// it on disk.
func (a *asking) collect(ctx context.Context) error {
	const what = "fetch replies"
	numbers := newNumbers(a.what.Process, a.what.Phases)
	for ctx.Err() == nil {
		err := a.drainReplies(ctx, numbers)
		if err == nil || ctx.Err() != nil {
			continue
		}
		var ours *storeError
		if asStoreError(err, &ours) {
			return ours.err
		}
		if err := a.trouble(what, err); err != nil {
			return err
		}
		pause(ctx, tick/5)
	}
	return nil
}

// drainReplies fetches until the consumer is lost.
func (a *asking) drainReplies(ctx context.Context, numbers *numbers) error {
	bind, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	cons, err := a.c.js.Consumer(bind, replyStream(a.what.ID), repliesTaker)
	if err != nil {
		return err
	}
	came := make(chan jetstream.Msg, replyBatch)
	consuming, err := cons.Consume(func(m jetstream.Msg) {
		select {
		case came <- m:
		case <-ctx.Done():
		}
	}, jetstream.PullMaxMessages(2*replyBatch))
	if err != nil {
		return err
	}
	defer consuming.Stop()
	a.fine("fetch replies")
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-consuming.Closed():
			return fmt.Errorf("the consumer %s has gone", repliesTaker)
		case m := <-came:
			if err := a.store(ctx, gather(m, came), numbers); err != nil {
				return &storeError{err}
			}
		}
	}
}

// gather takes what else has come.
func gather(first jetstream.Msg, came <-chan jetstream.Msg) []jetstream.Msg {
	batch := []jetstream.Msg{first}
	for len(batch) < replyBatch {
		select {
		case m := <-came:
			batch = append(batch, m)
		default:
			return batch
		}
	}
	return batch
}

// storeError is one of the record, which ends the run.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }

func asStoreError(err error, to **storeError) bool {
	e, ok := err.(*storeError) //nolint:errorlint // it is never wrapped
	*to = e
	return ok
}

// store takes a batch in and acknowledges it.
func (a *asking) store(ctx context.Context, batch []jetstream.Msg, numbers *numbers) error {
	for _, m := range batch {
		host := m.Subject()[strings.LastIndexByte(m.Subject(), '.')+1:]
		if CheckName(host) != nil {
			continue // of no worker
		}
		r, err := decodeResult(m.Data())
		if err == nil {
			err = a.given(host, &r)
		}
		if err != nil {
			a.c.roster.spoilt(host, err)
			continue
		}
		if err := a.accept(ctx, host, r, numbers); err != nil {
			return err
		}
	}
	if err := a.what.Store.Flush(ctx); err != nil {
		return err
	}
	for _, m := range batch {
		_ = m.Ack() // one that gets lost comes again and is known
	}
	a.signal()
	return nil
}

// given refuses an answer to what its sender was not asked.
func (a *asking) given(host string, r *result) error {
	at, audited := place{r.Model, r.Job}, ""
	if !a.book.valid(at) {
		return fmt.Errorf("the plan has no job %d of model %d", r.Job, r.Model)
	}
	if r.Audit {
		audited = host
	}
	asked := a.book.pages[r.Model].probes
	switch {
	case r.Reply != nil && asked, r.Probe != nil && !asked, r.Probe != nil && r.Audit:
		return errors.New("it answers what was not asked")
	case (r.Reply != nil || r.Probe != nil) && !a.keys.genuine(r.Key, at, audited):
		return errors.New("it answers a question that it was not given")
	case r.Probe != nil && r.Probe.Failure == nil:
		return a.fill(r.Probe, at)
	}
	return nil
}

// accept queues one message's content for the record.
func (a *asking) accept(ctx context.Context, host string, r result, numbers *numbers) error {
	if err := a.meet(ctx, host); err != nil {
		return err
	}
	p := a.book.pages[r.Model]
	for _, part := range r.Phases {
		stored := eval.Phase{Model: p.model.Name, Host: host, Name: part.Name, Start: part.Start, End: part.End, Reading: part.Reading}
		var further bool
		if stored.Process, further = numbers.of(stored); !further || stored.Process > a.what.Process+mostTurns {
			continue
		}
		if err := a.what.Store.PutPhase(ctx, stored); err != nil {
			return err
		}
	}
	at := place{r.Model, r.Job}
	if r.Probe != nil && a.book.settle(at) { // late or double: the first outcome counts
		r.Probe.Host = host
		return a.putProbe(ctx, at, *r.Probe)
	}
	if r.Reply == nil {
		return nil
	}
	reply := *r.Reply
	reply.JobID, reply.Host = p.jobs[r.Job].ID, host
	reply.Tokens = reply.Tokens[:min(len(reply.Tokens), a.what.Plan.KeptTokens(p.model))]
	if r.Audit {
		if !a.audit.settle(at, host) {
			return nil
		}
		return a.what.Store.PutAudit(ctx, reply)
	}
	if !a.book.settle(at) { // late or double: the first outcome counts
		return a.disown(ctx, r.Model, reply)
	}
	if err := a.what.Store.Put(ctx, reply); err != nil {
		return err
	}
	a.what.Observer.ReplyReceived(p.model, reply)
	if reply.Failure == nil && a.audit.plan(at, host, a.c.roster.present(), p.model) {
		a.orderAll()
	}
	return nil
}

// disown makes a failure of a stored answer whose host has found that it was
// another model's. A host can take back its own answers only.
func (a *asking) disown(ctx context.Context, model int, r eval.Reply) error {
	if r.Failure == nil || r.Failure.Kind != eval.FailReplaced {
		return nil
	}
	if err := a.what.Store.Flush(ctx); err != nil {
		return err
	}
	has, ok, err := a.what.Store.Reply(ctx, r.JobID)
	if err != nil || !ok || has.Reply.Host != r.Host || has.Reply.Failure != nil {
		return err
	}
	if err := a.what.Store.Put(ctx, r); err != nil {
		return err
	}
	a.book.replaced(model, r.Host+": "+r.Failure.Message)
	return nil
}

// meet stores what is known of a host when it first brings something.
func (a *asking) meet(ctx context.Context, host string) error {
	if a.hosts[host] {
		return nil
	}
	for _, m := range a.c.roster.present() {
		if m.Name == host {
			a.hosts[host] = true
			return a.what.Store.PutHost(ctx, host, m.Host)
		}
	}
	return nil
}
