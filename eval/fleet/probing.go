package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/likelihood"
	"github.com/disteval/disteval/queries"
)

// Bounds of one probe.
const (
	mostForms    = 1 << 20
	mostCompared = 1 << 20 // tokens of the reference's reply
	rounding     = 1e-5    // of what servers state as float32
)

// openProbes lists, by model, the queries that are to be probed: also those
// where a reply of the reference to compare with is still to come.
func openProbes(ctx context.Context, run Run, done map[eval.JobID]bool) ([][]queries.Query, error) {
	probed, err := run.Store.Probed(ctx)
	if err != nil {
		return nil, err
	}
	open := make([][]queries.Query, len(run.Plan.Models))
	for i, m := range run.Plan.Models {
		open[i], err = run.Plan.OpenProbes(m, probed, func(id eval.JobID) (bool, error) {
			if !done[id] {
				return true, nil
			}
			_, answered, err := run.Store.Tokens(ctx, id)
			return answered, err
		})
		if err != nil {
			return nil, err
		}
	}
	return open, nil
}

// phase is the part of a turn in which the page's jobs are asked.
func (p *page) phase() eval.PhaseName {
	if p.probes {
		return eval.PhaseProbe
	}
	return eval.PhaseAnswer
}

// task is the order to ask the jobs of a page.
func (a *asking) task(page int, audits bool) task {
	p := a.book.pages[page]
	t := taskOf(p.model)
	t.Model, t.Of, t.Probe, t.Audit = page, p.of, p.probes, audits
	if p.probes {
		if ref := a.what.Plan.Beside(p.model); ref != nil {
			beside := taskOf(*ref)
			t.Beside = &beside
		}
	}
	return t
}

func taskOf(m eval.Model) task {
	return task{Provider: m.Provider, Digest: m.Digest, Version: m.ProviderVersion, Generation: m.Generation}
}

// retired reports whether a worker takes nothing more of a page: no probes
// either of a model that it has given up.
func (a *asking) retired(m member, page int) (reason string, retired bool) {
	if reason, retired = m.retiredFrom(a.what.ID, page); retired {
		return reason, true
	}
	return m.retiredFrom(a.what.ID, a.book.pages[page].of)
}

// suits reports whether a worker should get a page: not where it lacks the
// reference to compare with and another has it.
func (a *asking) suits(m member, page int) bool {
	p := a.book.pages[page]
	ref := a.what.Plan.Beside(p.model)
	if !p.probes || ref == nil {
		return true
	}
	has := func(m member) bool {
		_, own, _ := m.find(p.model)
		_, theirs, _ := m.find(*ref)
		return own && theirs
	}
	return has(m) || !slices.ContainsFunc(a.c.roster.present(), func(other member) bool {
		_, retired := a.retired(other, page)
		return !retired && has(other)
	})
}

// probeOf is what a job of a page of probes asks. The reference's replies have
// been taken in by then; here they are on disk as well.
func (a *asking) probeOf(ctx context.Context, at place) (eval.ProbeRequest, error) {
	p, q := a.book.pages[at.model], a.what.Plan.Queries.Queries[at.job]
	r, _, _ := a.what.Plan.ProbeRequest(p.model, q)
	if p.after < 0 {
		return r, nil
	}
	if !a.compared[at.model] {
		if err := a.what.Store.Flush(ctx); err != nil {
			return r, err
		}
		a.compared[at.model] = true
	}
	var err error
	r.Reply, _, err = a.what.Plan.ReferenceReply(ctx, a.what.Store, p.model, q)
	return r, err
}

// fill gives the forms of a probe their names, or refuses what is no outcome of
// the one that was asked.
func (a *asking) fill(p *eval.Probe, at place) error {
	m := a.book.pages[at.model].model
	ask, forms, candidates := a.what.Plan.ProbeRequest(m, a.what.Plan.Queries.Queries[at.job])
	if n := a.what.Plan.Probing(m).FidelityTokens; len(p.Divergences) > n {
		return fmt.Errorf("it compares %d tokens, not %d", len(p.Divergences), n)
	}
	if err := errors.Join(checkForms(p.Answers, ask.Texts), checkForms(p.Choices, ask.Choices)); err != nil {
		return err
	}
	p.Fill(eval.ProbeReply{Forms: p.Answers, Choices: p.Choices, Divergences: p.Divergences, Incomparable: p.Incomparable}, forms, candidates)
	return nil
}

// checkForms refuses forms that are none of the texts.
func checkForms(forms []likelihood.Form, texts []string) error {
	if len(forms) != len(texts) {
		return fmt.Errorf("it looked at %d texts, not %d", len(forms), len(texts))
	}
	for i, f := range forms {
		if f.Bytes != len(texts[i]) {
			return fmt.Errorf("a text of %d bytes has %d", len(texts[i]), f.Bytes)
		}
	}
	return nil
}

// putProbe queues a probe's outcome for the record.
func (a *asking) putProbe(ctx context.Context, at place, p eval.Probe) error {
	page := a.book.pages[at.model]
	id := page.jobs[at.job].ID
	p.ProbeID = eval.ProbeID{Model: id.Model, Query: id.Query}
	p.Unable = "" // of one host: what the others say of the model is another matter
	if p.Failure == nil && p.Incomparable == "" && len(p.Divergences) == 0 {
		var err error
		if _, p.Incomparable, err = a.what.Plan.ReferenceReply(ctx, a.what.Store, page.model, a.what.Plan.Queries.Queries[at.job]); err != nil {
			return err
		}
	}
	a.what.Observer.ProbeReceived(page.model, p)
	return a.what.Store.PutProbe(ctx, p)
}

// checkProbe refuses what cannot be said of any text.
func checkProbe(p eval.Probe) error {
	switch {
	case p.Failure != nil && !slices.Contains(failureKinds, p.Failure.Kind):
		return fmt.Errorf("a failure of kind %q", p.Failure.Kind)
	case !interval(p.Start, p.End):
		return fmt.Errorf("a probe from %v to %v", p.Start, p.End)
	case len(p.Incomparable) > mostText:
		return fmt.Errorf("a reason of %d bytes", len(p.Incomparable))
	}
	for _, f := range slices.Concat(p.Answers, p.Choices) {
		if err := checkForm(f); err != nil {
			return err
		}
	}
	for _, d := range p.Divergences {
		if d.KLD < 0 || math.Abs(d.DeltaP) > 1+rounding || !bound(d.KLDBound) || !bound(d.DeltaPBound) {
			return fmt.Errorf("a divergence of %g nats and %g", d.KLD, d.DeltaP)
		}
	}
	return nil
}

func checkForm(f likelihood.Form) error {
	if len(f.Reason) > mostText {
		return fmt.Errorf("a reason of %d bytes", len(f.Reason))
	}
	for _, s := range f.Steps {
		if s.Logprob > rounding || s.Rank < 1 || slices.ContainsFunc(s.Top, func(a eval.Alternative) bool { return a.Logprob > rounding }) {
			return fmt.Errorf("a token of log-probability %g and rank %d", s.Logprob, s.Rank)
		}
	}
	return nil
}

func bound(b metrics.Bound) bool {
	return b == metrics.Exact || b == metrics.AtLeast || b == metrics.AtMost
}

// probe looks at the texts of one question and sends what came of it.
func (t *turn) probe(ctx, drain context.Context, q taken) {
	start, r := t.Now(), *q.Probe
	missing := ""
	if r.Reply != nil && q.task.Beside != nil {
		if r.Reference, missing = t.reference(drain, *q.task.Beside); missing != "" {
			r.Reply = nil
		}
	}
	p, err := t.worker.Probe(ctx, drain, r, r.Texts, r.Choices)
	if err != nil || drain.Err() != nil && missing != "" {
		t.back(q, 0)
		return
	}
	t.note(q, p.Failure)
	if p.Failure != nil && p.Failure.Retry && q.delivery < MaxDeliveries {
		t.back(q, tick) // another worker may get an answer
		return
	}
	p.Incomparable = cmp.Or(p.Incomparable, missing)
	t.send(result{Key: q.Key, Model: q.Model, Job: q.Job, Probe: &p, Phases: t.progress(start, p.End)}, q.msg)
}

// reference is the model to compare with, loaded beside this one once a turn;
// where it cannot be, missing says why.
func (t *turn) reference(drain context.Context, by task) (gen eval.Generator, missing string) {
	t.besides.Lock()
	defer t.besides.Unlock()
	if t.beside != nil || t.missing != "" {
		return t.beside, t.missing
	}
	m, err := t.served(by)
	if err == nil {
		gen, err = t.Open(m)
	}
	if err == nil {
		err = gen.Load(drain)
	}
	if err != nil {
		t.missing = fmt.Sprintf("worker %s cannot load the reference beside this model: %v", t.Name, err)
		return nil, t.missing
	}
	t.beside = gen
	return gen, ""
}
