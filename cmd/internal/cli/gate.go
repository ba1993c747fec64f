package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/reports"
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
				return a.bless(cmd.Context(), args[0], o)
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
func (a *app) gate(ctx context.Context, run string, o gateOptions) error {
	expected, err := loadExpected(o.Expected)
	if err != nil {
		return err
	}
	store, r, err := a.fresh(ctx, run)
	if err != nil {
		return err
	}
	defer store.Close()
	options := gate.Options{AnyHost: o.AnyHost}
	if o.Paired != "" {
		if samePlace(r.Dir, o.Paired) {
			return eval.BadInput(fmt.Errorf("gate: --paired %s is the run itself", o.Paired), "name an earlier run to compare with")
		}
		base, b, err := a.fresh(ctx, o.Paired)
		if err != nil {
			return err
		}
		defer base.Close()
		options.Baseline = &b
	}
	judgement, err := gate.Check(ctx, r, expected, options)
	if err != nil {
		return err
	}
	r.Judgement = &judgement
	// The judgement holds without its files, so that a folder that cannot be
	// written is told and nothing more.
	if _, err := files.Write(ctx, r, files.Judged(), r.Dir); err != nil {
		fmt.Fprintf(a.err, "disteval: keep the judgement beside the run: %s\n", inertLines(err.Error()))
	}
	return a.printJudgement(r)
}

// fresh opens a run and builds the report that a judgement is made from: with
// the scores that the stored replies give, whatever scores are stored.
func (a *app) fresh(ctx context.Context, dir string) (*runstore.Store, reports.Report, error) {
	store, err := runstore.Read(ctx, dir)
	if err != nil {
		return nil, reports.Report{}, err
	}
	run, err := a.byReplies(ctx, store)
	if err != nil {
		return nil, reports.Report{}, errors.Join(err, store.Close())
	}
	r, err := files.Build(ctx, run, nil)
	if err != nil {
		return nil, r, errors.Join(err, store.Close())
	}
	return store, r, nil
}

// byReplies is a run with the scores that its replies give, and says where
// others are stored.
func (a *app) byReplies(ctx context.Context, stored eval.Run) (eval.Run, error) {
	run, changed, err := scoring.Current(ctx, stored)
	if err == nil && changed.N > 0 {
		dir := inert(stored.Record().Dir)
		fmt.Fprintf(a.err, "disteval: %s: replies with other scores than are stored: %d, the first %s; the figures go by the replies, and disteval score %s stores their scores\n",
			dir, changed.N, inert(changed.First.String()), dir)
	}
	return run, err
}

// samePlace tells whether two paths lead to one folder.
func samePlace(a, b string) bool {
	x, errx := os.Stat(a)
	y, erry := os.Stat(b)
	return errx == nil && erry == nil && os.SameFile(x, y)
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
		if err := stepSummary(os.Getenv("GITHUB_STEP_SUMMARY"), r); err != nil {
			fmt.Fprintf(a.err, "disteval: %s\n", inertLines(err.Error()))
		}
	}
	if code := codeOfJudgement(*r.Judgement); code != exitDone {
		return exitError(code)
	}
	return nil
}

// stepSummary adds the run's summary to the file that GitHub names.
func stepSummary(path string, r reports.Report) (err error) {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return text.WriteMarkdown(context.Background(), f, r)
}
