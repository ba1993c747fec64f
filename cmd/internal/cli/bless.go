package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/files"
	"github.com/disteval/disteval/reports/gate"
)

// bless writes the expected file from a stored run.
func (a *app) bless(ctx context.Context, run string, o gateOptions) error {
	store, r, err := a.fresh(ctx, run)
	if err != nil {
		return err
	}
	defer store.Close()
	return blessRun(ctx, a.out, a.err, r, o)
}

// blessRun writes the expected file from a run and shows what changed.
func blessRun(ctx context.Context, out, errw io.Writer, r reports.Report, o gateOptions) error {
	existing, err := os.ReadFile(o.Expected)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return eval.BadInput(fmt.Errorf("gate --bless: %w", err), "")
	}
	blessed, changes, err := gate.Bless(ctx, r, existing, gate.BlessOptions{Name: o.Expected,
		Digests: o.BlessDigests, Time: o.BlessTime, Energy: o.BlessEnergy, Right: o.BlessRight})
	var invalid *gate.Error
	switch {
	case errors.As(err, &invalid):
		return eval.BadInput(fmt.Errorf("gate --bless: %w", err), "docs/gate.md describes the file")
	case err != nil:
		return fmt.Errorf("gate --bless: %w", err)
	}
	if bytes.Equal(existing, blessed) {
		_, err = fmt.Fprintf(out, "%s expects this run already; nothing to write\n", o.Expected)
		return err
	}
	err = files.Atomic(o.Expected, func(w io.Writer) error { _, err := w.Write(blessed); return err })
	if err != nil {
		return fmt.Errorf("gate --bless: write %s: %w", o.Expected, err)
	}
	if _, err := io.WriteString(out, inertLines(changes)); err != nil {
		return err
	}
	fmt.Fprintf(errw, "wrote %s from run %s; read the change above before it is committed\n", o.Expected, r.RunID)
	return tellOutside(ctx, errw, r, blessed, o)
}

// tellOutside tells which checks the blessed run does not pass: limits are
// left as people set them.
func tellOutside(ctx context.Context, errw io.Writer, r reports.Report, blessed []byte, o gateOptions) error {
	expected, err := gate.Parse(blessed, o.Expected)
	if err != nil {
		return err
	}
	judgement, err := gate.Check(ctx, r, expected, gate.Options{})
	if err != nil {
		return err
	}
	for _, c := range judgement.Checks {
		if c.Outcome == reports.Regression || c.Outcome == reports.Inconclusive {
			fmt.Fprintf(errw, "still %s: %s\n", c.Outcome, inert(fmt.Sprintf("%s %s expects %s, the run has %s", c.Model, c.Measure, c.Expected, c.Got)))
		}
	}
	return nil
}
