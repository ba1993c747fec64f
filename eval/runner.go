package eval

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/disteval/disteval/emissions"
)

// MaxConsecutiveFailures is how many failures in a row stop a model.
const MaxConsecutiveFailures = 5

// checkpointEvery is how often, at the most, a growing answer phase is stored.
const checkpointEvery = 250 * time.Millisecond

// firstWarmup is what a model answers before its first question. A resumed
// run warms up with the question before the first missing one instead:
// servers reuse the common beginning of successive prompts, which can change
// the last bits of the arithmetic, so each question keeps its predecessor.
const firstWarmup = "Hello"

// Observer is told what happens, for people to see. Its methods may be called
// from several goroutines and must not block.
type Observer interface {
	PhaseBegun(model Model, name PhaseName, open, total int)
	WarmupFailed(model Model, err error) // the questions are asked all the same
	ReplyReceived(model Model, job Job, r Reply)
	ModelEnded(model Model, gaveUp string)
}

// Runner asks every question of a plan that has no outcome yet.
type Runner struct {
	Plan     Plan
	Store    Store
	Meter    func(Model) emissions.Meter // started; energy is read from it for this model's phases
	Open     func(Model) (Generator, error)
	Observer Observer
	Process  int // 1 for the first process of the run
	Now      func() time.Time
	Backoff  Backoff
}

// ErrInterrupted means that the run was asked to stop and has stored all that
// it had received.
var ErrInterrupted = errors.New("interrupted")

// Run asks model after model. When drain is done no further question is
// asked, what is in flight is waited for, and the error is ErrInterrupted;
// when ctx is done, what is in flight is given up too. A model that had to be
// given up is recorded and is no error.
func (r *Runner) Run(ctx, drain context.Context) error {
	done, err := r.Store.Done(ctx)
	if err != nil {
		return err
	}
	for _, m := range r.Plan.Models {
		open, before := r.openJobs(m, done)
		if len(open) == 0 {
			continue
		}
		if err := r.runModel(ctx, drain, m, open, before); err != nil {
			return err
		}
		if drain.Err() != nil {
			return ErrInterrupted
		}
	}
	return nil
}

// openJobs lists what m has not answered, and the prompt asked before the
// first of these.
func (r *Runner) openJobs(m Model, done map[JobID]bool) (open []Job, before string) {
	before = firstWarmup
	for _, q := range r.Plan.Queries.Queries {
		id := JobID{Model: m.Name, Query: q.ID}
		switch {
		case !done[id]:
			open = append(open, Job{ID: id, Query: q})
		case len(open) == 0:
			before = q.Prompt
		}
	}
	return open, before
}

func (r *Runner) runModel(ctx, drain context.Context, m Model, open []Job, before string) error {
	t := &turn{Runner: r, model: m, meter: r.Meter(m), total: len(r.Plan.Queries.Queries), open: len(open)}
	gaveUp, err := t.take(ctx, drain, open, before)
	if err != nil && !errors.Is(err, ErrInterrupted) {
		return err
	}
	// A turn cut short does not take back why an earlier one was given up:
	// that turn's failures are still to be asked again.
	if err == nil {
		if err := r.Store.GiveUp(ctx, m.Name, gaveUp); err != nil {
			return err
		}
	}
	r.Observer.ModelEnded(m, gaveUp)
	return errors.Join(err, r.Store.Flush(ctx))
}

// turn is one model's turn in one process.
type turn struct {
	*Runner
	model       Model
	meter       emissions.Meter
	open, total int
}

// take loads, warms up, asks and unloads. gaveUp says why the model had to be
// stopped; err is for what ends the run.
func (t *turn) take(ctx, drain context.Context, open []Job, before string) (gaveUp string, err error) {
	gen, err := t.Open(t.model)
	if err != nil {
		return fmt.Sprintf("open: %v", err), nil
	}
	if gaveUp, err = t.prepare(drain, gen, before); gaveUp != "" || err != nil {
		return gaveUp, err
	}
	gaveUp, err = t.answer(ctx, drain, gen, open)
	if ctx.Err() == nil {
		// After an interrupt as well, but not for long. The answers are all
		// there: a model that stays loaded is for the server to clear.
		unload, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_ = t.phase(unload, PhaseUnload, 0, gen.Unload)
	}
	return gaveUp, err
}

// prepare loads and warms up. It ends with drain: nothing of these is worth
// waiting for once the run shall end. A warm-up that the server answers with a
// failure does not stop the model: in a resumed run its prompt is that of an
// earlier question, which may have failed in the same way.
func (t *turn) prepare(drain context.Context, gen Generator, before string) (gaveUp string, err error) {
	for _, step := range []struct {
		name PhaseName
		do   func(context.Context) error
	}{
		{PhaseLoad, gen.Load},
		{PhaseWarmup, func(ctx context.Context) error { return gen.Warmup(ctx, before) }},
	} {
		if drain.Err() != nil {
			return "", ErrInterrupted
		}
		err := t.phase(drain, step.name, t.Backoff.Retries, step.do)
		var f *Failure
		switch {
		case err == nil:
		case drain.Err() != nil:
			return "", ErrInterrupted
		case step.name == PhaseWarmup && errors.As(err, &f) && !f.Retry:
			t.Observer.WarmupFailed(t.model, err)
		default:
			return fmt.Sprintf("%s: %v", step.name, err), nil
		}
	}
	return "", nil
}

// phase times and meters one step and stores it. A failure that can pass by
// itself is tried again up to retries times, but for a time-out, which has been
// waited for long enough; the time is that of the last try.
func (t *turn) phase(ctx context.Context, name PhaseName, retries int, do func(context.Context) error) error {
	t.Observer.PhaseBegun(t.model, name, t.open, t.total)
	start := t.Now()
	for n := 1; ; n++ {
		err := do(ctx)
		if err == nil {
			break
		}
		f := asFailure(err)
		if !f.Retry || f.Kind == FailTimeout || n > retries || !sleep(ctx, t.Backoff.wait(n, f.After)) {
			return err
		}
		start = t.Now()
	}
	end := t.Now()
	return t.Store.PutPhase(ctx, Phase{Model: t.model.Name, Process: t.Process, Name: name,
		Start: start, End: end, Reading: t.meter.Read(start, end)})
}

// answer asks the open jobs, Plan.Parallel at a time.
func (t *turn) answer(ctx, drain context.Context, gen Generator, open []Job) (gaveUp string, err error) {
	t.Observer.PhaseBegun(t.model, PhaseAnswer, t.open, t.total)
	a := &answering{turn: t, gen: gen, start: t.Now()}
	stop, cancel := context.WithCancel(drain)
	defer cancel()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range max(1, t.Plan.Parallel) {
		workers.Go(func() {
			for stop.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(open) {
					return
				}
				if !a.ask(ctx, stop, open[i]) {
					cancel()
					return
				}
			}
		})
	}
	workers.Wait()
	if !a.end.IsZero() {
		a.checkpoint(ctx, emissions.ReadWhole(a.meter, a.start, a.end))
	}
	switch {
	case a.err != nil:
		return "", a.err
	case a.gaveUp != "":
		return a.gaveUp, nil
	case drain.Err() != nil && int(next.Load()) < len(open), ctx.Err() != nil, a.interrupted:
		return "", ErrInterrupted
	}
	return "", nil
}

// answering is the state that the workers of one answer phase share.
type answering struct {
	*turn
	gen   Generator
	start time.Time

	mu          sync.Mutex
	end         time.Time // of the last answer received
	lastStored  time.Time
	inARow      int // failures
	gaveUp      string
	interrupted bool
	err         error // of the store
}

// ask gets one job's outcome and queues it. It returns false when no further
// question should be asked.
func (a *answering) ask(ctx, drain context.Context, job Job) bool {
	r, err := a.attempt(ctx, drain, job)
	if err != nil {
		a.mu.Lock()
		a.interrupted = true
		a.mu.Unlock()
		return false
	}
	if a.Plan.Parallel <= 1 {
		if e := a.meter.Read(r.Timing.Start, r.Timing.End); e.Quality != emissions.Unavailable {
			r.Energy = &e.Energy
		}
	}
	perr := a.Store.Put(ctx, r)
	a.Observer.ReplyReceived(a.model, job, r)

	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Timing.End.After(a.end) {
		a.end = r.Timing.End
	}
	if perr != nil && a.err == nil {
		a.err = perr
	}
	if a.lastStored.IsZero() || a.end.Sub(a.lastStored) >= checkpointEvery {
		a.lastStored = a.end
		a.checkpoint(ctx, a.meter.Read(a.start, a.end))
	}
	if r.Failure == nil {
		a.inARow = 0
	} else if a.inARow++; a.inARow >= MaxConsecutiveFailures && a.gaveUp == "" {
		a.gaveUp = fmt.Sprintf("%d failures in a row; the last, on %s: %v", a.inARow, job.Query.ID, r.Failure)
	}
	return a.err == nil && a.gaveUp == ""
}

// checkpoint stores the answer phase as far as it has come.
func (a *answering) checkpoint(ctx context.Context, sofar emissions.Reading) {
	err := a.Store.PutPhase(ctx, Phase{Model: a.model.Name, Process: a.Process, Name: PhaseAnswer,
		Start: a.start, End: a.end, Reading: sofar})
	if err != nil && a.err == nil {
		a.err = err
	}
}

// attempt asks until there is an answer, a failure that cannot pass, or no
// attempt left. Its error means interrupted.
func (a *answering) attempt(ctx, drain context.Context, job Job) (Reply, error) {
	for n := 1; ; n++ {
		start := a.Now()
		r, err := a.gen.Generate(ctx, job.Query.Prompt)
		end := a.Now()
		if ctx.Err() != nil && err != nil {
			return Reply{}, ErrInterrupted
		}
		r.Job = job.ID
		r.Timing.Start, r.Timing.End, r.Timing.Attempts = start, end, n
		if err == nil {
			return r, nil
		}
		r.Failure = asFailure(err)
		if !r.Failure.Retry || n > a.Backoff.Retries {
			return r, nil
		}
		if !sleep(drain, a.Backoff.wait(n, r.Failure.After)) {
			return Reply{}, ErrInterrupted
		}
	}
}

func asFailure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Kind: FailGenerator, Message: err.Error()}
}
