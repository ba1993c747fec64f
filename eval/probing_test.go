package eval_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/likelihood"
	"github.com/disteval/disteval/queries"
)

// probing is a told generator that also gives probabilities.
type probing struct {
	told
	probed []eval.ProbeRequest
	probe  func(ctx context.Context, r eval.ProbeRequest) (eval.ProbeReply, error)
}

func (g *probing) Probe(ctx context.Context, r eval.ProbeRequest) (eval.ProbeReply, error) {
	g.probed = append(g.probed, r)
	return g.probe(ctx, r)
}

// known gives every text one bit.
func known(_ context.Context, r eval.ProbeRequest) (out eval.ProbeReply, err error) {
	form := func(text string) likelihood.Form {
		return likelihood.Form{Text: text, Bytes: len(text), Steps: []likelihood.Step{{Logprob: -1, Known: true, Rank: 2, Top: []likelihood.Alternative{{Text: "x"}}}}}
	}
	for _, text := range r.Texts {
		out.Forms = append(out.Forms, form(text))
	}
	for _, text := range r.Choices {
		out.Choices = append(out.Choices, form(text))
	}
	for range r.Reply {
		out.Divergences = append(out.Divergences, likelihood.Divergence{SameTop1: true})
	}
	return out, nil
}

// probePlan asks n queries of one category of models that give exact
// probabilities; the last model is the reference.
func probePlan(n int, models ...string) eval.Plan {
	p := plan(n, models...)
	for i := range p.Queries.Queries {
		q := &p.Queries.Queries[i]
		q.Keyword, q.Category = fmt.Sprintf("answer %d", i), "c"
	}
	for i := range p.Models {
		p.Models[i].Capabilities = eval.Capabilities{Raw: true, Continuations: true, Logprobs: 20}
	}
	p.Models[len(models)-1].Role = eval.RoleReference
	return p
}

func withTokens(_ context.Context, prompt string, _ int) (eval.Reply, error) {
	return eval.Reply{Text: prompt, Tokens: make([]eval.Token, 40)}, nil
}

// TestProbePhase: the reference is asked first, every query of every model is
// probed after its answers, and the phase stands apart.
func TestProbePhase(t *testing.T) {
	s, g := newMemory(), &probing{told: told{answer: withTokens}, probe: known}
	p := probePlan(3, "student", "teacher")
	if err := runner(p, s, g).Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.probes) != 6 || len(g.probed) != 6 {
		t.Fatalf("%d probes stored of %d asked", len(s.probes), len(g.probed))
	}
	first := s.replies[eval.JobID{Model: "teacher", Query: "q0"}]
	other := s.replies[eval.JobID{Model: "student", Query: "q0"}]
	if len(first.Tokens) != 16 || len(other.Tokens) != 0 {
		t.Errorf("%d and %d tokens are kept", len(first.Tokens), len(other.Tokens))
	}
	probe := s.probes[eval.ProbeID{Model: "student", Query: "q1"}]
	if len(probe.Answers) != 1 || probe.Answers[0].Text != "answer 1" || len(probe.Choices) != 3 || probe.Choices[0].Text != "answer 1" ||
		probe.Choices[0].Steps[0].Top != nil || len(probe.Divergences) != 16 || probe.Failure != nil {
		t.Errorf("%+v", probe)
	}
	if teacher := s.probes[eval.ProbeID{Model: "teacher", Query: "q1"}]; len(teacher.Divergences) != 0 || teacher.Incomparable != "" {
		t.Errorf("the reference is compared with itself: %+v", teacher)
	}
	if r := g.probed[5]; r.Texts[0] != " answer 2" || len(r.Reply) != 16 || r.Reference == nil {
		t.Errorf("%+v", r)
	}
	var names []string
	for _, phase := range s.phases {
		if name := phase.Model + " " + string(phase.Name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if want := "teacher load, teacher warmup, teacher answer, teacher probe, teacher unload, student load"; !strings.HasPrefix(strings.Join(names, ", "), want) {
		t.Errorf("phases %v", names)
	}
}

// TestProbesResume: what is there is not asked again, a failure is.
func TestProbesResume(t *testing.T) {
	s, g := newMemory(), &probing{told: told{answer: yes}, probe: known}
	p := probePlan(3, "A")
	for _, q := range []string{"q0", "q1", "q2"} {
		s.replies[eval.JobID{Model: "A", Query: q}] = eval.Reply{}
	}
	s.probes[eval.ProbeID{Model: "A", Query: "q0"}] = eval.Probe{}
	s.probes[eval.ProbeID{Model: "A", Query: "q1"}] = eval.Probe{Failure: &eval.Failure{Kind: eval.FailRefused}}
	if err := runner(p, s, g).Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(g.asked) != 0 || len(g.probed) != 2 || g.probed[0].Prompt != "prompt 1" || !g.unloaded {
		t.Errorf("asked %v, probed %+v", g.asked, g.probed)
	}
}

// TestUnableModel: a model that says nothing of one text for a reason that holds
// for all is asked no further.
func TestUnableModel(t *testing.T) {
	const why = "the server gives none"
	s, g := newMemory(), &probing{told: told{answer: yes}}
	g.probe = func(context.Context, eval.ProbeRequest) (out eval.ProbeReply, err error) {
		out.Forms, out.Choices, out.Unable = make([]likelihood.Form, 1), make([]likelihood.Form, 3), why
		return out, nil
	}
	if err := runner(probePlan(3, "A"), s, g).Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(g.probed) != 1 || s.probes[eval.ProbeID{Model: "A", Query: "q0"}].Unable != why {
		t.Errorf("%d probed, %+v", len(g.probed), s.probes)
	}
}

// TestUncomparedProbes: a probe that had no reply of the reference to compare on
// is made again once there is one, and not before.
func TestUncomparedProbes(t *testing.T) {
	s, p := newMemory(), probePlan(3, "student", "teacher")
	failing := true
	g := &probing{probe: known, told: told{answer: func(ctx context.Context, prompt string, n int) (eval.Reply, error) {
		if failing && prompt == "prompt 1" {
			return eval.Reply{}, refuse(false)
		}
		return withTokens(ctx, prompt, n)
	}}}
	gap := eval.ProbeID{Model: "student", Query: "q1"}
	run := func() (probed int) {
		before := len(g.probed)
		if err := runner(p, s, g).Run(t.Context(), t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(g.probed) - before
	}
	if n := run(); n != 6 || len(s.probes[gap].Divergences) != 0 || s.probes[gap].Incomparable != "" {
		t.Errorf("%d probes, %+v", n, s.probes[gap])
	}
	if n := run(); n != 0 {
		t.Errorf("%d probes without a reply to compare on", n)
	}
	failing = false
	delete(s.replies, eval.JobID{Model: "teacher", Query: "q1"}) // as of a model that was given up
	if n := run(); n != 1 || len(s.probes[gap].Divergences) != 16 {
		t.Errorf("%d probes, %+v", n, s.probes[gap])
	}
	s.probes[gap] = eval.Probe{Incomparable: "other vocabularies"}
	if n := run(); n != 0 {
		t.Errorf("%d probes of what cannot be compared", n)
	}
}

// TestProbeFailures: a server that dies while it is probed costs no answer and
// does not give the model up.
func TestProbeFailures(t *testing.T) {
	s := newMemory()
	g := &probing{told: told{answer: yes}, probe: func(context.Context, eval.ProbeRequest) (eval.ProbeReply, error) {
		return eval.ProbeReply{}, refuse(false)
	}}
	if err := runner(probePlan(20, "A"), s, g).Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.replies) != 20 || len(s.gaveUp) != 0 || len(s.probes) != eval.MaxConsecutiveFailures {
		t.Errorf("%d replies, given up %v, %d probes", len(s.replies), s.gaveUp, len(s.probes))
	}
	passing := &probing{told: told{answer: yes}}
	passing.probe = func(ctx context.Context, r eval.ProbeRequest) (eval.ProbeReply, error) {
		if len(passing.probed)%2 == 1 {
			return eval.ProbeReply{}, refuse(true)
		}
		return known(ctx, r)
	}
	s = newMemory()
	if err := runner(probePlan(5, "A"), s, passing).Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, p := range s.probes {
		if p.Failure != nil {
			t.Errorf("%v failed although asking again helps: %+v", id, p)
		}
	}
	short := &probing{told: told{answer: yes}, probe: func(context.Context, eval.ProbeRequest) (eval.ProbeReply, error) { return eval.ProbeReply{}, nil }}
	s = newMemory()
	if err := runner(probePlan(2, "A"), s, short).Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := s.probes[eval.ProbeID{Model: "A", Query: "q0"}]; p.Failure == nil || p.Failure.Kind != eval.FailMalformed {
		t.Errorf("a reply without forms: %+v", p)
	}
}

func TestProbeInterrupted(t *testing.T) {
	s, g := newMemory(), &probing{told: told{answer: yes}}
	drain, cancel := context.WithCancel(t.Context())
	g.probe = func(ctx context.Context, r eval.ProbeRequest) (eval.ProbeReply, error) {
		if len(g.probed) == 2 {
			cancel()
		}
		return known(ctx, r)
	}
	if err := runner(probePlan(10, "A"), s, g).Run(t.Context(), drain); !errors.Is(err, eval.ErrInterrupted) {
		t.Errorf("%v", err)
	}
	if len(s.probes) != 2 || len(s.replies) != 10 {
		t.Errorf("%d probes and %d replies are stored", len(s.probes), len(s.replies))
	}
	s.full = true
	for _, q := range []string{"q0", "q1", "q2"} {
		s.replies[eval.JobID{Model: "A", Query: q}] = eval.Reply{}
	}
	g.probe = known
	if err := runner(probePlan(3, "A"), s, g).Run(t.Context(), t.Context()); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("on a full disk: %v", err)
	}
}

func TestProbing(t *testing.T) {
	yes, no, some := true, false, 4
	exact, walks, none := eval.Capabilities{MaxTokens: true, Continuations: true}, eval.Capabilities{MaxTokens: true, Logprobs: 20, Walks: true}, eval.Capabilities{MaxTokens: true}
	for _, c := range []struct {
		l         eval.Likelihood
		has       eval.Capabilities
		want      eval.Probing
		cannot    bool
		otherKind bool
	}{
		{eval.Likelihood{}, exact, eval.Probing{Answers: true, Choice: true, FidelityTokens: 16}, false, false},
		{eval.Likelihood{}, walks, eval.Probing{Answers: true}, false, false},
		{eval.Likelihood{}, none, eval.Probing{}, false, false},
		{eval.Likelihood{}, exact, eval.Probing{Answers: true, Choice: true}, false, true},
		{eval.LikelihoodOff(), exact, eval.Probing{}, false, false},
		{eval.LikelihoodOff(), none, eval.Probing{}, false, false},
		{eval.Likelihood{Choice: &yes, FidelityTokens: &some}, walks, eval.Probing{Answers: true, Choice: true, FidelityTokens: 4}, false, false},
		{eval.Likelihood{Answers: &yes}, none, eval.Probing{}, true, false},
		{eval.Likelihood{Answers: &no}, none, eval.Probing{}, false, false},
		{eval.Likelihood{FidelityTokens: &some}, none, eval.Probing{}, true, false},
	} {
		p := probePlan(1, "student", "teacher")
		p.Likelihood = c.l
		for i := range p.Models {
			p.Models[i].Capabilities = c.has
			p.Models[i].Capabilities.Raw = true
			p.Models[i].Generation.Raw = true
		}
		if c.otherKind {
			p.Models[0].Provider = "another"
		}
		if got := p.Probing(p.Models[0]); got != c.want {
			t.Errorf("%+v with %+v: %+v, want %+v", c.l, c.has, got, c.want)
		}
		if err := p.Check(); (err != nil) != c.cannot {
			t.Errorf("%+v with %+v: %v", c.l, c.has, err)
		}
	}
}

func TestContinuation(t *testing.T) {
	for _, c := range [][2]string{{"The capital is", " Paris"}, {"The capital is ", "Paris"}, {"A:\n", " Paris"}, {"", " Paris"}} {
		if got := eval.Continuation(c[0], "Paris"); got != c[1] {
			t.Errorf("after %q: %q", c[0], got)
		}
	}
}

func TestLikelihoodScores(t *testing.T) {
	rec := eval.RunRecord{Plan: probePlan(2, "A")}
	m, q := rec.Plan.Models[0], rec.Plan.Queries.Queries[0]
	status := func(probe *eval.Probe, q queries.Query) (out []metrics.Status, reasons []string) {
		for _, s := range rec.LikelihoodScores(m, q, probe) {
			out, reasons = append(out, s.Status), append(reasons, s.Reason)
		}
		return out, reasons
	}
	step := []likelihood.Step{{Logprob: -1, Known: true, Rank: 2}}
	answers := []likelihood.Form{{Text: "a", Bytes: 2, Steps: step}}
	if got, _ := status(&eval.Probe{Answers: answers, Choices: append(answers, likelihood.Form{Text: "b", Bytes: 3, Steps: step})}, q); slices.Contains(got, metrics.Unscored) {
		t.Errorf("%v", got)
	}
	for _, c := range []struct {
		probe  *eval.Probe
		change func(*queries.Query)
		want   string
	}{
		{nil, func(*queries.Query) {}, "not asked for yet"},
		{&eval.Probe{Failure: &eval.Failure{Kind: eval.FailRefused, Message: "gone"}}, func(*queries.Query) {}, "refused: gone"},
		{&eval.Probe{Answers: answers}, func(q *queries.Query) { q.Category = "" }, "no category"},
		{&eval.Probe{Answers: answers}, func(*queries.Query) {}, "fewer than two candidates"},
	} {
		q := q
		c.change(&q)
		got, reasons := status(c.probe, q)
		if got[5] != metrics.Unscored || !strings.Contains(reasons[5], c.want) || (got[0] == metrics.Scored) != (c.probe != nil && c.probe.Failure == nil) {
			t.Errorf("%v, %q; want %q", got, reasons, c.want)
		}
	}
	rec.Unprobed = map[string]string{m.Name: "it says nothing"}
	if got, reasons := status(nil, q); got[0] != metrics.Unscored || reasons[0] != "it says nothing" {
		t.Errorf("%v, %q", got, reasons)
	}
	if got, _ := status(&eval.Probe{Answers: answers}, q); got[0] != metrics.Scored {
		t.Errorf("what was said before is gone: %v", got)
	}
	rec.Unprobed = nil
	m.Capabilities = eval.Capabilities{}
	if _, reasons := status(nil, q); !strings.Contains(reasons[0], "no log-probabilities") {
		t.Errorf("%q", reasons)
	}
}
