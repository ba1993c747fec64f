package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/queries"
)

// checkpointEvery is how often, at the most, a growing answer phase is stored.
const checkpointEvery = 250 * time.Millisecond

// FirstWarmup is what a model answers before its first question. A resumed
// run warms up with the question before the first missing one instead:
// servers reuse the common beginning of successive prompts, which can change
// the last bits of the arithmetic, so each question keeps its predecessor.
var FirstWarmup = Request{Prompt: "Hello"}

// Observer is told what happens, for people to see. Its methods may be called
// from several goroutines and must not block.
type Observer interface {
	PhaseBegun(model Model, name PhaseName, open, total int)
	WarmupFailed(model Model, err error) // the questions are asked all the same
	ReplyReceived(model Model, r Reply)
	ProbeReceived(model Model, p Probe)
	ModelEnded(model Model, gaveUp string)
}

// Runner asks every question of a plan that has no outcome yet: it opens and
// closes each model, gives its Schedule to as many Workers as the plan allows,
// and stores what they bring.
type Runner struct {
	Plan     Plan
	Store    Store
	Meter    func(Model) emissions.Meter // started; energy is read from it for this model's phases
	Open     func(Model) (Generator, error)
	Observer Observer
	Process  int // 1 for the first process of the run
	Now      func() time.Time
	Backoff  Backoff
	Metered  time.Time // since when the meters run: the power of a first model goes back to it

	reference Generator // the reference's once it has answered in this process
}

// ErrInterrupted means that the run was asked to stop and has stored all that
// it had received.
var ErrInterrupted = errors.New("interrupted")

// Run asks model after model, and models of different hosts side by side. When
// drain is done no further question is
// asked, what is in flight is waited for, and the error is ErrInterrupted;
// when ctx is done, what is in flight is given up too. A model that had to be
// given up is recorded and is no error.
func (r *Runner) Run(ctx, drain context.Context) error {
	done, err := r.Store.Done(ctx)
	if err != nil {
		return err
	}
	probed, err := r.Store.Probed(ctx)
	if err != nil {
		return err
	}
	since := r.Metered
	for _, stage := range r.Plan.Stages() {
		if err := r.runStage(ctx, drain, stage, since, done, probed); err != nil {
			return err
		}
		since = r.Now()
	}
	return nil
}

// runStage works through the queues of a stage side by side. The first error
// drains the others.
func (r *Runner) runStage(ctx, drain context.Context, queues [][]Model, since time.Time, done map[JobID]bool, probed map[ProbeID]bool) error {
	group, stop := errgroup.WithContext(drain)
	for _, queue := range queues {
		group.Go(func() error { return r.runQueue(ctx, stop, queue, since, done, probed) })
	}
	return group.Wait()
}

// runQueue asks model after model.
func (r *Runner) runQueue(ctx, drain context.Context, queue []Model, since time.Time, done map[JobID]bool, probed map[ProbeID]bool) error {
	for _, m := range queue {
		open, before := r.openJobs(m, done)
		probes, err := r.Plan.OpenProbes(m, probed, func(id JobID) (bool, error) {
			_, answered, err := r.Store.Tokens(ctx, id)
			return answered, err
		})
		if err != nil {
			return err
		}
		if len(open) == 0 && len(probes) == 0 {
			// Nothing is left to ask, so what may have stopped it has passed.
			if err := r.Store.GiveUp(ctx, m.Name, ""); err != nil {
				return err
			}
			continue
		}
		if err := r.runModel(ctx, drain, m, since, open, before, probes); err != nil {
			return err
		}
		since = r.Now()
		if drain.Err() != nil {
			return ErrInterrupted
		}
	}
	return nil
}

// openJobs lists what m has not answered, and the request before the first of
// these.
func (r *Runner) openJobs(m Model, done map[JobID]bool) (open []Job, before Request) {
	jobs := r.Plan.Jobs(m)
	first := slices.IndexFunc(jobs, func(job Job) bool { return !done[job.ID] })
	if first < 0 {
		first = len(jobs)
	}
	if before = FirstWarmup; first > 0 {
		before = jobs[first-1].Request
	}
	return slices.DeleteFunc(jobs, func(job Job) bool { return done[job.ID] }), before
}

func (r *Runner) runModel(ctx, drain context.Context, m Model, since time.Time, open []Job, before Request, probes []queries.Query) error {
	if since.IsZero() {
		since = r.Now()
	}
	meter := r.Meter(m)
	t := &turn{Runner: r, model: m, total: r.Plan.RequestsPerModel(), open: len(open),
		power:  powerLog{Runner: r, model: m.Name, meter: meter, cuts: []time.Time{since}},
		worker: Worker{Meter: meter, Alone: r.Plan.Parallel <= 1, Now: r.Now, Backoff: r.Backoff}}
	gaveUp, err := t.take(ctx, drain, open, before, probes)
	if ctx.Err() == nil {
		err = errors.Join(err, t.power.store(ctx, r.Now()))
	}
	if err != nil && !errors.Is(err, ErrInterrupted) {
		return err
	}
	// A turn cut short does not take back why an earlier one was given up:
	// that turn's failures are still to be asked again.
	if err == nil || gaveUp != "" {
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
	worker      Worker
	power       powerLog
	open, total int
}

// take loads, warms up, asks, probes and unloads. gaveUp says why the model had to be
// stopped; err is for what ends the run.
func (t *turn) take(ctx, drain context.Context, open []Job, before Request, probes []queries.Query) (gaveUp string, err error) {
	if t.worker.Generator, err = t.Open(t.model); err != nil {
		return fmt.Sprintf("open: %v", err), nil
	}
	if t.Plan.KeptTokens(t.model) > 0 {
		t.reference = t.worker.Generator
	}
	if gaveUp, err = t.prepare(drain, before); gaveUp != "" || err != nil {
		return gaveUp, err
	}
	if len(open) > 0 {
		gaveUp, err = t.answer(ctx, drain, NewSchedule(open))
	}
	if gaveUp == "" && err == nil {
		err = t.probe(ctx, drain, probes)
	}
	if ctx.Err() == nil {
		// After an interrupt as well, but not for long. The answers are all
		// there: a model that stays loaded is for the server to clear.
		unload, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_ = t.phase(unload, PhaseUnload, 0, t.worker.Generator.Unload)
	}
	return gaveUp, err
}

// prepare loads and warms up. It ends with drain: nothing of these is worth
// waiting for once the run shall end. A warm-up that the server answers with a
// failure does not stop the model: in a resumed run its prompt is that of an
// earlier question, which may have failed in the same way.
func (t *turn) prepare(drain context.Context, before Request) (gaveUp string, err error) {
	gen := t.worker.Generator
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

// phase takes one step and stores its time and energy.
func (t *turn) phase(ctx context.Context, name PhaseName, retries int, do func(context.Context) error) error {
	t.Observer.PhaseBegun(t.model, name, t.open, t.total)
	start, end, err := t.worker.Step(ctx, retries, do)
	if err != nil {
		return err
	}
	t.power.phase(start, end)
	return t.Store.PutPhase(ctx, Phase{Model: t.model.Name, Process: t.Process, Name: name,
		Start: start, End: end, Reading: t.worker.Meter.Read(start, end)})
}

// answer works through the schedule, Plan.Parallel questions at a time.
func (t *turn) answer(ctx, drain context.Context, s *Schedule) (gaveUp string, err error) {
	t.Observer.PhaseBegun(t.model, PhaseAnswer, t.open, t.total)
	a := &answering{turn: t, schedule: s, start: t.Now(), identity: Identity{Worker: &t.worker, Put: t.Store.Put}}
	stop, cancel := context.WithCancel(drain)
	defer cancel()
	var workers sync.WaitGroup
	for range max(1, t.Plan.Parallel) {
		workers.Go(func() {
			if !a.work(ctx, stop) {
				cancel()
			}
		})
	}
	workers.Wait()
	if !a.end.IsZero() {
		a.checkpoint(ctx, emissions.ReadWhole(t.worker.Meter, a.start, a.end))
		t.power.phase(a.start, a.end)
	}
	gaveUp = a.identity.End(ctx, s.GaveUp())
	switch {
	case a.err != nil:
		return "", a.err
	case gaveUp != "":
		return gaveUp, nil
	case a.interrupted, s.Left() > 0, ctx.Err() != nil:
		return "", ErrInterrupted
	}
	return "", nil
}

// answering is the state that the workers of one answer phase share.
type answering struct {
	*turn
	schedule *Schedule
	start    time.Time
	identity Identity

	mu          sync.Mutex
	end         time.Time // of the last answer received
	lastStored  time.Time
	interrupted bool
	err         error // of the store
}

// work asks one job after another until none is left or stop is done. It
// returns false when nobody should ask any further.
func (a *answering) work(ctx, stop context.Context) bool {
	for stop.Err() == nil {
		job, ok := a.schedule.Next()
		if !ok {
			return true
		}
		r, err := a.worker.Answer(ctx, stop, job)
		if err != nil {
			a.mu.Lock()
			a.interrupted = true
			a.mu.Unlock()
			return false
		}
		if !a.received(ctx, r) {
			return false
		}
	}
	return true
}

// received queues one job's outcome. It returns false when no further question
// should be asked.
func (a *answering) received(ctx context.Context, r Reply) bool {
	r.Tokens = r.Tokens[:min(len(r.Tokens), a.Plan.KeptTokens(a.model))]
	same, err := a.identity.Take(ctx, &r)
	a.Observer.ReplyReceived(a.model, r)
	a.schedule.Note(r)

	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Timing.End.After(a.end) {
		a.end = r.Timing.End
	}
	if err != nil && a.err == nil {
		a.err = err
	}
	if a.lastStored.IsZero() || a.end.Sub(a.lastStored) >= checkpointEvery {
		a.lastStored = a.end
		a.checkpoint(ctx, a.worker.Meter.Read(a.start, a.end))
		if err := a.power.growing(ctx, a.start, a.end); err != nil && a.err == nil {
			a.err = err
		}
	}
	return a.err == nil && same && a.schedule.GaveUp() == ""
}

// checkpoint stores the answer phase as far as it has come.
func (a *answering) checkpoint(ctx context.Context, sofar emissions.Reading) {
	err := a.Store.PutPhase(ctx, Phase{Model: a.model.Name, Process: a.Process, Name: PhaseAnswer,
		Start: a.start, End: a.end, Reading: sofar})
	if err != nil && a.err == nil {
		a.err = err
	}
}
