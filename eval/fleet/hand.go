package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// hand takes questions out of the queue, some ahead of their turn, so that no
// answer waits for the network.
//
// What is in hand when a worker dies was given out once in vain, as if it had
// killed the worker. So a hand is small, and a question that was given out
// before is taken with nothing behind it: one that kills every worker takes
// no other with it more than once.
type hand struct {
	*working
	run    string
	next   chan taken    // closed when the run has nothing more
	freed  chan struct{} // holds one sign that there may be room
	takers map[string]jetstream.Consumer

	mu      sync.Mutex
	count   int           // taken and not answered
	again   int           // of these, given to a worker before
	careful bool          // the last one was
	model   int           // of the last one, its page; -1: there was none
	of      int           // of the last one, its index in the plan; -1: there was none
	pace    time.Duration // of that model's last answer; 0: not known
}

const (
	mostAhead  = 32
	aheadFor   = 50 * time.Millisecond // of answering is taken ahead, and one question at least
	aheadBelow = time.Second           // answers that take longer do not wait for the queue, but idle workers would for them
)

func newHand(w *working, run string) *hand {
	return &hand{working: w, run: run, next: make(chan taken, max(1, w.Concurrency)+mostAhead), freed: make(chan struct{}, 1),
		takers: make(map[string]jetstream.Consumer), model: -1, of: -1}
}

// fill takes until the run has nothing more for this worker, or drain.
func (h *hand) fill(drain context.Context) {
	defer close(h.next)
	for drain.Err() == nil {
		n := h.room()
		if n == 0 {
			select {
			case <-h.freed:
			case <-drain.Done():
			}
			continue
		}
		if over := h.take(drain, n); over {
			return
		}
	}
}

// room is how many questions more may be in hand.
func (h *hand) room() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	most := max(1, h.Concurrency)
	switch {
	case h.again > 0:
		return 0
	case h.pace > 0 && h.pace < aheadBelow:
		most += min(mostAhead, max(1, int(aheadFor/h.pace)))
	}
	return max(0, most-h.count)
}

// answered makes room. took is what the answer took; 0 where there was none.
func (h *hand) answered(q taken, took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count--
	if q.again() {
		h.again--
	}
	if took > 0 && q.Model == h.model {
		h.pace = took
	}
	sign(h.freed)
}

// patienceIdle is how long one look for a question waits for one to come.
const patienceIdle = 500 * time.Millisecond

// take takes up to n questions, of the last one's model before others. over
// means that the run has nothing more.
func (h *hand) take(drain context.Context, n int) (over bool) {
	tasks := h.tasks(h.run)
	if len(tasks) == 0 {
		return true
	}
	h.mu.Lock()
	model, of, careful := h.model, h.of, h.careful
	h.mu.Unlock()
	slices.SortStableFunc(tasks, func(a, b task) int { return cmp.Compare(a.distance(model, of), b.distance(model, of)) })
	for i, t := range tasks {
		patience, most := time.Duration(0), 1
		if t.Model == model && !careful {
			most = n
		}
		if t.Of == of && i+1 < len(tasks) && tasks[i+1].Of != of {
			patience = patienceIdle // another model costs a load: the last questions of this one may come back
		}
		if h.fetch(drain, taker(t.Model), t, most, patience) {
			return false
		}
		if t.Audit && h.fetch(drain, auditTaker(t.Model, h.Name), t, 1, 0) {
			return false
		}
	}
	h.fetch(drain, taker(tasks[0].Model), tasks[0], 1, patienceIdle)
	return false
}

// fetch takes up to n questions that are there, or waits for one.
func (h *hand) fetch(drain context.Context, name string, t task, n int, patience time.Duration) (some bool) {
	cons, err := h.taker(drain, name)
	if err == nil {
		some, err = h.pull(t, func() (jetstream.MessageBatch, error) { return cons.FetchNoWait(n) })
	}
	if err == nil && !some && patience > 0 {
		some, err = h.pull(t, func() (jetstream.MessageBatch, error) { return cons.Fetch(1, jetstream.FetchMaxWait(patience)) })
	}
	if err != nil {
		delete(h.takers, name)
		pause(drain, tick/5) // the coordinator makes it
	}
	return some
}

// distance is what it costs to go on with a task: nothing, another kind of
// question, or another model.
func (t task) distance(model, of int) int {
	switch {
	case t.Model == model:
		return 0
	case t.Of == of:
		return 1
	}
	return 2
}

func (h *hand) taker(drain context.Context, name string) (jetstream.Consumer, error) {
	if cons := h.takers[name]; cons != nil {
		return cons, nil
	}
	ctx, cancel := context.WithTimeout(drain, callTimeout)
	defer cancel()
	cons, err := h.js.Consumer(ctx, questionStream(h.run), name)
	if err == nil {
		h.takers[name] = cons
	}
	return cons, err
}

func (h *hand) pull(t task, fetch func() (jetstream.MessageBatch, error)) (some bool, err error) {
	batch, err := fetch()
	if err != nil {
		return false, err
	}
	for msg := range batch.Messages() {
		q, err := h.check(msg, t)
		if err != nil {
			h.sayOnce(fmt.Sprintf("a question is refused: %v", err))
			_ = msg.Term()
			continue
		}
		h.add(q)
		some = true
	}
	if err := batch.Error(); !errors.Is(err, jetstream.ErrNoMessages) {
		return some, err
	}
	return some, nil
}

// add takes a question into the hand and keeps it alive.
func (h *hand) add(q taken) {
	h.held.add(q.msg, h.ackWait(h.run))
	h.mu.Lock()
	h.count++
	if q.again() {
		h.again++
	}
	if q.Model != h.model {
		h.model, h.of, h.pace = q.Model, q.task.Of, 0
	}
	h.careful = q.again()
	h.mu.Unlock()
	h.next <- q
}

// check reads a question and refuses what no sound coordinator asks.
func (h *hand) check(msg jetstream.Msg, t task) (q taken, err error) {
	q.msg, q.task = msg, t
	if err := json.Unmarshal(msg.Data(), &q.question); err != nil {
		return q, err
	}
	if err := q.question.check(h.run, t); err != nil {
		return q, err
	}
	meta, err := msg.Metadata()
	if err == nil {
		q.delivery = meta.NumDelivered
	}
	return q, err
}
