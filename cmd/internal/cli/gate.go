package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/ci"
	"github.com/disteval/disteval/reports/files"
	"github.com/disteval/disteval/reports/gate"
	"github.com/disteval/disteval/reports/text"
)

// gateOptions say what a run is judged by, or what is written from it.
type gateOptions struct {
	Expected string // path of the expected file
	Paired   string // folder of an earlier run to compare with query by query; empty: none
	AnyHost  bool   // judge times and energies of another machine too

	Bless        bool // write Expected from the run instead
	BlessDigests bool
	BlessTime    bool
	BlessEnergy  bool
	BlessRight   bool
}

func newGateCmd(a *app) *cobra.Command {
	var o gateOptions
	cmd := &cobra.Command{
		Use:   "gate RUN --expected FILE",
		Short: "Judge a run against fixed expected scores",
		Long: `Checks a stored run against the expected file and says of each check: pass,
regression, improved or inconclusive. What is missing, failed or of another kind
is inconclusive and never passes.

Exit codes: 0 passed; 1 not judged, since the record cannot be read; 2 wrong usage or
a file that is not valid; 3 regression; 4 it could not tell, which outranks 3.`,
		Example: `  disteval gate runs/20260102-150405-1a2b3c --expected expected.yaml
  disteval gate runs/new --expected expected.yaml --paired runs/old
  disteval gate runs/20260102-150405-1a2b3c --expected expected.yaml --bless`,
		Args: exactArgs("RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			if o.Bless {
				return a.withReport(cmd.Context(), args[0], func(r reports.Report) error { return a.bless(cmd.Context(), r, o) })
			}
			return a.gate(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Expected, "expected", "", "the expected file")
	f.StringVar(&o.Paired, "paired", "", "compare query by query with this earlier run, too")
	f.BoolVar(&o.AnyHost, "any-host", false, "judge times and energies of another machine, too")
	f.BoolVar(&o.Bless, "bless", false, "write the expected file from this run instead")
	f.BoolVar(&o.BlessDigests, "bless-digests", false, "with --bless: bind to the models' digests")
	f.BoolVar(&o.BlessTime, "bless-time", false, "with --bless: expect durations and tokens per second")
	f.BoolVar(&o.BlessEnergy, "bless-energy", false, "with --bless: expect energy")
	f.BoolVar(&o.BlessRight, "bless-right", false, "with --bless: expect what is right now to stay right")
	return cmd
}

// check refuses flags that would do nothing.
func (o gateOptions) check() error {
	switch {
	case o.Expected == "":
		return eval.BadInput(errors.New("gate: --expected is missing"), "disteval gate RUN --expected expected.yaml")
	case !o.Bless && (o.BlessDigests || o.BlessTime || o.BlessEnergy || o.BlessRight):
		return eval.BadInput(errors.New("gate: --bless-digests, --bless-time, --bless-energy and --bless-right say what --bless writes"), "add --bless")
	case o.Bless && (o.Paired != "" || o.AnyHost):
		return eval.BadInput(errors.New("gate: --bless judges nothing, so that --paired and --any-host say nothing"), "judge first, then bless")
	}
	return nil
}

// gate judges a stored run and ends with the judgement's exit code.
func (a *app) gate(ctx context.Context, dir string, o gateOptions) error {
	expected, err := loadExpected(o.Expected)
	if err != nil {
		return err
	}
	return withRun(ctx, dir, func(store *runstore.Store) error {
		look := gate.NewLook(store.Record(), expected)
		r, err := a.current(ctx, store, nil, look.Take)
		if err != nil {
			return err
		}
		if o.Paired == "" {
			return a.judge(ctx, r, look, gate.Options{AnyHost: o.AnyHost})
		}
		return a.withReport(ctx, o.Paired, func(base reports.Report) error {
			if r.Same(base) {
				return eval.BadInput(fmt.Errorf("gate: --paired %s is the run itself", o.Paired), "name an earlier run to compare with")
			}
			return a.judge(ctx, r, look, gate.Options{AnyHost: o.AnyHost, Baseline: &base})
		})
	})
}

func (a *app) judge(ctx context.Context, r reports.Report, look *gate.Look, o gate.Options) error {
	judgement, err := look.Check(ctx, r, o)
	if err != nil {
		return err
	}
	r.Judgement = &judgement
	// The judgement holds without its files, so that a folder that cannot be
	// written is told and nothing more.
	if _, err := files.Write(ctx, r, files.Judged(), r.Dir); err != nil {
		fmt.Fprintf(a.err, "disteval: keep the judgement beside the run: %s\n", reports.Lines(err.Error()))
	}
	return a.printJudgement(r)
}

// bless writes the expected file from a run and shows what changed.
func (a *app) bless(ctx context.Context, r reports.Report, o gateOptions) error {
	b, err := files.Bless(ctx, r, gate.BlessOptions{Name: o.Expected, Digests: o.BlessDigests, Time: o.BlessTime, Energy: o.BlessEnergy, Right: o.BlessRight})
	switch {
	case err != nil:
		return fmt.Errorf("gate --bless: %w", err)
	case b.Changes == "":
		_, err = fmt.Fprintf(a.out, "%s expects this run already; nothing to write\n", o.Expected)
		return err
	}
	if _, err := io.WriteString(a.out, reports.Lines(b.Changes)); err != nil {
		return err
	}
	fmt.Fprintf(a.err, "wrote %s from run %s; read the change above before it is committed\n", o.Expected, r.RunID)
	for _, c := range b.Outside {
		fmt.Fprintf(a.err, "still %s: %s\n", c.Outcome, inert(fmt.Sprintf("%s %s expects %s, the run has %s", c.Model, c.Measure, c.Expected, c.Got)))
	}
	return nil
}

func loadExpected(path string) (gate.Expected, error) {
	expected, err := gate.Load(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return expected, eval.BadInput(fmt.Errorf("gate: %w", err), "make it from a run that you trust: disteval gate RUN --expected "+path+" --bless")
	case err != nil:
		return expected, eval.BadInput(fmt.Errorf("gate: %w", err), "docs/gate.md describes the file")
	}
	return expected, nil
}

// printJudgement prints a report's judgement, on GitHub with annotations and
// the step's summary, and ends with its exit code.
func (a *app) printJudgement(r reports.Report) error {
	if err := text.WriteJudgement(a.out, *r.Judgement, a.color(a.out)); err != nil {
		return err
	}
	if os.Getenv("GITHUB_ACTIONS") != "" {
		if err := text.WriteAnnotations(a.out, *r.Judgement); err != nil {
			return err
		}
		// The judgement holds without the summary.
		summary := func(room int) string { return text.Summary(r, room) }
		if err := ci.AppendSummary(os.Getenv("GITHUB_STEP_SUMMARY"), summary); err != nil {
			fmt.Fprintf(a.err, "disteval: %s\n", reports.Lines(err.Error()))
		}
	}
	if code := codeOfJudgement(*r.Judgement); code != exitDone {
		return exitError(code)
	}
	return nil
}
