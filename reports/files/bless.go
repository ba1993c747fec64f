package files

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
	"github.com/disteval/disteval/reports/gate"
)

// Blessed is what became of an expected file.
type Blessed struct {
	Changes string          // as a unified diff; empty where the file expects the run already
	Outside []reports.Check // that the run still does not pass: limits stay as people set them
}

// Bless writes the expected file o.Name from a run.
func Bless(ctx context.Context, r reports.Report, o gate.BlessOptions) (Blessed, error) {
	existing, err := os.ReadFile(o.Name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Blessed{}, eval.BadInput(err, "")
	}
	text, changes, err := gate.Bless(ctx, r, existing, o)
	var invalid *gate.Error
	switch {
	case errors.As(err, &invalid):
		return Blessed{}, eval.BadInput(err, "docs/gate.md describes the file")
	case err != nil:
		return Blessed{}, err
	case bytes.Equal(existing, text):
		return Blessed{}, nil
	}
	if err := writing(o.Name, Atomic(o.Name, func(w io.Writer) error { _, err := w.Write(text); return err })); err != nil {
		return Blessed{}, err
	}
	expected, err := gate.Parse(text, o.Name)
	if err != nil {
		return Blessed{}, err
	}
	judgement, err := gate.Check(ctx, r, expected, gate.Options{})
	if err != nil {
		return Blessed{}, fmt.Errorf("judge run %s by what is expected now: %w", r.RunID, err)
	}
	b := Blessed{Changes: changes}
	for _, c := range judgement.Checks {
		if c.Outcome == reports.Regression || c.Outcome == reports.Inconclusive {
			b.Outside = append(b.Outside, c)
		}
	}
	return b, nil
}
