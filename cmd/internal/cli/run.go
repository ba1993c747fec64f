package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/reports"
)

type runOptions struct {
	Models      string
	Resume      string
	Limit       int
	Concurrency int
	Expected    string
	DryRun      bool
}

func newRunCmd(a *app) *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run --models FILE",
		Short: "Ask, score, meter, store and report",
		Long: `Asks every model of the file every query, scores the replies, meters the energy,
stores everything in a new folder and writes the reports there.

Interrupt it once and it stores what is in flight and stops; --resume DIR goes on.`,
		Example: `  disteval run --models models.yaml
  disteval run --models builtin --limit 20
  disteval run --models models.yaml --dry-run
  disteval run --resume runs/20260102-150405-1a2b3c`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The first interrupt only drains; see app.drain.
			return a.run(context.WithoutCancel(cmd.Context()), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Models, "models", "", "models file, or builtin for the models inside the program")
	f.StringVar(&o.Resume, "resume", "", "go on with the run in this folder; without --models with the plan stored there")
	f.IntVar(&o.Limit, "limit", 0, "ask only the first `N` queries")
	f.IntVar(&o.Concurrency, "concurrency", 1, "requests in flight; above 1 energy is stated per model only")
	f.StringVar(&o.Expected, "expected", "", "judge the run against this file, as gate does")
	f.BoolVar(&o.DryRun, "dry-run", false, "show the plan and the settings, ask nothing")
	return cmd
}

func (o runOptions) check() error {
	switch {
	case o.Models == "" && o.Resume == "":
		return eval.BadInput(errors.New("run: --models is missing"), "disteval run --models models.yaml, or --models builtin for the models inside the program")
	case o.Limit < 0:
		return eval.BadInput(fmt.Errorf("run: --limit %d: it must be at least 1", o.Limit), "")
	case o.Concurrency < 1:
		return eval.BadInput(fmt.Errorf("run: --concurrency %d: it must be at least 1", o.Concurrency), "")
	case o.Expected != "":
		// A file that cannot judge is told before anything is asked.
		_, err := loadExpected(o.Expected)
		return err
	}
	return nil
}

func (a *app) run(ctx context.Context, o runOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	ps := newProviders(a.settings)
	if o.DryRun {
		plan, err := a.plan(ps, o, nil)
		if err != nil {
			return err
		}
		return writePlan(a.out, plan, a.settings.all())
	}
	store, err := a.openRun(ctx, ps, o)
	if err != nil {
		return err
	}
	defer store.Close()
	report, err := a.askAndReport(ctx, ps, store, o)
	if err != nil {
		return err
	}
	if err := store.Close(); err != nil {
		return err
	}
	return a.conclude(ctx, report, o)
}

// plan reads and resolves the plan of o, or of a stored run that goes on.
func (a *app) plan(ps *providers, o runOptions, stored *eval.Plan) (eval.Plan, error) {
	var plan eval.Plan
	if o.Models == "" && stored == nil {
		return plan, eval.BadInput(errors.New("run: --dry-run needs --models"), "")
	}
	if o.Models != "" {
		var err error
		if plan, err = a.loadPlan(o.Models); err != nil {
			return plan, err
		}
	} else {
		plan = *stored
	}
	if o.Limit > 0 && o.Limit < len(plan.Queries.Queries) {
		plan.Queries.Queries = plan.Queries.Queries[:o.Limit]
	}
	plan.Parallel = o.Concurrency
	if _, err := factor(plan.Emissions); err != nil {
		return plan, err
	}
	// Before the first question there is nothing to wait for.
	var err error
	if plan.Models, err = ps.resolve(a.drain, plan.Models); err == nil {
		err = errors.Join(plan.Check(), ps.checkEmbedding(a.drain, plan.Scoring))
	}
	if a.drain.Err() != nil {
		return plan, eval.WithHint(fmt.Errorf("%w before the first question; nothing was asked", eval.ErrInterrupted), "")
	}
	return plan, err
}

// openRun makes a new run's folder, or opens the one to go on with.
func (a *app) openRun(ctx context.Context, ps *providers, o runOptions) (*runstore.Store, error) {
	if o.Resume != "" {
		return a.resumeRun(ctx, ps, o)
	}
	plan, err := a.plan(ps, o, nil)
	if err != nil {
		return nil, err
	}
	hash := plan.Hash()
	now := a.now().UTC()
	id := fmt.Sprintf("%s-%s", now.Format("20060102-150405"), hash[:6])
	dir := filepath.Join(a.settings.Out.Value, id)
	for n := 2; exists(dir); n++ {
		dir = filepath.Join(a.settings.Out.Value, fmt.Sprintf("%s-%d", id, n))
	}
	rec := eval.RunRecord{ID: filepath.Base(dir), Dir: dir, ToolVersion: version(), Created: now, Plan: plan, PlanHash: hash, Host: thisHost()}
	store, err := runstore.Create(ctx, dir, rec)
	if err != nil {
		return nil, eval.WithHint(err, "choose another folder with --out, or make room and give permission to write there")
	}
	fmt.Fprintf(a.err, "run %s: %d models, %d queries each, plan %s\n", dir, len(plan.Models), len(plan.Queries.Queries), hash[:12])
	return store, nil
}

func (a *app) resumeRun(ctx context.Context, ps *providers, o runOptions) (*runstore.Store, error) {
	store, err := runstore.Open(ctx, o.Resume)
	if err != nil {
		return nil, err
	}
	rec := store.Record()
	plan, err := a.plan(ps, o, &rec.Plan)
	if err == nil && plan.Hash() != rec.PlanHash {
		differs := eval.Differences(rec.Plan.Facts(), plan.Facts())
		err = eval.BadInput(fmt.Errorf("resume %s: the plan is not the one that the run began with:\n  %s", o.Resume, strings.Join(differs, "\n  ")),
			"make these as they were, or begin a new run without --resume")
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if plan.Scoring != rec.Plan.Scoring || plan.Emissions != rec.Plan.Emissions {
		fmt.Fprintf(a.err, "scoring and emissions stay those that the run began with; disteval score RUN and disteval report RUN --country change them afterwards\n")
	}
	store.SetParallel(plan.Parallel)
	if err := noteMove(ctx, store, thisHost()); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	fmt.Fprintf(a.err, "resuming %s\n", o.Resume)
	return store, nil
}

// noteMove records that a run with questions left goes on on another machine
// than it began on: its times and energies are then those of no machine.
func noteMove(ctx context.Context, store *runstore.Store, here eval.Host) error {
	rec := store.Record()
	done, err := store.Done(ctx)
	if err != nil || len(done) == rec.Plan.Requests() || here.Fingerprint() == rec.Host.Fingerprint() {
		return err
	}
	return errors.Join(store.MoveTo(ctx, here.Fingerprint()),
		store.Warn(ctx, fmt.Sprintf("The run began on %s and went on on %s: its times and energies are those of both.",
			rec.Host.Fingerprint(), here.Fingerprint())))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// askAndReport is the way from the plan to the files. An interrupted run is
// scored and reported as far as it came.
func (a *app) askAndReport(ctx context.Context, ps *providers, store *runstore.Store, o runOptions) (reports.Report, error) {
	asked := a.ask(ctx, ps, store)
	if asked != nil && !errors.Is(asked, eval.ErrInterrupted) {
		return reports.Report{}, eval.WithHint(asked, "disteval run --resume "+store.Record().Dir)
	}
	report, err := a.scoreAndReport(ctx, ps, store)
	if err != nil {
		return report, errors.Join(err, asked)
	}
	if asked != nil {
		return report, eval.WithHint(fmt.Errorf("%w; everything received is stored in %s", asked, report.Dir), "disteval run --resume "+report.Dir)
	}
	return report, nil
}

// ask runs the questions that have no outcome yet.
func (a *app) ask(ctx context.Context, ps *providers, store *runstore.Store) error {
	plan := store.Record().Plan
	process, err := store.NextProcess(ctx)
	if err != nil {
		return err
	}
	for _, m := range plan.Models {
		if m.Notice == "" {
			continue
		}
		if err := store.Warn(ctx, m.Notice); err != nil {
			return err
		}
	}
	meters, err := a.startMeters(a.drain, plan)
	if a.drain.Err() != nil && err != nil {
		return eval.ErrInterrupted // while the idle baseline was measured
	}
	if err != nil {
		return err
	}
	defer meters.Close()
	bar := newProgress(a.err, terminal(a.err), plan, a.log)
	runner := eval.Runner{Plan: plan, Store: store, Process: process, Now: a.now, Backoff: eval.DefaultBackoff, Observer: bar,
		Meter: func(m eval.Model) emissions.Meter { return meters.of(m) }, Open: ps.open}
	err = runner.Run(ctx, a.drain)
	bar.close()
	if stored := store.Flush(ctx); !errors.Is(err, stored) {
		err = errors.Join(err, stored)
	}
	return err
}

// conclude prints the table, judges where it was asked to, and says how it ended.
func (a *app) conclude(ctx context.Context, r reports.Report, o runOptions) error {
	if err := a.printTable(r); err != nil {
		return err
	}
	if o.Expected != "" {
		return a.gate(ctx, r.Dir, "", gateOptions{Expected: o.Expected})
	}
	for _, m := range r.Models {
		if m.GaveUp != "" {
			next := "when its server answers again: disteval run --resume " + r.Dir
			if m.Model.Provider == eval.ProviderBuiltin {
				next = "its file cannot be used: name another in the models file, and run again"
			}
			return eval.WithHint(fmt.Errorf("%s was given up: %s", m.Model.Name, m.GaveUp), next)
		}
	}
	return nil
}

// elapsed is for messages: whole milliseconds below a second, then tenths.
func elapsed(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
