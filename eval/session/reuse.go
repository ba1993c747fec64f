package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/queries"
)

// Reuse says where a run may take replies from instead of asking again.
type Reuse struct {
	Runs       []string // folders of runs, or folders of such folders, in which the newest comes first
	Undigested bool     // also those of models whose weights nobody identifies
}

// Taken says what a run takes from earlier ones, by Model.Name.
type Taken map[string]int // replies

// Reuse puts the replies that earlier runs have into store, which is then not
// asked for them. A reply is taken where the same weights were asked the same
// text with the same options; a failure never is.
func (s *Session) Reuse(ctx context.Context, store *runstore.Store, from Reuse) (Taken, error) {
	sources, err := openSources(ctx, from.Runs, store.Record().Dir)
	if err != nil {
		return nil, err
	}
	defer sources.close()
	taken := make(Taken)
	plan := store.Record().Plan
	done, err := store.Done(ctx)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]queries.Query, len(plan.Queries.Queries))
	for _, q := range plan.Queries.Queries {
		byID[q.ID] = q
	}
	for _, m := range plan.Models {
		t := taking{plan: plan, queries: byID, model: m, sources: sources, undigested: from.Undigested, store: store, done: done}
		if taken[m.Name], err = t.take(ctx); err != nil {
			return nil, err
		}
	}
	return taken, store.Flush(ctx)
}

// Reusable counts what Reuse would take for a plan that has no run yet.
func (s *Session) Reusable(ctx context.Context, plan eval.Plan, from Reuse) (Taken, error) {
	sources, err := openSources(ctx, from.Runs, "")
	if err != nil {
		return nil, err
	}
	defer sources.close()
	taken := make(Taken)
	for _, m := range plan.Models {
		t := taking{plan: plan, model: m, sources: sources, undigested: from.Undigested}
		if taken[m.Name], err = t.take(ctx); err != nil {
			return nil, err
		}
	}
	return taken, nil
}

// sources are the earlier runs, open to read.
type sources []*runstore.Store

// openSources leaves out the run that asks, which may lie in the folder that it
// takes from.
func openSources(ctx context.Context, paths []string, own string) (open sources, err error) {
	for _, path := range paths {
		dirs, err := runsIn(path)
		if err != nil {
			return nil, errors.Join(err, open.close())
		}
		for _, dir := range dirs {
			if same(dir, own) {
				continue
			}
			store, err := runstore.Read(ctx, dir)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("reuse %s: %w", dir, err), open.close())
			}
			open = append(open, store)
		}
	}
	return open, nil
}

// same reports whether two paths are of one folder.
func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

func (s sources) close() error {
	var err error
	for _, store := range s {
		err = errors.Join(err, store.Close())
	}
	return err
}

// runsIn is the run in path, or every run in the folders of path, the newest
// first: their names begin with their time.
func runsIn(path string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(path, runstore.FileName)); err == nil {
		return []string{path}, nil
	}
	found, err := filepath.Glob(filepath.Join(escapeGlob(path), "*", runstore.FileName))
	if err == nil && len(found) == 0 {
		err = eval.BadInput(fmt.Errorf("reuse %s: it is not a run's folder and holds none", path), "name a run's folder, such as runs/<id>, or a folder of runs")
	}
	slices.Sort(found)
	slices.Reverse(found)
	for i := range found {
		found[i] = filepath.Dir(found[i])
	}
	return found, err
}

// escapeGlob lets a path with the signs of a pattern name itself.
func escapeGlob(path string) string {
	out := make([]byte, 0, len(path))
	for i := range len(path) {
		switch path[i] {
		case '*', '?', '[', '\\':
			out = append(out, '[', path[i], ']')
		default:
			out = append(out, path[i])
		}
	}
	return string(out)
}

// taking gets one model's replies from earlier runs.
type taking struct {
	plan       eval.Plan
	queries    map[string]queries.Query // the plan's by ID; nil: only count
	model      eval.Model
	sources    sources
	undigested bool
	store      *runstore.Store // nil: only count
	done       map[eval.JobID]bool
}

// question is what decides an answer beside the model.
type question struct {
	prompt, system string
	seed, sample   int
}

// questionOf leaves the seed out where nothing is drawn.
func questionOf(m eval.Model, job eval.Job) question {
	q := question{prompt: job.Request.Prompt, system: job.Request.System, sample: job.ID.Sample}
	if m.Generation.Temperature > 0 {
		q.seed = job.Request.Seed
	}
	return q
}

// answer is an earlier reply and the question of this run that it answers.
type answer struct {
	eval.ScoredReply
	to question
}

// take tries the sources in order: first for one that has all of the model's
// replies and no others, whose times and energy then count too; else each for
// what is still open.
func (t *taking) take(ctx context.Context) (int, error) {
	if t.model.Digest == "" && !t.undigested {
		return 0, nil
	}
	open := make(map[question]eval.Job)
	for _, job := range t.plan.Jobs(t.model) {
		if !t.done[job.ID] {
			open[questionOf(t.model, job)] = job
		}
	}
	if len(open) == 0 {
		return 0, nil
	}
	if len(open) == t.plan.RequestsPerModel() {
		for _, source := range t.sources {
			for _, m := range t.alike(source) {
				replies, whole, err := t.matching(ctx, source, m, open)
				if err != nil {
					return 0, err
				}
				if whole {
					return len(replies), t.putWhole(ctx, source, m, replies)
				}
			}
		}
	}
	n := 0
	for _, source := range t.sources {
		for _, m := range t.alike(source) {
			replies, _, err := t.matching(ctx, source, m, open)
			if err != nil {
				return n, err
			}
			for _, r := range replies {
				delete(open, r.to)
			}
			n += len(replies)
			if err := t.put(ctx, source, m, replies); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// alike lists a source's models that answer as t's.
func (t *taking) alike(source *runstore.Store) []eval.Model {
	var out []eval.Model
	for _, m := range source.Record().Plan.Models {
		if eval.SameAnswers(t.plan, t.model, source.Record().Plan, m) {
			out = append(out, m)
		}
	}
	return out
}

// matching lists a source's answers to open questions, as replies of t's run.
// whole is true where they answer all of these and the source has no others.
func (t *taking) matching(ctx context.Context, source *runstore.Store, m eval.Model, open map[question]eval.Job) (out []answer, whole bool, err error) {
	rec := source.Record()
	questions := make(map[eval.JobID]question)
	for _, job := range rec.Plan.Jobs(m) {
		questions[job.ID] = questionOf(m, job)
	}
	others := 0
	for r, err := range source.RepliesOf(ctx, m.Name) {
		if err != nil {
			return nil, false, fmt.Errorf("reuse %s: %w", rec.Dir, err)
		}
		to := questions[r.Reply.JobID]
		job, is := open[to]
		lacking := job.Request.Tokens > 0 && r.Reply.Tokens == nil && t.plan.Likelihood.FidelityTokens != nil
		if !is || r.Reply.Failure != nil || lacking {
			others++
			continue
		}
		r.Reply.JobID = job.ID
		if r.Reply.ReusedFrom == "" {
			r.Reply.ReusedFrom = rec.ID
		}
		if r.Reply.Host == "" {
			r.Reply.Host = rec.Host.Hostname
		}
		out = append(out, answer{r, to})
	}
	return out, others == 0 && len(out) == len(open), nil
}

// putWhole stores replies with the times and energy that they took.
func (t *taking) putWhole(ctx context.Context, source *runstore.Store, m eval.Model, replies []answer) error {
	if t.store == nil {
		return nil
	}
	rec := source.Record()
	for _, p := range rec.Phases {
		if p.Model != m.Name {
			continue
		}
		if p.Host == "" {
			p.Host = rec.Host.Hostname
		}
		p.Model = t.model.Name
		if err := t.store.PutPhase(ctx, p); err != nil {
			return err
		}
	}
	origin := eval.Reused{Run: rec.ID, Host: rec.Host}
	if earlier, ok := rec.Reused[m.Name]; ok {
		origin = earlier
	}
	return errors.Join(t.store.PutReused(ctx, t.model.Name, origin), t.put(ctx, source, m, replies))
}

// put stores replies, and their probes where these would ask the same.
func (t *taking) put(ctx context.Context, source *runstore.Store, m eval.Model, replies []answer) error {
	if t.store == nil {
		return nil
	}
	rec := source.Record()
	probes := eval.SameProbes(t.plan, t.model, rec.Plan, m)
	if why := rec.Unprobed[m.Name]; probes && why != "" {
		if err := t.store.PutUnprobed(ctx, t.model.Name, why); err != nil {
			return err
		}
	}
	for _, r := range replies {
		if err := t.store.Put(ctx, r.Reply); err != nil {
			return err
		}
		if !probes || r.Probe == nil || r.Probe.Failure != nil || !sameForms(r.Query, t.queries[r.Reply.Query]) {
			continue
		}
		probe := *r.Probe
		probe.ProbeID, probe.Host = eval.ProbeID{Model: t.model.Name, Query: r.Reply.Query}, ""
		if err := t.store.PutProbe(ctx, probe); err != nil {
			return err
		}
	}
	return nil
}

// sameForms reports whether two queries have the same right answers.
func sameForms(a, b queries.Query) bool {
	return a.Keyword == b.Keyword && slices.Equal(a.Aliases, b.Aliases)
}
