package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

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
	if r.Failure != nil && r.Failure.Retry && q.delivery < MaxDeliveries {
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

func (s *shift) newTurn(m eval.Model, q taken) (*turn, error) {
	gen, err := s.Open(m)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	s.Say(fmt.Sprintf("run %s: %s (%s)", s.run, m.Model, short(m.Digest)))
	return &turn{shift: s, task: q.task, model: m,
		worker: eval.Worker{Generator: gen, Meter: s.Meter(m), Alone: s.Concurrency <= 1, Now: s.Now, Backoff: s.Backoff}}, nil
}

// end sends what is left to say of the turn and unloads the model.
func (t *turn) end(ctx context.Context) {
	t.checkpoint(true)
	if t.loaded && ctx.Err() == nil {
		unload, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_ = t.step(unload, eval.PhaseUnload, 0, t.worker.Generator.Unload) // the answers are all there
	}
}
