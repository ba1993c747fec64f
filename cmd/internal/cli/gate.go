package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/junit"
	"github.com/disteval/disteval/reports/text"
)

func newGateCmd(a *app) *cobra.Command {
	var o gateOptions
	var baseline string
	cmd := &cobra.Command{
		Use:   "gate RUN --expected FILE",
		Short: "Judge a run against fixed expected scores",
		Long: `Checks a stored run against the expected file and says of each check: pass,
regression, improved or inconclusive. What is missing, failed or of another kind
is inconclusive and never passes.

Exit codes: 0 passed; 1 no verdict, since the record cannot be read; 2 wrong usage or
a file that is not valid; 3 regression; 4 it could not tell, which outranks 3.`,
		Example: `  disteval gate runs/20260102-150405-1a2b3c --expected expected.yaml
  disteval gate runs/new --expected expected.yaml --paired runs/old
  disteval gate runs/20260102-150405-1a2b3c --expected expected.yaml --bless`,
		Args: exactArgs("RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(baseline); err != nil {
				return err
			}
			return a.gate(cmd.Context(), args[0], baseline, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Expected, "expected", "", "the expected file")
	f.StringVar(&baseline, "paired", "", "compare query by query with this earlier run, too")
	f.BoolVar(&o.AnyHost, "any-host", false, "judge times and energies of another machine, too")
	f.BoolVar(&o.Bless, "bless", false, "write the expected file from this run instead")
	f.BoolVar(&o.BlessDigests, "bless-digests", false, "with --bless: bind to the models' digests")
	f.BoolVar(&o.BlessTime, "bless-time", false, "with --bless: expect durations and tokens per second")
	f.BoolVar(&o.BlessEnergy, "bless-energy", false, "with --bless: expect energy")
	f.BoolVar(&o.BlessRight, "bless-right", false, "with --bless: expect what is right now to stay right")
	return cmd
}

// gate judges a stored run and ends with the verdict's exit code.
func (a *app) gate(ctx context.Context, run, baseline string, o gateOptions) error {
	store, err := runstore.Read(ctx, run)
	if err != nil {
		return err
	}
	defer store.Close()
	r, err := a.judged(ctx, store)
	if err != nil {
		return err
	}
	if baseline != "" {
		if samePlace(r.Dir, baseline) {
			return eval.BadInput(fmt.Errorf("gate: --paired %s is the run itself", baseline), "name an earlier run to compare with")
		}
		base, err := runstore.Read(ctx, baseline)
		if err != nil {
			return err
		}
		defer base.Close()
		b, err := a.judged(ctx, base)
		if err != nil {
			return err
		}
		o.Paired = &b
	}
	o.Color = a.color(a.out)
	code, verdict, err := gateReport(ctx, a.out, a.err, r, o.onGitHub(os.Getenv))
	if err != nil {
		return err
	}
	if verdict != nil {
		a.writeVerdict(ctx, r, verdict)
	}
	if code != exitDone {
		return exitError(code)
	}
	return nil
}

// judged builds the report that a verdict is made from: with the scores that
// the stored replies give, whatever scores are stored.
func (a *app) judged(ctx context.Context, store *runstore.Store) (reports.Report, error) {
	run, changed, err := scoring.Current(ctx, store)
	if err != nil {
		return reports.Report{}, err
	}
	dir := store.Record().Dir
	if len(changed) > 0 {
		fmt.Fprintf(a.err, "disteval: %s: replies with other scores than are stored: %d, the first %s; the gate goes by the replies, and disteval score %s stores their scores\n",
			inert(dir), len(changed), inert(changed[0].String()), inert(dir))
	}
	return a.report(ctx, run, nil, nil, dir)
}

// samePlace tells whether two paths lead to one folder.
func samePlace(a, b string) bool {
	x, errx := os.Stat(a)
	y, erry := os.Stat(b)
	return errx == nil && erry == nil && os.SameFile(x, y)
}

// writeVerdict puts the verdict into the run's summary.md and junit.xml. The
// verdict stands without them, so that a folder that cannot be written is
// told and nothing more.
func (a *app) writeVerdict(ctx context.Context, r reports.Report, v *reports.Verdict) {
	err := errors.Join(
		writeAtomic(filepath.Join(r.Dir, "summary.md"), func(w io.Writer) error { return text.WriteMarkdown(w, r, v) }),
		writeAtomic(filepath.Join(r.Dir, "junit.xml"), func(w io.Writer) error { return junit.Write(ctx, w, r, v) }))
	if err != nil {
		fmt.Fprintf(a.err, "disteval: write the verdict beside the run: %s\n", inertLines(err.Error()))
	}
}
