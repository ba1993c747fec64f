package files

import (
	"context"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/gate"
)

// Conclude reports a run that was asked and scored, and judges it where something
// is expected of it. early is what it has come to before every question was
// asked; nil: nothing yet.
func Conclude(ctx context.Context, run eval.Run, expected *gate.Expected, early *reports.Judgement) (reports.Report, error) {
	r, err := Build(ctx, run, nil)
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
	return r, nil
}

// WriteAll writes the files of a run's folder.
func WriteAll(ctx context.Context, r reports.Report) error {
	_, err := Write(ctx, r, slices.Concat(Default(), Judged()), r.Dir)
	return err
}

// Current builds the report of a stored run with the scores that its replies
// give, whatever scores are stored, and says of how many others are stored.
// country is Build's.
func Current(ctx context.Context, stored eval.Run, country *string) (reports.Report, scoring.Changed, error) {
	run := scoring.NewCurrent(stored)
	r, err := Build(ctx, run, country)
	return r, run.Changed(), err
}
