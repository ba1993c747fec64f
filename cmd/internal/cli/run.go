package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/eval/session"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/files"
	"github.com/disteval/disteval/reports/gate"
	"github.com/disteval/disteval/reports/text"
)

type runOptions struct {
	Models      string
	Resume      string
	Limit       int
	Concurrency int
	Expected    string
	FailFast    bool
	DryRun      bool
	fleet       fleetFlags
	Reuse       session.Reuse

	expected *gate.Expected // that Expected holds; nil: nothing is judged
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
  disteval run --models models.yaml --expected expected.yaml --fail-fast
  disteval run --models models.yaml --dry-run
  disteval run --resume runs/20260102-150405-1a2b3c
  disteval run --models models.yaml --listen 10.0.0.5:4222   # the questions go to workers`,
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
	f.BoolVar(&o.FailFast, "fail-fast", false, "with --expected: end as soon as a check must fail however the open questions are answered, or more failed than the file allows")
	f.BoolVar(&o.DryRun, "dry-run", false, "show the plan and the settings, ask nothing")
	o.fleet.add(f)
	f.StringArrayVar(&o.Reuse.Runs, "reuse", nil, "take the replies that this earlier `RUN`, or a folder of runs, has of the same model to the same question")
	f.BoolVar(&o.Reuse.Undigested, "reuse-undigested", false, "with --reuse: also of models whose server does not identify the weights")
	return cmd
}

func (o *runOptions) check() error {
	switch {
	case o.Models == "" && o.Resume == "":
		return eval.BadInput(errors.New("run: --models is missing"), howToModels())
	case o.Limit < 0:
		return eval.BadInput(fmt.Errorf("run: --limit %d: it must be at least 1", o.Limit), "")
	case o.Concurrency < 1:
		return eval.BadInput(fmt.Errorf("run: --concurrency %d: it must be at least 1", o.Concurrency), "")
	case o.fleet.check() != nil:
		return o.fleet.check()
	case o.Reuse.Undigested && len(o.Reuse.Runs) == 0:
		return eval.BadInput(errors.New("run: --reuse-undigested says what --reuse takes"), "add --reuse RUN")
	case o.FailFast && o.Expected == "":
		return eval.BadInput(errors.New("run: --fail-fast says when --expected ends a run"), "add --expected FILE")
	case o.Expected != "":
		// A file that cannot judge is told before anything is asked.
		expected, err := loadExpected(o.Expected)
		o.expected = &expected
		return err
	}
	return nil
}

// howToModels says how to come by a models file.
func howToModels() string {
	const inside = "--models builtin for the models inside the program"
	if exists("models.yaml") {
		return "disteval run --models models.yaml, or " + inside
	}
	return "disteval init writes a models.yaml for what is on this machine; then disteval run --models models.yaml, or " + inside
}

func (a *app) run(ctx context.Context, o runOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	s := a.session()
	leave, err := a.gather(s, o)
	if err != nil {
		return err
	}
	complete := false
	defer func() { _ = leave(complete) }() // what is left over of the queue does no harm
	if o.DryRun {
		plan, err := a.plan(s, o)
		if err != nil {
			return err
		}
		return a.showPlan(ctx, s, plan, o)
	}
	store, err := a.openRun(ctx, s, o)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := a.reuse(ctx, s, store, o); err != nil {
		return err
	}
	report, err := a.askAndReport(ctx, s, store, o)
	if errors.Is(err, eval.ErrInterrupted) && report.RunID != "" {
		closed := store.Close()
		if errors.Is(err, closed) {
			closed = nil // it is said already
		}
		return errors.Join(err, closed, a.printTable(report))
	}
	if err != nil {
		return err
	}
	complete = true
	if err := store.Close(); err != nil {
		return err
	}
	return a.conclude(report)
}

// showPlan prints what the run would do.
func (a *app) showPlan(ctx context.Context, s *session.Session, plan eval.Plan, o runOptions) error {
	if err := text.WritePlan(a.out, plan, a.settings.fields()); err != nil || len(o.Reuse.Runs) == 0 {
		return err
	}
	taken, err := s.Reusable(ctx, plan, o.Reuse)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.out)
	for _, m := range plan.Models {
		total := plan.RequestsPerModel()
		fmt.Fprintf(a.out, "reuse %s: %d of %d replies; %d questions are left\n", inert(m.Name), taken[m.Name], total, total-taken[m.Name])
	}
	return nil
}

// reuse takes what earlier runs have.
func (a *app) reuse(ctx context.Context, s *session.Session, store *runstore.Store, o runOptions) error {
	if len(o.Reuse.Runs) == 0 {
		return nil
	}
	taken, err := s.Reuse(ctx, store, o.Reuse)
	if err != nil {
		return err
	}
	for _, m := range store.Record().Plan.Models {
		fmt.Fprintf(a.err, "%s: %d of %d replies are reused\n", inert(m.Name), taken[m.Name], store.Record().Plan.RequestsPerModel())
	}
	return store.Refresh(ctx)
}

// session is what a command's steps share.
func (a *app) session() *session.Session {
	return &session.Session{Providers: session.NewProviders(a.settings.timeout()), LockDir: a.settings.LockDir.Value, Version: version(),
		Now: a.now, Say: func(message string) { fmt.Fprintln(a.err, reports.Lines(message)) }}
}

// plan reads the plan of o and resolves it.
func (a *app) plan(s *session.Session, o runOptions) (eval.Plan, error) {
	if o.Models == "" {
		return eval.Plan{}, eval.BadInput(errors.New("run: --dry-run needs --models"), "")
	}
	plan, err := a.statedPlan(o, eval.Plan{})
	if err != nil {
		return plan, err
	}
	plan, err = s.Resolve(a.drain, plan)
	return plan, a.beforeAsking(err)
}

// statedPlan is the plan that o states: that of a models file, else the stored
// one.
func (a *app) statedPlan(o runOptions, stored eval.Plan) (eval.Plan, error) {
	plan := stored
	if o.Models != "" {
		var err error
		if plan, err = a.loadPlan(o.Models); err != nil {
			return plan, err
		}
	}
	if o.Limit > 0 && o.Limit < len(plan.Queries.Queries) {
		plan.Queries.Queries = plan.Queries.Queries[:o.Limit]
	}
	plan.Parallel = o.Concurrency
	_, err := plan.Emissions.Factor()
	return plan, err
}

// beforeAsking says of an interrupt that nothing was asked yet.
func (a *app) beforeAsking(err error) error {
	if a.drain.Err() != nil {
		return eval.WithHint(fmt.Errorf("%w before the first question; nothing was asked", eval.ErrInterrupted), "")
	}
	return err
}

// openRun makes a new run's folder, or opens the one to go on with.
func (a *app) openRun(ctx context.Context, s *session.Session, o runOptions) (*runstore.Store, error) {
	if o.Resume != "" {
		store, err := s.Resume(a.drain, o.Resume, func(stored eval.Plan) (eval.Plan, error) { return a.statedPlan(o, stored) })
		return store, a.beforeAsking(err)
	}
	runstore.Prepare() // beside the reading of the plan
	plan, err := a.plan(s, o)
	if err != nil {
		return nil, err
	}
	return s.Create(ctx, plan, a.settings.Out.Value)
}

// askAndReport is the way from the plan to the files. An interrupted run is
// scored and reported as far as it came.
func (a *app) askAndReport(ctx context.Context, s *session.Session, store *runstore.Store, o runOptions) (reports.Report, error) {
	a.memory.Hold(store.Record())
	bar := a.observer(s, store.Record().Plan)
	var early *reports.Judgement
	var asked error
	if o.FailFast {
		early, asked = a.askWatched(ctx, s, store, bar, *o.expected)
	} else {
		asked = s.Ask(ctx, a.drain, store, bar)
	}
	bar.Close()
	if early != nil {
		fmt.Fprintf(a.err, "ended by --fail-fast; to ask the other questions all the same: disteval run --resume %s\n", inert(store.Record().Dir))
	}
	if asked != nil && !errors.Is(asked, eval.ErrInterrupted) {
		return reports.Report{}, eval.WithHint(asked, "disteval run --resume "+store.Record().Dir)
	}
	if err := s.Score(ctx, store); err != nil {
		return reports.Report{}, errors.Join(err, asked)
	}
	report, err := files.Conclude(ctx, store, o.expected, early)
	if err == nil {
		err = writeReports(ctx, report, store)
	}
	if err != nil {
		return report, errors.Join(err, asked)
	}
	if asked != nil {
		return report, eval.WithHint(fmt.Errorf("%w; everything received is stored in %s", asked, report.Dir), "disteval run --resume "+report.Dir)
	}
	return report, nil
}

// writeReports writes the files of a run's folder. Where they need the record no
// more, it is closed beside them: that waits for the disk.
func writeReports(ctx context.Context, r reports.Report, store *runstore.Store) error {
	var closing errgroup.Group
	if r.RepliesOf == nil {
		closing.Go(store.Close)
	}
	err := files.WriteAll(ctx, r)
	return errors.Join(err, closing.Wait())
}

// askWatched asks a run's open questions, those to the models that something is
// expected of first, until its verdict is certain. judgement is then what it
// has come to before every question was asked; nil where it is to be judged as
// a whole.
func (a *app) askWatched(ctx context.Context, s *session.Session, store *runstore.Store, o eval.Observer, expected gate.Expected) (judgement *reports.Judgement, err error) {
	done, err := store.Done(ctx)
	if err != nil {
		return nil, err
	}
	watch := gate.NewWatch(expected, store.Record())
	if err := watch.Stored(ctx, store, done); err != nil {
		return nil, err
	}
	asked := eval.ErrInterrupted
	if watch.Judgement() == nil {
		s.First = watch.Models()
		drain, stop := context.WithCancel(a.drain)
		defer stop()
		asked = s.Ask(ctx, drain, store, watch.Observe(ctx, o, stop))
	}
	if judgement = watch.Judgement(); judgement == nil || !eval.Interrupted(asked) {
		return nil, asked
	}
	return judgement, nil
}

// conclude prints the table and the judgement, and says how the run ended.
func (a *app) conclude(r reports.Report) error {
	if err := a.printTable(r); err != nil {
		return err
	}
	if r.Judgement != nil {
		return a.printJudgement(r)
	}
	return r.GivenUp()
}
