package fleet

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/disteval/disteval/eval"
)

// shift is a worker's work for one run.
type shift struct {
	*working
	run   string
	hand  *hand
	turn  *turn          // of the model that is loaded; nil: none
	lanes sync.WaitGroup // questions in work
	away  sync.WaitGroup // outcomes on their way
}

func newShift(w *working, run string) *shift {
	return &shift{working: w, run: run, hand: newHand(w, run)}
}

// serve answers until the run has nothing more for this worker.
func (s *shift) serve(ctx, drain context.Context) {
	var fetching sync.WaitGroup
	fetching.Go(func() { s.hand.fill(drain) })
	slots := make(chan struct{}, max(1, s.Concurrency))
	for q := range s.questions() {
		slots <- struct{}{}
		if !s.ready(ctx, drain, q) {
			<-slots
			continue
		}
		t := s.turn
		s.lanes.Go(func() {
			defer func() { <-slots }()
			start := s.Now()
			t.answer(ctx, drain, q)
			s.hand.answered(q, s.Now().Sub(start))
		})
	}
	fetching.Wait()
	s.lanes.Wait()
	s.endTurn(ctx)
	s.away.Wait()
}

// questions yields what the hand takes. While none comes, what is left to say
// of the turn is sent.
func (s *shift) questions() func(yield func(taken) bool) {
	return func(yield func(taken) bool) {
		for {
			select {
			case q, ok := <-s.hand.next:
				if !ok || !yield(q) {
					return
				}
			case <-time.After(patienceIdle):
				if s.turn != nil {
					s.turn.checkpoint(false)
				}
			}
		}
	}
}

// back gives a question back to the queue.
func (s *shift) back(q taken, delay time.Duration) {
	s.held.remove(q.msg)
	_ = q.msg.NakWithDelay(delay) // one that gets lost comes back by itself
}

// ready sees that the question's model is loaded, and no other. A question
// that cannot be asked here is given back.
func (s *shift) ready(ctx, drain context.Context, q taken) bool {
	ok := s.wanted(q) && (s.loaded(q) || s.change(ctx, drain, q))
	if !ok {
		s.back(q, 0)
		s.hand.answered(q, 0)
		return false
	}
	if name := q.phase(); s.turn.name != name {
		s.lanes.Wait()
		s.turn.enter(name)
	}
	return true
}

// wanted reports whether a question that was taken ahead is still to be asked.
func (s *shift) wanted(q taken) bool {
	return slices.ContainsFunc(s.tasks(s.run), func(t task) bool { return t.Model == q.Model })
}

func (s *shift) loaded(q taken) bool { return s.turn != nil && s.turn.task.Of == q.task.Of }

// change ends the turn of another model and begins that of the question's.
func (s *shift) change(ctx, drain context.Context, q taken) bool {
	s.lanes.Wait()
	s.endTurn(ctx)
	if err := s.refresh(drain); err != nil {
		s.retire(s.run, q.Model, short(q.Digest), err.Error())
		return false
	}
	m, err := s.served(q.task)
	if err == nil {
		s.turns++
		s.turn, err = s.newTurn(m, q)
	}
	if err == nil {
		err = s.turn.prepare(drain, q.Before)
	}
	if err == nil {
		return true
	}
	s.endTurn(ctx)
	if drain.Err() == nil {
		s.retire(s.run, q.Model, m.Model, err.Error())
	}
	return false
}

// endTurn unloads the model and sends what is left to say of the turn.
func (s *shift) endTurn(ctx context.Context) {
	t := s.turn
	if t == nil {
		return
	}
	s.turn = nil
	t.end(ctx)
}

// taken is a question in hand.
type taken struct {
	question
	msg      jetstream.Msg
	task     task
	delivery uint64 // to how many workers it was given, this one included
}

// phase is the part of a turn that the question belongs to.
func (q taken) phase() eval.PhaseName {
	if q.Probe != nil {
		return eval.PhaseProbe
	}
	return eval.PhaseAnswer
}

// again reports whether a worker was given the question before.
func (q taken) again() bool { return q.delivery > 1 }
