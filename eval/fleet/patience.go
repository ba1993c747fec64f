package fleet

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// patience waits for workers where a model has none.
type patience struct {
	a     *asking
	since map[int]time.Time
}

// check gives up models that every worker has retired from, and returns an
// error when nobody has come for a model for too long.
func (p *patience) check(ctx context.Context) error {
	a, now := p.a, p.a.c.opts.Now()
	if p.since == nil {
		p.since = make(map[int]time.Time)
	}
	present := a.c.roster.present()
	for _, i := range a.book.openPages() {
		model := a.book.pages[i].model
		able, reasons := 0, []string(nil)
		for _, m := range present {
			if reason, retired := a.retired(m, i); retired {
				reasons = append(reasons, m.Name+": "+reason)
			} else if _, ok, _ := m.find(model); ok {
				able++
			}
		}
		switch {
		case able > 0:
			delete(p.since, i)
		case len(reasons) > 0:
			a.giveUp(ctx, i, strings.Join(reasons, "; "))
		case p.since[i].IsZero():
			p.since[i] = now
			a.c.opts.Say(fmt.Sprintf("waiting for a worker with %s (%s %s)", model.Name, model.Provider, model.Model))
		case now.Sub(p.since[i]) > a.c.opts.Wait:
			return a.c.nobody([]string{"a worker with " + model.Name})
		}
	}
	return nil
}

// giveUp stops a model and takes its questions out of the queue.
func (a *asking) giveUp(ctx context.Context, model int, reason string) {
	a.book.giveUp(model, reason)
	stream, err := a.c.js.Stream(ctx, questionStream(a.what.ID))
	for _, i := range []int{model, a.book.models + model} { // the second of a page of probes is none
		if err == nil {
			err = stream.Purge(ctx, jetstream.WithPurgeSubject(questionSubject(a.what.ID, i)))
		}
	}
	if a.book.pages[model].probes {
		a.c.opts.Say(fmt.Sprintf("%s: the probabilities of texts are left for --resume: %s", a.book.pages[model].model.Name, reason))
	}
	if err != nil {
		a.c.opts.Say(fmt.Sprintf("the questions of %s stay in the queue: %v", a.book.pages[model].model.Name, err))
	}
	a.signal()
}
