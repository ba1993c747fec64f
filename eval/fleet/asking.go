package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
)

// asking is one Ask under way.
type asking struct {
	c     *Coordinator
	what  Run
	book  *book
	audit *audit
	keys  keys
	wake  chan struct{}
	since map[string]time.Time // when what began to fail
	hosts map[string]bool      // stored in the record

	compared map[int]bool // pages of probes for which the reference's replies are on disk

	cleared uint64 // the last reply that was taken out of the queue

	mu     sync.Mutex
	closed bool // no further question is given out, and workers get no orders
}

const (
	inFlight    = 256 // questions on their way into the queue
	replyBatch  = 512 // replies of one commit
	mostReplies = 100_000
	tick        = time.Second
	goodbye     = 15 * time.Second // for workers to unload at the end
)

func newAsking(c *Coordinator, run Run, done map[eval.JobID]bool, open [][]queries.Query) *asking {
	b := newBook(run.Plan, run.First, done)
	b.addProbes(run.Plan, open)
	return &asking{c: c, what: run, book: b, audit: newAudit(c.opts.Audit, b), keys: keys{nonce: nuid.Next()},
		wake: make(chan struct{}, 1), since: make(map[string]time.Time), hosts: make(map[string]bool), compared: make(map[int]bool)}
}

// open makes the streams and consumers where they are not there. begin clears
// the questions that an earlier process has left: they are given out again
// where they have no outcome.
func (a *asking) open(ctx context.Context, begin bool) error {
	ctx, cancel := context.WithTimeout(ctx, 6*callTimeout)
	defer cancel()
	run, js := a.what.ID, a.c.js
	questions, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: questionStream(run), Subjects: []string{"disteval.q." + run + ".>"},
		Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage, Replicas: a.c.replicas(), Discard: jetstream.DiscardNew,
		PersistMode: a.c.persistence(), Description: "questions of a disteval run"})
	if err != nil {
		return err
	}
	if begin {
		if err := questions.Purge(ctx); err != nil {
			return err
		}
	}
	for i, p := range a.book.pages {
		if len(p.jobs) == 0 {
			continue
		}
		if err := a.openTaker(ctx, taker(i), questionSubject(run, i)); err != nil {
			return err
		}
	}
	if err := a.keys.remember(ctx, js, replyStream(run)); err != nil {
		return err
	}
	if _, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: replyStream(run), Subjects: []string{"disteval.r." + run + ".*"},
		Storage: jetstream.FileStorage, Replicas: a.c.replicas(), Discard: jetstream.DiscardNew, MaxMsgs: mostReplies,
		Metadata: a.keys.metadata(), Description: "replies of a disteval run, until it has stored them"}); err != nil {
		return err
	}
	if begin { // what an earlier process was given and has not stored comes again at once
		if err := js.DeleteConsumer(ctx, replyStream(run), repliesTaker); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return err
		}
	}
	_, err = js.CreateOrUpdateConsumer(ctx, replyStream(run), jetstream.ConsumerConfig{Durable: repliesTaker,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: a.c.opts.AckWait, MaxAckPending: 4 * replyBatch})
	return err
}

// openTaker makes the consumer from which workers pull the questions of one
// subject.
func (a *asking) openTaker(ctx context.Context, name, subject string) error {
	_, err := a.c.js.CreateOrUpdateConsumer(ctx, questionStream(a.what.ID), jetstream.ConsumerConfig{Durable: name, FilterSubject: subject,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: a.c.opts.AckWait, MaxDeliver: MaxDeliveries, MaxAckPending: window, MaxWaiting: mostWorkers})
	return err
}

// run gives out and collects until every job has an outcome, or it must end.
func (a *asking) run(ctx, drain context.Context) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for _, i := range a.book.openPages() {
		open, total := a.book.counts(i)
		a.what.Observer.PhaseBegun(a.book.pages[i].model, a.book.pages[i].phase(), open, total)
	}
	var crew sync.WaitGroup
	for _, part := range []func(context.Context) error{a.giveWhatIsLeft, a.collect, a.patrol} {
		crew.Go(func() {
			if err := part(work); err != nil && work.Err() == nil {
				stop(err)
			}
		})
	}
	a.orderAll()
	err := a.watch(work, drain)
	stop(nil)
	crew.Wait()
	err = errors.Join(err, a.endModels(ctx)) // a worker may find at the end that its model was replaced
	if err == nil {
		err = a.remove(ctx)
	}
	if n := a.audit.left(); n > 0 {
		err = errors.Join(err, a.what.Store.Warn(ctx, fmt.Sprintf("%d questions to be asked on a second host too were not: no other host had their model.", n)))
	}
	return errors.Join(err, a.what.Store.Flush(ctx))
}

// watch waits for the end: all is answered, nobody is there to answer, or it
// was asked to stop.
func (a *asking) watch(work, drain context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	stopping := drain.Done()
	waiting := &patience{a: a}
	ready := 0
	for {
		if n := a.readyPages(); n != ready {
			ready = n
			a.orderAll()
		}
		if err := waiting.check(work); err != nil {
			return err
		}
		if err := a.endModels(work); err != nil { // those that were just given up too
			return err
		}
		if a.book.finished() && a.audit.finished(a.what.ID, a.c.roster.present()) {
			return a.close(work, goodbye)
		}
		select {
		case <-work.Done():
			if cause := context.Cause(work); !errors.Is(cause, context.Canceled) {
				return cause
			}
			return eval.ErrInterrupted
		case <-stopping:
			return errors.Join(a.close(work, longest), eval.ErrInterrupted)
		case <-a.wake:
		case <-a.c.roster.changed:
		case <-ticker.C:
		}
	}
}

// close lets the workers finish what they have begun, at most for a time, and
// waits until their replies are stored.
func (a *asking) close(ctx context.Context, most time.Duration) error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.orderAll()
	end := time.NewTimer(most)
	defer end.Stop()
	for a.anyBusy() || !a.allStored(ctx) {
		pause := time.NewTimer(tick / 5)
		select {
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
				return cause
			}
			return eval.ErrInterrupted
		case <-end.C:
			return nil
		case <-a.c.roster.changed:
			pause.Stop()
		case <-pause.C:
		}
	}
	return nil
}

// readyPages is how many pages may be given out.
func (a *asking) readyPages() (n int) {
	for i := range a.book.pages {
		if a.book.ready(i) {
			n++
		}
	}
	return n
}

func (a *asking) anyBusy() bool {
	now := a.c.opts.Now()
	for _, m := range a.c.roster.present() {
		if m.Busy == a.what.ID && now.Sub(m.seen) < 2*helloEvery+tick {
			return true
		}
	}
	return false
}

// allStored reports whether no reply lies in the queue. What a consumer says of
// its pending messages comes a little after a message has been taken in, so
// the stream is asked how far it goes.
func (a *asking) allStored(ctx context.Context) bool {
	stream, err := a.c.js.Stream(ctx, replyStream(a.what.ID))
	if err != nil {
		return false
	}
	cons, err := stream.Consumer(ctx, repliesTaker)
	if err != nil {
		return false
	}
	has, taken := stream.CachedInfo().State, cons.CachedInfo()
	return taken.NumPending == 0 && taken.NumAckPending == 0 && (has.Msgs == 0 || taken.AckFloor.Stream >= has.LastSeq)
}

// clear takes the replies out of the queue that are stored, many at once: as a
// work queue the stream would write and sync a mark for each of them.
func (a *asking) clear(ctx context.Context) error {
	cons, err := a.c.js.Consumer(ctx, replyStream(a.what.ID), repliesTaker)
	if err != nil {
		return err
	}
	stored := cons.CachedInfo().AckFloor.Stream
	if stored <= a.cleared {
		return nil
	}
	stream, err := a.c.js.Stream(ctx, replyStream(a.what.ID))
	if err == nil {
		err = stream.Purge(ctx, jetstream.WithPurgeSequence(stored+1))
	}
	if err == nil {
		a.cleared = stored
	}
	return err
}

// remove takes the streams of a complete run away. One that cannot be removed
// is no reason to call the run anything but complete.
func (a *asking) remove(ctx context.Context) error {
	for _, stream := range []string{questionStream(a.what.ID), replyStream(a.what.ID)} {
		if err := a.c.js.DeleteStream(ctx, stream); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			a.c.opts.Say(fmt.Sprintf("the stream %s is left over (%v): remove it by hand, with nats stream rm", stream, err))
		}
	}
	return nil
}

// endModels tells of models that have come to an end and gives the workers new
// orders.
func (a *asking) endModels(ctx context.Context) error {
	ended := a.book.end()
	for _, i := range ended {
		p := a.book.pages[i]
		why := cmp.Or(p.gaveUp, p.spoilt)
		if err := a.what.Store.GiveUp(ctx, p.model.Name, why); err != nil {
			return err
		}
		a.what.Observer.ModelEnded(p.model, why)
	}
	if len(ended) > 0 {
		a.orderAll()
	}
	return nil
}

// orderAll sends every worker its orders before it asks for them.
func (a *asking) orderAll() {
	for _, m := range a.c.roster.present() {
		a.order(m)
	}
}

// order tells a worker which of its models have open questions.
func (a *asking) order(m member) {
	o := orders{Run: a.what.ID, AckWait: a.c.opts.AckWait}
	a.mu.Lock()
	closed := a.closed
	a.mu.Unlock()
	if m.garbage >= mostGarbage {
		o.Refused, closed = "too many of its messages were none", true
	}
	if closed {
		a.c.order(m.inbox, o)
		return
	}
	open := make(map[int]bool)
	for _, i := range a.book.openPages() {
		open[i] = true
	}
	var refused []string
	for _, i := range a.book.order {
		p, audits := a.book.pages[i], a.audit.has(i, m.Name)
		if _, retired := a.retired(m, i); retired || !audits && (!open[i] || !a.book.ready(i) || !a.suits(m, i)) {
			continue
		}
		_, ok, why := m.find(p.model)
		if why != "" {
			refused = append(refused, why)
		}
		if ok {
			o.Tasks = append(o.Tasks, a.task(i, audits))
		}
	}
	if o.Refused = strings.Join(refused, "; "); o.Refused != "" {
		a.c.roster.mu.Lock()
		a.c.roster.sayOnce("worker " + o.Refused)
		a.c.roster.mu.Unlock()
	}
	a.c.order(m.inbox, o)
}

func (a *asking) signal() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// trouble notes that something fails, says so once, and returns an error when
// it has for too long.
func (a *asking) trouble(what string, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.c.opts.Now()
	since, known := a.since[what]
	if !known {
		a.since[what] = now
		a.c.opts.Say(fmt.Sprintf("%s: %v; trying again", what, err))
		return nil
	}
	if now.Sub(since) > a.c.opts.Wait {
		return eval.WithHint(fmt.Errorf("%s, for %v: %w", what, a.c.opts.Wait, err), "see the NATS server's log; all that was received is stored, and --resume goes on")
	}
	return nil
}

// fine notes that something works.
func (a *asking) fine(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if since, failed := a.since[what]; failed {
		delete(a.since, what)
		a.c.opts.Say(fmt.Sprintf("%s: works again after %v", what, a.c.opts.Now().Sub(since).Round(time.Second)))
	}
}
