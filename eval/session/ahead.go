package session

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
)

const (
	// aheadQueue is how many stored replies may wait to be scored. With more the
	// scoring has fallen behind, and is left to the end.
	aheadQueue = 4096
	// aheadGap is how many replies may wait for one that stands before them in
	// the plan's order.
	aheadGap = 1024
)

// ahead scores replies once they are stored, while the models still answer. It
// takes those of a model in the plan's order, so that the result is to the last
// digit that of scoring afterwards. It is all or nothing: where anything comes
// between, all replies are scored afterwards.
type ahead struct {
	*runstore.Store

	plan   eval.Plan
	pass   *scoringPass
	queue  chan eval.Reply
	ended  chan struct{}
	failed atomic.Bool

	next    map[string]int            // by model: its first job that is not passed, in the plan's order
	waiting map[eval.JobID]eval.Reply // for the jobs before them
}

// scoreAhead begins to score what store will hold. It returns nil where that is
// for afterwards: docs/decisions/0013 says when.
func (s *Session) scoreAhead(ctx context.Context, store *runstore.Store) (*ahead, error) {
	plan := store.Record().Plan
	here := func(m eval.Model) bool { return !m.Served() }
	if plan.Scoring.Embedding != eval.EmbeddingBuiltin || slices.ContainsFunc(plan.Models, here) {
		return nil, nil
	}
	if begun, err := store.Begun(ctx); begun || err != nil {
		return nil, err
	}
	pass, err := s.beginScoring(ctx, store, plan.Scoring, true)
	if err != nil {
		return nil, err
	}
	a := &ahead{Store: store, plan: plan, pass: pass, queue: make(chan eval.Reply, aheadQueue), ended: make(chan struct{}),
		next: make(map[string]int), waiting: make(map[eval.JobID]eval.Reply)}
	store.Follow(a.take)
	go a.loop(ctx)
	return a, nil
}

// PutPhase stores a phase and ends the scoring where counters measure energy:
// what it takes would be the model's.
func (a *ahead) PutPhase(ctx context.Context, p eval.Phase) error {
	if q := p.Reading.Quality; q == emissions.Measured || q == emissions.Partial {
		a.failed.Store(true)
	}
	return a.Store.PutPhase(ctx, p)
}

// take is told of a reply that is stored.
func (a *ahead) take(r eval.Reply) {
	if a.failed.Load() {
		return
	}
	select {
	case a.queue <- r:
	default:
		a.failed.Store(true)
	}
}

func (a *ahead) loop(ctx context.Context) {
	defer close(a.ended)
	for r := range a.queue {
		if a.failed.Load() {
			continue
		}
		a.waiting[r.JobID] = r
		err := a.pursue(ctx, r.Model)
		if err == nil && len(a.queue) == 0 {
			err = a.pass.flush(ctx)
		}
		if err != nil || len(a.waiting) > aheadGap {
			a.failed.Store(true)
		}
	}
}

// pursue scores a model's replies up to the first that is not there yet.
func (a *ahead) pursue(ctx context.Context, model string) error {
	for samples := max(1, a.plan.Samples); a.next[model] < a.plan.RequestsPerModel(); a.next[model]++ {
		at := a.next[model]
		q := a.plan.Queries.Queries[at/samples]
		id := eval.JobID{Model: model, Query: q.ID, Sample: at % samples}
		r, there := a.waiting[id]
		if !there {
			return nil
		}
		delete(a.waiting, id)
		if err := a.pass.add(ctx, eval.ScoredReply{Reply: r, Query: q}); err != nil {
			return err
		}
	}
	return nil
}

// end waits for the scoring of what is stored. It returns nil where not all of
// it is scored: a reply that waits stands behind one that never came, or is a
// later outcome of a job that was scored.
func (a *ahead) end() *scoringPass {
	a.Follow(nil)
	close(a.queue)
	<-a.ended
	if a.failed.Load() || len(a.waiting) > 0 {
		return nil
	}
	return a.pass
}
