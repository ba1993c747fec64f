package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/files"
)

// withRun opens a stored run, to read it, for as long as do takes.
func withRun(ctx context.Context, dir string, do func(*runstore.Store) error) error {
	store, err := runstore.Read(ctx, dir)
	if err != nil {
		return err
	}
	return errors.Join(do(store), store.Close())
}

// withReport is withRun with the report of the run by its replies.
func (a *app) withReport(ctx context.Context, dir string, do func(reports.Report) error) error {
	return withRun(ctx, dir, func(store *runstore.Store) error {
		r, err := a.current(ctx, store, nil, nil)
		if err != nil {
			return err
		}
		return do(r)
	})
}

// current builds the report of a run by its replies, and says where other
// scores are stored than they give. each is told of every outcome on the way.
func (a *app) current(ctx context.Context, run eval.Run, country *string, each func(eval.ScoredReply)) (reports.Report, error) {
	a.memory.Hold(run.Record())
	r, changed, err := files.Current(ctx, run, country, each)
	if err == nil && changed.N > 0 {
		dir := inert(run.Record().Dir)
		fmt.Fprintf(a.err, "disteval: %s: replies with other scores than are stored: %d, the first %s; the figures go by the replies, and disteval score %s stores their scores\n",
			dir, changed.N, inert(changed.First.String()), dir)
	}
	return r, err
}
