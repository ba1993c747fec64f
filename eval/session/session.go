// Package session turns a plan into a run: it assembles providers, meters, a
// store and a schedule, and scores what they brought.
//
// Policy: this is where siblings meet; nothing here decides how a model is
// asked, metered, stored or scored. Every step can be taken again from what the
// step before it stored.
package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions/machine"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
)

// Session is what the steps of a run share.
type Session struct {
	Providers Providers
	Fleet     *Fleet               // workers that answer in place of this machine; nil: it does
	LockDir   string               // where metered runs find each other; empty: where all users of the machine do
	Version   string               // of the program, for the record
	First     []string             // models that are asked before the others, by name
	Now       func() time.Time     // steady: no setting of the wall's clock changes a duration
	Say       func(message string) // tells people what happens

	scored *scoringPass // of all that Ask has stored; nil: it is to be scored
}

// Resolve completes a plan with what its providers know of the models, and
// refuses one that they cannot carry out.
func (s *Session) Resolve(ctx context.Context, plan eval.Plan) (eval.Plan, error) {
	var err error
	resolve := s.Providers.Resolve
	if s.Fleet != nil {
		resolve = s.Fleet.coordinator.Resolve
	}
	if plan.Models, err = resolve(ctx, plan.Models); err != nil {
		return plan, err
	}
	if err := plan.Check(); err != nil {
		return plan, err
	}
	if err := s.checkEmbedding(ctx, plan.Scoring); err != nil {
		return plan, err
	}
	return plan, s.checkLikelihood(ctx, plan)
}

// checkLikelihood asks served models for one probability where the plan itself
// wants them: only an answer tells whether a server gives any.
func (s *Session) checkLikelihood(ctx context.Context, plan eval.Plan) error {
	if !plan.Likelihood.Stated() {
		return nil
	}
	for _, m := range plan.Models {
		if !m.Served() {
			continue
		}
		gen, err := s.Providers.Open(m)
		if err != nil {
			return err
		}
		prober, ok := gen.(eval.Prober)
		if !ok {
			return eval.LacksLikelihood(m, "its provider gives none")
		}
		reply, err := prober.Probe(ctx, eval.ProbeRequest{Prompt: "Hello", Texts: []string{" world"}})
		if err != nil {
			return fmt.Errorf("check that model %s gives log-probabilities: %w", m.Name, err)
		}
		if f := reply.Forms[0]; len(f.Steps) == 0 {
			return eval.LacksLikelihood(m, f.Reason)
		}
	}
	return nil
}

// Create begins the record of a new run in a folder of its own below out. The
// plan must have been resolved.
func (s *Session) Create(ctx context.Context, plan eval.Plan, out string) (*runstore.Store, error) {
	hash := plan.Hash()
	now := s.Now().UTC()
	id := fmt.Sprintf("%s-%s", now.Format("20060102-150405"), hash[:6])
	for n, name := 2, id; ; n, name = n+1, fmt.Sprintf("%s-%d", id, n) {
		dir := filepath.Join(out, name)
		rec := eval.RunRecord{ID: name, Dir: dir, ToolVersion: s.Version, Created: now, Plan: plan, PlanHash: hash, Host: ThisHost()}
		store, err := runstore.Create(ctx, dir, rec)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, eval.WithHint(err, "choose another folder with --out, or make room and give permission to write there")
		}
		s.Say(fmt.Sprintf("run %s: %d models, %d queries each, plan %s", dir, len(plan.Models), len(plan.Queries.Queries), hash[:12]))
		return store, nil
	}
}

// Resume opens the run in dir to go on with it. restate makes the plan to go on
// with from the stored one; it must ask the same, by the rules that the run
// began with.
func (s *Session) Resume(ctx context.Context, dir string, restate func(stored eval.Plan) (eval.Plan, error)) (*runstore.Store, error) {
	store, err := runstore.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := s.resume(ctx, store, restate); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	s.Say("resuming " + dir)
	return store, nil
}

func (s *Session) resume(ctx context.Context, store *runstore.Store, restate func(eval.Plan) (eval.Plan, error)) error {
	rec := store.Record()
	plan, err := restate(rec.Plan)
	if err != nil {
		return err
	}
	plan.Rules = rec.Plan.Rules
	if plan, err = s.Resolve(ctx, plan); err != nil {
		return err
	}
	if plan.Hash() != rec.PlanHash {
		differs := eval.Differences(rec.Plan.Facts(), plan.Facts())
		return eval.BadInput(fmt.Errorf("resume %s: the plan is not the one that the run began with:\n  %s", rec.Dir, strings.Join(differs, "\n  ")),
			"make these as they were, or begin a new run without --resume")
	}
	if plan.Scoring != rec.Plan.Scoring || !reflect.DeepEqual(plan.Emissions, rec.Plan.Emissions) {
		s.Say("scoring and emissions stay those that the run began with; disteval score RUN and disteval report RUN --country change them afterwards")
	}
	store.SetParallel(plan.Parallel)
	if s.Fleet != nil {
		return nil // the workers' machines matter, and stand beside every reply
	}
	return noteMove(ctx, store, ThisHost())
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

// Ask asks every question that has no outcome yet. drain asks for an orderly
// end: see eval.Runner.
func (s *Session) Ask(ctx, drain context.Context, store *runstore.Store, o eval.Observer) error {
	plan := store.Record().Plan
	plan.Models = s.inTurn(plan.Models)
	process, err := store.NextProcess(ctx)
	if err != nil {
		return err
	}
	if err := warnNotices(ctx, store, plan.Models); err != nil {
		return err
	}
	if s.Fleet != nil {
		return s.Fleet.ask(ctx, drain, store, process, s.First, o)
	}
	s.sayUnfit(drain, plan)
	metered := s.Now()
	meters, err := s.startMeters(drain, plan)
	if drain.Err() != nil && err != nil {
		return eval.ErrInterrupted // while the idle baseline was measured
	}
	if err != nil {
		return err
	}
	defer meters.Close()
	shared := shareOf(plan, meters)
	return s.ask(ctx, drain, store, shared, eval.Runner{Plan: plan, Process: process, Now: s.Now, Backoff: eval.DefaultBackoff, Observer: o,
		Meter: shared.meter, Open: s.Providers.Open, Metered: metered})
}

// ask lets runner ask, and scores meanwhile where it may.
func (s *Session) ask(ctx, drain context.Context, store *runstore.Store, shared sharing, runner eval.Runner) error {
	a, err := s.scoreAhead(ctx, store)
	if err != nil {
		return err
	}
	if runner.Store = store; a != nil {
		runner.Store = a
	}
	defer atEase()()
	start := s.Now()
	err = runner.Run(ctx, drain)
	err = errors.Join(err, shared.state(ctx, store, start, s.Now()))
	if stored := store.Flush(ctx); !errors.Is(err, stored) {
		err = errors.Join(err, stored)
	}
	if a != nil {
		s.scored = a.end()
	}
	return err
}

// warnNotices keeps what people should know of the models.
func warnNotices(ctx context.Context, store *runstore.Store, models []eval.Model) error {
	for _, m := range models {
		if m.Notice == "" {
			continue
		}
		if err := store.Warn(ctx, m.Notice); err != nil {
			return err
		}
	}
	return nil
}

// sayUnfit tells of prompts that do not fit before the first question is asked.
func (s *Session) sayUnfit(ctx context.Context, plan eval.Plan) {
	for _, m := range plan.Models {
		var count func(string) (int, error)
		if g, err := s.Providers.Open(m); err == nil && m.Served() {
			if counter, ok := g.(eval.TokenCounter); ok {
				count = func(text string) (int, error) { return counter.CountTokens(ctx, text) }
			}
		}
		if unfit := plan.Unfit(m, count); unfit != "" {
			s.Say(unfit)
		}
	}
}

// inTurn puts the models of First before the others.
func (s *Session) inTurn(models []eval.Model) []eval.Model {
	var first, rest []eval.Model
	for _, m := range models {
		if slices.Contains(s.First, m.Name) {
			first = append(first, m)
		} else {
			rest = append(rest, m)
		}
	}
	return append(first, rest...)
}

// startMeters starts what meters the plan's models. Sampling goes on from
// before the first question until Close.
func (s *Session) startMeters(ctx context.Context, plan eval.Plan) (*machine.Meters, error) {
	e := plan.Emissions
	if e.IdleBaseline > 0 {
		s.Say(fmt.Sprintf("measuring the idle baseline for %s", e.IdleBaseline))
	}
	var servers []string
	if plan.SideBySide() > 1 {
		servers = append(servers, thisProcess)
	}
	for _, m := range plan.Models {
		servers = append(servers, serverOf(m))
	}
	return machine.Start(ctx, machine.Options{Method: e.Method, Sysfs: e.Sysfs, Procfs: e.Procfs, Exporters: e.Exporters,
		CPUTDPW: e.CPUTDPW, IdleBaseline: e.IdleBaseline, LockDir: s.LockDir}, servers)
}

// serverOf is the host:port at which a resolved model answers; empty for this
// process.
func serverOf(m eval.Model) string {
	u, err := url.Parse(m.Host)
	if err != nil {
		return m.Host
	}
	return u.Host
}
