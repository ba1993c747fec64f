package cli

import (
	"context"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/eval/session"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/files"
	"github.com/disteval/disteval/reports/gate"
)

// scoreAndReport scores a run as its plan says, judges it where something is
// expected of it, and writes its files. early is what it has come to before
// every question was asked; nil: nothing yet.
func scoreAndReport(ctx context.Context, s *session.Session, store *runstore.Store, expected *gate.Expected, early *reports.Judgement) (reports.Report, error) {
	if err := s.Score(ctx, store); err != nil {
		return reports.Report{}, err
	}
	r, err := files.Build(ctx, store, nil)
	if err != nil {
		return r, err
	}
	switch {
	case early != nil:
		r.Judgement = early
	case expected != nil:
		judgement, err := gate.Check(ctx, r, *expected, gate.Options{})
		if err != nil {
			return r, err
		}
		r.Judgement = &judgement
	}
	_, err = files.Write(ctx, r, slices.Concat(files.Default(), files.Judged()), r.Dir)
	return r, err
}

// report builds the report and writes it in the formats wanted to dir.
func (a *app) report(ctx context.Context, run eval.Run, country *string, formats []files.Format, dir string) (reports.Report, error) {
	r, err := files.Build(ctx, run, country)
	if err != nil {
		return r, err
	}
	_, err = files.Write(ctx, r, formats, dir)
	return r, err
}
