package eval

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// confirmEvery is how many answers, at the most, hang on one confirmation.
	confirmEvery = 1000
	// reloading is how long a server that says it loaded the model for an
	// answer must have taken: one that has it in memory says some milliseconds.
	reloading = 250 * time.Millisecond
	// confirmWithin is how long the end of a turn may take to confirm.
	confirmWithin = time.Minute
)

// Identity watches that a model stays the one that the plan names: its digest
// is asked again after the last answer, after each that the model was loaded or
// the server connected to anew for, and every confirmEvery answers. Where it is
// another, every answer since the last confirmation may be the other's: they
// become failures, which are put again, and the model is given up.
type Identity struct {
	Worker *Worker
	Put    func(context.Context, Reply) error

	mu       sync.Mutex
	since    []Reply // answers since the last confirmation
	replaced error   // nil while it is the same
}

// Take puts r. It returns false where the model is no longer the same.
func (i *Identity) Take(ctx context.Context, r *Reply) (same bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.disown(r)
	if err := i.Put(ctx, *r); err != nil {
		return i.replaced == nil, err
	}
	if r.Failure == nil {
		i.since = append(i.since, *r)
	}
	if r.Failure == nil && (r.Timing.Attempts > 1 || r.Timing.Load >= reloading || len(i.since) >= confirmEvery) {
		_ = i.confirm(ctx) // what cannot be asked now is asked at the end
	}
	return i.replaced == nil, nil
}

// End confirms after the last answer. It returns why the model must be given
// up: gaveUp, unless it was replaced, which explains more.
func (i *Identity) End(ctx context.Context, gaveUp string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.since) > 0 && ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(ctx, confirmWithin)
		defer cancel()
		if err := i.confirm(ctx); err != nil && i.replaced == nil && gaveUp == "" {
			return fmt.Sprintf("its digest could not be asked again after the last answer: %v", err)
		}
	}
	if i.replaced != nil {
		return i.replaced.Error()
	}
	return gaveUp
}

// confirm asks for the digest. It is called with mu held.
func (i *Identity) confirm(ctx context.Context) error {
	v, ok := i.Worker.Generator.(Verifier)
	if !ok {
		i.since = i.since[:0]
		return nil
	}
	_, _, err := i.Worker.Step(ctx, i.Worker.Backoff.Retries, v.Verify)
	if err == nil {
		i.since = i.since[:0]
		return nil
	}
	var replaced *ReplacedError
	if !errors.As(err, &replaced) {
		return err
	}
	i.replaced = replaced
	for k := range i.since {
		i.disown(&i.since[k])
		if err := i.Put(ctx, i.since[k]); err != nil {
			return err
		}
	}
	i.since = nil
	return replaced
}

// disown makes a failure of an answer that may be another model's.
func (i *Identity) disown(r *Reply) {
	if i.replaced != nil && r.Failure == nil {
		r.Failure = &Failure{Kind: FailReplaced, Message: i.replaced.Error()}
	}
}
