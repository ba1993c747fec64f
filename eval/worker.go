package eval

import (
	"context"
	"errors"
	"time"

	"github.com/disteval/disteval/emissions"
)

// Worker gets answers from one model: one generator, one meter, one job after
// another. It knows neither the plan nor the store, so it can just as well run
// beside a model server on another machine.
type Worker struct {
	Generator Generator
	Meter     emissions.Meter // started
	Alone     bool            // no other request is in flight, so the machine's energy while it answers is the reply's own
	Now       func() time.Time
	Backoff   Backoff
}

// Step is one timed and metered step of a turn, such as loading. A failure
// that can pass by itself is tried again up to retries times, except for a
// time-out, which has been waited for long enough. The times are those of the
// last try.
func (w *Worker) Step(ctx context.Context, retries int, do func(context.Context) error) (start, end time.Time, err error) {
	for n := 1; ; n++ {
		start = w.Now()
		if err = do(ctx); err == nil {
			return start, w.Now(), nil
		}
		f := asFailure(err)
		if !f.Retry || f.Kind == FailTimeout || n > retries || !sleep(ctx, w.Backoff.wait(n, f.After)) {
			return start, w.Now(), err
		}
	}
}

// Answer asks until there is an answer, a failure that cannot pass, or no
// attempt left. Its error means interrupted: ctx gives up what is in flight,
// drain only the wait before another attempt.
func (w *Worker) Answer(ctx, drain context.Context, job Job) (Reply, error) {
	for n := 1; ; n++ {
		start := w.Now()
		r, err := w.Generator.Generate(ctx, job.Request)
		end := w.Now()
		if ctx.Err() != nil && err != nil {
			return Reply{}, ErrInterrupted
		}
		r.JobID = job.ID
		r.Timing.Start, r.Timing.End, r.Timing.Attempts = start, end, n
		if err != nil {
			r.Failure = asFailure(err)
		}
		if err == nil || !r.Failure.Retry || n > w.Backoff.Retries {
			w.meter(&r)
			return r, nil
		}
		if !sleep(drain, w.Backoff.wait(n, r.Failure.After)) {
			return Reply{}, ErrInterrupted
		}
	}
}

// Probe looks at the texts of a request as Answer asks a question. What is said
// of them stands in the outcome under the names of the forms and candidates.
func (w *Worker) Probe(ctx, drain context.Context, r ProbeRequest, forms, candidates []string) (out Probe, err error) {
	prober, ok := w.Generator.(Prober)
	for n := 1; ; n++ {
		out.Start = w.Now()
		reply, err := ProbeReply{}, error(&Failure{Kind: FailGenerator, Message: "it gives no probabilities of texts"})
		if ok {
			reply, err = prober.Probe(ctx, r)
		}
		out.End = w.Now()
		if err == nil {
			out.Fill(reply, forms, candidates)
			return out, nil
		}
		if ctx.Err() != nil {
			return out, ErrInterrupted
		}
		out.Failure = asFailure(err)
		if !out.Failure.Retry || n > w.Backoff.Retries {
			return out, nil
		}
		if !sleep(drain, w.Backoff.wait(n, out.Failure.After)) {
			return out, ErrInterrupted
		}
	}
}

func (w *Worker) meter(r *Reply) {
	if !w.Alone {
		return
	}
	if e := w.Meter.Read(r.Timing.Start, r.Timing.End); e.Quality != emissions.Unavailable {
		r.Energy = &e.Energy
	}
}

func asFailure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Kind: FailGenerator, Message: err.Error()}
}
