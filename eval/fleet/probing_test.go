package fleet_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/fleet"
	"github.com/disteval/disteval/metrics/likelihood"
)

// tokensOf are those of an answer that others are compared on.
func tokensOf(r eval.Request) (out []eval.Token) {
	for i := range r.Tokens {
		out = append(out, eval.Token{ID: len(r.Prompt) + i, Text: "t", Logprob: -0.5})
	}
	return out
}

// Probe says of every text what follows from it and the prompt alone.
func (g *echo) Probe(ctx context.Context, r eval.ProbeRequest) (out eval.ProbeReply, err error) {
	g.log.add("probe %s %s", g.model, r.Prompt)
	select {
	case <-ctx.Done():
		return out, ctx.Err()
	case <-time.After(g.delay):
	}
	if g.fail != nil {
		if err := g.fail("probe " + r.Prompt); err != nil {
			return out, err
		}
	}
	look := func(texts []string) (forms []likelihood.Form) {
		for _, text := range texts {
			logprob := -float64(len(g.model+r.Prompt+text)) / 3
			forms = append(forms, likelihood.Form{Text: text, Bytes: len(text), Steps: []likelihood.Step{{Text: text, Logprob: logprob, Known: true, Rank: 1 + len(text),
				Top: []eval.Alternative{{Text: "x", Logprob: -0.1}}}}})
		}
		return forms
	}
	out.Forms, out.Choices, out.Unable = look(r.Texts), look(r.Choices), g.unable
	if ref, ok := r.Reference.(*echo); ok {
		for _, t := range r.Reply {
			out.Divergences = append(out.Divergences, likelihood.Divergence{KLD: 1 / float64(t.ID+len(ref.model)), DeltaP: -0.25})
		}
	} else if r.Reply != nil {
		out.Incomparable = "no reference"
	}
	return out, nil
}

// probing lets a worker's models be probed.
func probing(w *fleet.Worker) *fleet.Worker {
	serve := w.Serve
	w.Serve = func(ctx context.Context) ([]eval.Model, error) {
		models, err := serve(ctx)
		for i := range models {
			models[i].Capabilities.Continuations, models[i].Capabilities.Logprobs = true, 20
		}
		return models, err
	}
	return w
}

// probedPlan has a reference, and candidates to choose from.
func probedPlan(n int) eval.Plan {
	p := planOf(n, "teacher", "student")
	p.Models[0].Role = eval.RoleReference
	for i := range p.Queries.Queries {
		p.Queries.Queries[i].Keyword, p.Queries.Queries[i].Category = fmt.Sprintf("keyword %d", i), fmt.Sprint(i/4)
	}
	return p
}

// wantedProbes are those of a run of a plan on one machine.
func wantedProbes(t *testing.T, p eval.Plan) map[eval.ProbeID]eval.Probe {
	t.Helper()
	out := map[eval.ProbeID]eval.Probe{}
	for i, m := range p.Models {
		for _, q := range p.Queries.Queries {
			r, forms, candidates := p.ProbeRequest(m, q)
			if i > 0 {
				r.Reference, r.Reply = &echo{model: p.Models[0].Model}, tokensOf(p.Request(p.Models[0], q, 0))
			}
			said, err := (&echo{model: m.Model}).Probe(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			probe := eval.Probe{ProbeID: eval.ProbeID{Model: m.Name, Query: q.ID}}
			probe.Fill(said, forms, candidates)
			out[probe.ProbeID] = probe
		}
	}
	return out
}

func checkProbes(t *testing.T, got map[eval.ProbeID]eval.Probe, p eval.Plan) {
	t.Helper()
	want := wantedProbes(t, p)
	n := 0
	for id, w := range want {
		diff := cmp.Diff(w, got[id], cmpopts.IgnoreFields(eval.Probe{}, "Start", "End", "Host"), cmpopts.EquateEmpty())
		if got[id].Host == "" {
			diff += "no host"
		}
		if n < 3 && diff != "" {
			t.Errorf("%v: -want +got\n%s", id, diff)
			n++
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d probes, want %d", len(got), len(want))
	}
}

// TestProbesOnWorkers: what the models are probed for is what one machine has,
// and is asked after the questions; who lacks the reference does not compare.
func TestProbesOnWorkers(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{Audit: 0.1})
	var logs [3]journal
	for i := range logs {
		name, models := fmt.Sprintf("w%d", i), []string{"teacher", "student"}
		start(t, loud(t, probing(worker(name, echo{delay: time.Millisecond, log: &logs[i]}, models[min(i/2, 1):]...))), dialWorker(t, s, name))
	}
	p := resolve(t, c, probedPlan(60))
	if asks := p.Probing(p.Models[1]); !asks.Answers || !asks.Choice || asks.FidelityTokens == 0 {
		t.Fatalf("the student is probed for %+v", asks)
	}
	store, err := ask(t, s, c, p)
	if err != nil {
		t.Fatal(err)
	}
	check(t, store.texts(), wanted(p))
	checkProbes(t, store.probes, p)
	if len(store.twice) > 0 {
		t.Errorf("stored twice: %v", store.twice)
	}
	for id, probe := range store.probes {
		covered := false
		for _, ph := range store.phases {
			covered = covered || ph.Name == eval.PhaseProbe && ph.Model == id.Model && ph.Host == probe.Host && !probe.Start.Before(ph.Start) && !probe.End.After(ph.End)
		}
		if !covered {
			t.Errorf("%v on %s is in no probe phase", id, probe.Host)
		}
	}
	for _, entry := range logs[2].all() {
		if strings.HasPrefix(entry, "probe ") {
			t.Fatalf("a worker without the reference: %s", entry)
		}
	}
}

// TestReferenceNowhere: where no worker has both models, everything but the
// comparison is there.
func TestReferenceNowhere(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{})
	start(t, loud(t, probing(worker("a", echo{}, "teacher"))), dialWorker(t, s, "a"))
	start(t, loud(t, probing(worker("b", echo{}, "student"))), dialWorker(t, s, "b"))
	p := resolve(t, c, probedPlan(8))
	store, err := ask(t, s, c, p)
	if err != nil {
		t.Fatal(err)
	}
	if len(store.probes) != 16 {
		t.Errorf("%d probes", len(store.probes))
	}
	for id, probe := range store.probes {
		apart := strings.Contains(probe.Incomparable, "worker b cannot load the reference")
		if len(probe.Answers) != 1 || len(probe.Choices) != 4 || apart != (id.Model == "STUDENT") {
			t.Errorf("%+v", probe)
		}
	}
}

// TestProbesFail: a model that cannot be probed has answered all the same, and
// is probed by a resumption.
func TestProbesFail(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{})
	broken := echo{fail: func(prompt string) error {
		if strings.HasPrefix(prompt, "probe ") {
			return &eval.Failure{Kind: eval.FailStatus, Message: "broken"}
		}
		return nil
	}}
	stop := start(t, loud(t, probing(worker("a", broken, "teacher", "student"))), dialWorker(t, s, "a"))
	p := resolve(t, c, probedPlan(20))
	store, err := ask(t, s, c, p)
	if err != nil {
		t.Fatal(err)
	}
	check(t, store.texts(), wanted(p))
	if len(store.gaveUp) > 0 || len(store.probes) != 10 {
		t.Errorf("given up: %v; %d probes", store.gaveUp, len(store.probes))
	}
	stop()
	store.twice, store.probes = nil, map[eval.ProbeID]eval.Probe{}
	start(t, loud(t, probing(worker("b", echo{unable: "what one host says stands for no other"}, "teacher", "student"))), dialWorker(t, s, "b"))
	resolve(t, c, p)
	if err := c.Ask(t.Context(), t.Context(), fleet.Run{ID: "run-1", Plan: p, Store: store, Process: 2, Observer: quiet{}}); err != nil {
		t.Fatal(err)
	}
	checkProbes(t, store.probes, p)
	if len(store.twice) > 0 {
		t.Errorf("asked again: %v", store.twice)
	}
}

// TestHostileProbes: probabilities that nobody was asked for are not believed.
func TestHostileProbes(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{})
	start(t, probing(worker("a", echo{delay: 5 * time.Millisecond}, "teacher", "student")), dialWorker(t, s, "a"))
	bad := dialWorker(t, s, "mallory")
	start(t, worker("mallory", echo{}, "other"), bad)
	p := resolve(t, c, probedPlan(20))
	go func() {
		js, _ := jetstream.New(bad)
		for job := range 20 {
			invented := fmt.Sprintf(`{"key":"x-2-%d-0-x","model":2,"job":%d,"probe":{"Start":"2026-01-01T00:00:00Z","End":"2026-01-01T00:00:00Z","Failure":{"kind":"generation","message":"no"}}}`, job, job)
			for range 50 { // until there is a stream
				if _, err := js.Publish(t.Context(), "disteval.r.run-1.mallory", []byte(invented), jetstream.WithRetryAttempts(0)); err == nil {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
	}()
	store, err := ask(t, s, c, p)
	if err != nil {
		t.Fatal(err)
	}
	checkProbes(t, store.probes, p)
	for id, probe := range store.probes {
		if probe.Host != "a" {
			t.Errorf("%v is of %s", id, probe.Host)
		}
	}
}
