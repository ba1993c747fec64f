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
	if expected == nil || early != nil {
		r, err := Build(ctx, run, nil)
		if early != nil {
			r.Judgement = early
		}
		return r, err
	}
	look := gate.NewLook(run.Record(), *expected)
	r, err := build(ctx, run, nil, look.Take)
	if err != nil {
		return r, err
	}
	judgement, err := look.Check(ctx, r, gate.Options{})
	if err != nil {
		return r, err
	}
	r.Judgement = &judgement
	return r, nil
}

// WriteAll writes the files of a run's folder.
func WriteAll(ctx context.Context, r reports.Report) error {
	_, err := Write(ctx, r, slices.Concat(Default(), Judged()), r.Dir)
	return err
}

// Current builds the report of a stored run with the scores that its replies
// give, whatever scores are stored, and says of how many others are stored.
// country is Build's; each is told of every outcome on the way, nil: nobody is.
func Current(ctx context.Context, stored eval.Run, country *string, each func(eval.ScoredReply)) (reports.Report, scoring.Changed, error) {
	run := scoring.NewCurrent(stored)
	r, err := build(ctx, run, country, each)
	return r, run.Changed(), err
}
