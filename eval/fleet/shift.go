package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
)

// shift is a worker's work for one run.
type shift struct {
	*working
	run    string
	takers map[string]jetstream.Consumer
	turn   *turn // of the model that is loaded; nil: none
	turns  int
	lanes  sync.WaitGroup // questions in work
	away   sync.WaitGroup // outcomes on their way
}

// taken is a question in hand.
type taken struct {
	question
	msg     jetstream.Msg
	task    task
	ackWait time.Duration
}

// serve answers until the run has nothing more for this worker.
func (s *shift) serve(ctx, drain context.Context) {
	slots := make(chan struct{}, max(1, s.Concurrency))
	for drain.Err() == nil {
		select {
		case slots <- struct{}{}:
		case <-drain.Done():
			continue
		}
		q, ok, over := s.next(drain)
		if over {
			break
		}
		if !ok || !s.ready(ctx, drain, q) {
			<-slots
			continue
		}
		t := s.turn
		s.lanes.Go(func() {
			defer func() { <-slots }()
			t.answer(ctx, drain, q)
		})
	}
	s.lanes.Wait()
	s.endTurn(ctx)
	s.away.Wait()
}

// patienceIdle is how long one look for a question waits for one to come.
const patienceIdle = 500 * time.Millisecond

// next takes a question, of the loaded model before others. over means that
// the run has nothing more.
func (s *shift) next(drain context.Context) (q taken, ok, over bool) {
	tasks := s.tasks(s.run)
	if len(tasks) == 0 {
		return q, false, true
	}
	if s.turn != nil {
		i := slices.IndexFunc(tasks, func(t task) bool { return t.Model == s.turn.task.Model })
		if i > 0 {
			tasks[0], tasks[i] = tasks[i], tasks[0]
		}
	}
	for i, t := range tasks {
		patience := time.Duration(0)
		if i == 0 && s.turn != nil && len(tasks) > 1 {
			patience = patienceIdle // another model costs a load: the last questions of this one may come back
		}
		if q, ok = s.fetch(drain, taker(t.Model), t, patience); ok {
			return q, true, false
		}
		if t.Audit {
			if q, ok = s.fetch(drain, auditTaker(t.Model, s.Name), t, 0); ok {
				return q, true, false
			}
		}
	}
	if s.turn != nil {
		s.turn.checkpoint(false)
	}
	q, ok = s.fetch(drain, taker(tasks[0].Model), tasks[0], patienceIdle)
	return q, ok, false
}

// fetch pulls one question; without patience only one that is there.
func (s *shift) fetch(drain context.Context, name string, t task, patience time.Duration) (q taken, ok bool) {
	cons := s.takers[name]
	if cons == nil {
		ctx, cancel := context.WithTimeout(drain, callTimeout)
		defer cancel()
		var err error
		if cons, err = s.js.Consumer(ctx, questionStream(s.run), name); err != nil {
			pause(drain, tick/5) // the coordinator makes it
			return q, false
		}
		s.takers[name] = cons
	}
	var batch jetstream.MessageBatch
	var err error
	if patience > 0 {
		batch, err = cons.Fetch(1, jetstream.FetchMaxWait(patience))
	} else {
		batch, err = cons.FetchNoWait(1)
	}
	if err == nil {
		for msg := range batch.Messages() {
			if q, ok := s.hold(msg, t); ok {
				return q, true
			}
		}
		err = batch.Error()
	}
	if err != nil && !errors.Is(err, jetstream.ErrNoMessages) {
		delete(s.takers, name)
		pause(drain, tick/5)
	}
	return q, false
}

// hold checks a question and keeps it alive.
func (s *shift) hold(msg jetstream.Msg, t task) (q taken, ok bool) {
	q.msg, q.task = msg, t
	err := json.Unmarshal(msg.Data(), &q.question)
	switch {
	case err == nil && (q.Run != s.run || q.Model != t.Model):
		err = fmt.Errorf("it is of run %s, model %d", q.Run, q.Model)
	case err == nil && q.Digest != t.Digest:
		err = fmt.Errorf("it is for weights %s, not %s", short(q.Digest), short(t.Digest))
	case err == nil && (q.Request.Logprobs < 0 || q.Request.Logprobs > 1000):
		err = fmt.Errorf("it wants %d alternatives", q.Request.Logprobs)
	}
	if err != nil {
		s.sayOnce(fmt.Sprintf("a question is refused: %v", err))
		_ = msg.Term()
		return q, false
	}
	s.mu.Lock()
	if i := slices.IndexFunc(s.standing, func(st standing) bool { return st.Run == s.run }); i >= 0 {
		q.ackWait = s.standing[i].AckWait
	}
	s.mu.Unlock()
	s.held.add(msg, q.ackWait)
	return q, true
}

// back gives a question back to the queue.
func (s *shift) back(q taken, delay time.Duration) {
	s.held.remove(q.msg)
	_ = q.msg.NakWithDelay(delay) // one that gets lost comes back by itself
}

// ready sees that the question's model is loaded, and no other.
func (s *shift) ready(ctx, drain context.Context, q taken) bool {
	if s.turn != nil && s.turn.task.Model == q.Model {
		if s.turn.stopped() {
			s.back(q, 0)
			return false
		}
		return true
	}
	s.lanes.Wait()
	s.endTurn(ctx)
	if err := s.refresh(drain); err != nil {
		s.retire(s.run, q.Model, short(q.Digest), err.Error())
		s.back(q, 0)
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
	s.back(q, 0)
	if s.turn != nil {
		s.endTurn(ctx)
	}
	if drain.Err() == nil {
		s.retire(s.run, q.Model, m.Model, err.Error())
	}
	return false
}

func (s *shift) newTurn(m eval.Model, q taken) (*turn, error) {
	gen, err := s.Open(m)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	s.Say(fmt.Sprintf("run %s: %s (%s)", s.run, m.Model, short(m.Digest)))
	return &turn{shift: s, task: q.task, model: m,
		worker: eval.Worker{Generator: gen, Meter: s.Meter(m), Alone: s.Concurrency <= 1, Now: s.Now, Backoff: s.Backoff}}, nil
}

// endTurn unloads the model and sends what is left to say of the turn.
func (s *shift) endTurn(ctx context.Context) {
	t := s.turn
	if t == nil {
		return
	}
	s.turn = nil
	t.checkpoint(true)
	if t.loaded && ctx.Err() == nil {
		unload, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_ = t.step(unload, eval.PhaseUnload, 0, t.worker.Generator.Unload) // the answers are all there
	}
}

// turn is the time that one model is loaded.
type turn struct {
	*shift
	task   task
	model  eval.Model
	worker eval.Worker
	loaded bool

	mu        sync.Mutex
	from, to  time.Time // of the first question and the last answer
	reported  time.Time // the last answer that a sent phase covers
	inARow    int       // failures
	gaveUp    bool
	sentParts int
}

// checkpointEvery is how often, at the most, the growing answer phase is sent.
const checkpointEvery = 250 * time.Millisecond

// prepare loads and warms up with the question before the first.
func (t *turn) prepare(drain context.Context, before eval.Request) error {
	gen := t.worker.Generator
	if err := t.step(drain, eval.PhaseLoad, t.Backoff.Retries, gen.Load); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	t.loaded = true
	err := t.step(drain, eval.PhaseWarmup, t.Backoff.Retries, func(ctx context.Context) error { return gen.Warmup(ctx, before) })
	var f *eval.Failure
	if errors.As(err, &f) && !f.Retry && drain.Err() == nil {
		t.Say(fmt.Sprintf("%s: the warm-up failed, the questions are still asked: %v", t.model.Model, err))
		return nil
	}
	if err != nil {
		return fmt.Errorf("warm-up: %w", err)
	}
	return nil
}

// step takes one step and sends its time and energy.
func (t *turn) step(ctx context.Context, name eval.PhaseName, retries int, do func(context.Context) error) error {
	start, end, err := t.worker.Step(ctx, retries, do)
	if err == nil {
		t.sendPhase(phase{Name: name, Start: start, End: end, Reading: t.worker.Meter.Read(start, end)})
	}
	return err
}

func (t *turn) sendPhase(p phase) {
	t.sentParts++
	key := fmt.Sprintf("%s-%d-%s-%d", t.instance, t.turns, p.Name, t.sentParts)
	t.send(result{Key: key, Model: t.task.Model, Phases: []phase{p}}, nil)
}

func (t *turn) stopped() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.gaveUp
}

// answer asks one question and sends what came of it.
func (t *turn) answer(ctx, drain context.Context, q taken) {
	r, err := t.worker.Answer(ctx, drain, eval.Job{Request: q.Request})
	if err != nil {
		t.back(q, 0)
		return
	}
	if why := t.note(r); why != "" {
		t.retire(t.run, q.Model, t.model.Model, why)
	}
	if meta, err := q.msg.Metadata(); r.Failure != nil && r.Failure.Retry && err == nil && meta.NumDelivered < MaxDeliveries {
		t.back(q, tick) // another worker may get an answer
		return
	}
	out := result{Key: q.Key, Model: q.Model, Job: q.Job, Audit: q.Audit, Reply: &r}
	if p, due := t.progress(r, q.Audit); due {
		out.Phases = []phase{p}
	}
	t.send(out, q.msg)
}

// note counts failures in a row, and says why the model is given up.
func (t *turn) note(r eval.Reply) (gaveUp string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Failure == nil {
		t.inARow = 0
		return ""
	}
	if t.inARow++; t.inARow < eval.MaxConsecutiveFailures || t.gaveUp {
		return ""
	}
	t.gaveUp = true
	return fmt.Sprintf("%d failures in a row; the last: %v", t.inARow, r.Failure)
}

// progress takes an answer into the answer phase and returns it as far as it
// has come, when that is due. What is asked for an audit is not part of it.
func (t *turn) progress(r eval.Reply, audit bool) (p phase, due bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if audit {
		return phase{}, false
	}
	if t.from.IsZero() {
		t.from = r.Timing.Start
	}
	if r.Timing.End.After(t.to) {
		t.to = r.Timing.End
	}
	if !t.reported.IsZero() && t.to.Sub(t.reported) < checkpointEvery {
		return phase{}, false
	}
	t.reported = t.to
	return phase{Name: eval.PhaseAnswer, Start: t.from, End: t.to, Reading: t.worker.Meter.Read(t.from, t.to)}, true
}

// checkpoint sends the answer phase where answers have come since it was sent;
// whole means that none follows.
func (t *turn) checkpoint(whole bool) {
	t.mu.Lock()
	from, to, due := t.from, t.to, t.to.After(t.reported) || whole && !t.from.IsZero()
	t.reported = t.to
	if !due {
		t.mu.Unlock()
		return
	}
	read := t.worker.Meter.Read
	if whole {
		read = func(from, to time.Time) emissions.Reading { return emissions.ReadWhole(t.worker.Meter, from, to) }
	}
	p := phase{Name: eval.PhaseAnswer, Start: from, End: to, Reading: read(from, to)}
	t.mu.Unlock()
	t.sendPhase(p)
}

// send publishes an outcome until the queue has it, and only then acknowledges
// the question. The worker goes on meanwhile.
func (s *shift) send(r result, question jetstream.Msg) {
	s.outbox <- struct{}{}
	s.away.Go(func() {
		defer func() { <-s.outbox }()
		s.deliver(r, question)
	})
}

func (s *shift) deliver(r result, question jetstream.Msg) {
	if question != nil {
		defer s.held.remove(question)
	}
	if !s.publish(r) || question == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	_ = question.DoubleAck(ctx) // one that is lost makes the question come again, and the second reply is dropped
}

// publish tries until the queue has the message; false where it is of no use
// to anyone any more. An interrupt does not end it, so that no answer is thrown
// away; the second one ends the program.
func (s *shift) publish(r result) bool {
	data, err := encodeResult(r, int(s.nc.MaxPayload())-headroom)
	if err != nil {
		s.sayOnce(fmt.Sprintf("send what came: %v", err))
		return false
	}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		_, err := s.js.Publish(ctx, replySubject(s.run, s.Name), data, jetstream.WithMsgID(r.Key), jetstream.WithExpectStream(replyStream(s.run)))
		cancel()
		silent := s.silence()
		switch {
		case err == nil:
			return true
		case s.nc.IsClosed(), silent > forgetAfter, silent > absentAfter && errors.Is(err, jetstream.ErrNoStreamResponse):
			return false // the run is over, or will ask again
		}
		s.sayOnce(fmt.Sprintf("send what came: %v; trying again", err))
		time.Sleep(tick / 5)
	}
}

// silence is how long nobody has spoken for the run.
func (s *shift) silence() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.standing, func(st standing) bool { return st.Run == s.run })
	if i < 0 {
		return forgetAfter
	}
	return s.Now().Sub(s.standing[i].seen)
}

// forgetAfter is how long a worker keeps a reply for a coordinator that is
// silent, or cut off.
const forgetAfter = 10 * time.Minute
