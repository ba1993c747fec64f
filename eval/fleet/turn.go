package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
)

// turn is the time that one model is loaded.
type turn struct {
	*shift
	task   task
	model  eval.Model
	worker eval.Worker
	loaded bool

	identity eval.Identity

	besides sync.Mutex     // one loads the reference, the others wait
	beside  eval.Generator // the reference, loaded to compare with; nil: not yet, or not here
	missing string         // why it is not here

	mu        sync.Mutex
	asked     map[int]asked  // by job: what identity was told of
	name      eval.PhaseName // answering or probing
	from, to  time.Time      // of its first question and last outcome
	reported  time.Time      // the last outcome that a sent phase covers
	inARow    int            // failures
	gaveUp    bool
	sentParts int
}

// asked is a question that has an answer.
type asked struct {
	key   string
	audit bool
	msg   jetstream.Msg // nil once the reply is on its way
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
	t.send(result{Key: key, Model: t.task.Of, Phases: []phase{p}}, nil)
}

// answer asks one question and sends what came of it.
func (t *turn) answer(ctx, drain context.Context, q taken) {
	if q.Probe != nil {
		t.probe(ctx, drain, q)
		return
	}
	r, err := t.worker.Answer(ctx, drain, eval.Job{ID: eval.JobID{Sample: q.Job}, Request: q.Request})
	if err != nil {
		t.back(q, 0)
		return
	}
	t.note(q, r.Failure)
	if r.Failure != nil && r.Failure.Retry && q.delivery < MaxDeliveries {
		t.back(q, tick) // another worker may get an answer
		return
	}
	t.mu.Lock()
	t.asked[q.Job] = asked{q.Key, q.Audit, q.msg}
	t.mu.Unlock()
	if same, _ := t.identity.Take(ctx, &r); !same {
		t.giveUp(t.identity.End(ctx, ""))
	}
}

// put sends a reply, and sends it again when it turns out to be another
// model's. It never fails.
func (t *turn) put(_ context.Context, r eval.Reply) error {
	t.mu.Lock()
	of := t.asked[r.Sample]
	t.asked[r.Sample] = asked{key: of.key, audit: of.audit}
	t.mu.Unlock()
	out := result{Key: of.key, Model: t.task.Of, Job: r.Sample, Audit: of.audit, Reply: &r}
	if of.msg != nil && !of.audit { // an audit's are no part of the phase
		out.Phases = t.progress(r.Timing.Start, r.Timing.End)
	}
	t.send(out, of.msg)
	return nil
}

// note counts failures in a row, and gives the model up after too many; where
// it was probed, it is only probed no further.
func (t *turn) note(q taken, f *eval.Failure) {
	t.mu.Lock()
	if t.inARow++; f == nil {
		t.inARow = 0
	}
	n := t.inARow
	t.mu.Unlock()
	if n < eval.MaxConsecutiveFailures {
		return
	}
	why := fmt.Sprintf("%d failures in a row; the last: %v", n, f)
	if q.Probe == nil {
		t.giveUp(why)
	} else if n == eval.MaxConsecutiveFailures {
		t.retire(t.run, q.Model, t.model.Model+", its probabilities", why)
	}
}

// giveUp answers no more for the model in this run.
func (t *turn) giveUp(why string) {
	t.mu.Lock()
	known := t.gaveUp
	t.gaveUp = true
	t.mu.Unlock()
	if !known {
		t.retire(t.run, t.task.Of, t.model.Model, why)
	}
}

// enter ends the answering or probing so far and begins the other. Nothing is
// in work.
func (t *turn) enter(name eval.PhaseName) {
	t.checkpoint(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.name, t.inARow = name, 0
	t.from, t.to, t.reported = time.Time{}, time.Time{}, time.Time{}
}

// progress takes an outcome into its phase and returns that as far as it has
// come, when that is due.
func (t *turn) progress(start, end time.Time) []phase {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.from.IsZero() {
		t.from = start
	}
	if end.After(t.to) {
		t.to = end
	}
	if !t.reported.IsZero() && t.to.Sub(t.reported) < checkpointEvery {
		return nil
	}
	t.reported = t.to
	return []phase{{Name: t.name, Start: t.from, End: t.to, Reading: t.worker.Meter.Read(t.from, t.to)}}
}

// checkpoint sends the phase where outcomes have come since it was sent;
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
	p := phase{Name: t.name, Start: from, End: to, Reading: read(from, to)}
	t.mu.Unlock()
	t.sendPhase(p)
}

func (s *shift) newTurn(m eval.Model, q taken) (*turn, error) {
	gen, err := s.Open(m)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	s.Say(fmt.Sprintf("run %s: %s (%s)", s.run, m.Model, short(m.Digest)))
	t := &turn{shift: s, task: q.task, model: m, asked: make(map[int]asked),
		worker: eval.Worker{Generator: gen, Meter: s.Meter(m), Alone: s.Concurrency <= 1, Now: s.Now, Backoff: s.Backoff}}
	t.identity = eval.Identity{Worker: &t.worker, Put: t.put}
	return t, nil
}

// end sends what is left to say of the turn, asks for the digest a last time
// and unloads the model.
func (t *turn) end(ctx context.Context) {
	t.checkpoint(true)
	if t.beside != nil {
		_ = t.beside.Unload(ctx) // memory of this process
	}
	if why := t.identity.End(ctx, ""); why != "" {
		t.giveUp(why)
	}
	if t.loaded && ctx.Err() == nil {
		unload, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_ = t.step(unload, eval.PhaseUnload, 0, t.worker.Generator.Unload) // the answers are all there
	}
}
