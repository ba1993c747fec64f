package session

import (
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/builtin"
	"github.com/disteval/disteval/eval/ollama/ollamatest"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/likelihood"
	"github.com/disteval/disteval/queries"
)

// TestWalkAgreesWithExact probes the same weights in this process and behind a
// real Ollama: what the walk knows exactly is the same, and no bound of it is
// contradicted.
func TestWalkAgreesWithExact(t *testing.T) {
	s := ollamatest.Start(t)
	set := queries.Builtin()
	providers := NewProviders(time.Minute)
	plan := eval.Plan{Queries: set, Parallel: 1}
	for _, name := range builtin.Names() {
		s.Create(t, name, filepath.Join("..", "builtin", "models", name+".gguf"), map[string]any{"num_ctx": 128, "num_thread": 1})
		plan.Models = append(plan.Models,
			eval.Model{Name: "exact " + name, Provider: eval.ProviderBuiltin, Model: name, Generation: eval.DefaultGeneration()},
			eval.Model{Name: "walked " + name, Provider: eval.ProviderOllama, Model: name, Host: s.URL, Generation: eval.DefaultGeneration()})
	}
	var err error
	if plan.Models, err = providers.Resolve(t.Context(), plan.Models); err != nil {
		t.Fatal(err)
	}
	var total counts
	for i := 0; i < len(plan.Models); i += 2 {
		exact, walked := prober(t, providers, plan.Models[i]), prober(t, providers, plan.Models[i+1])
		var c counts
		for _, q := range set.Queries {
			c.compare(t, plan, q, exact, walked)
		}
		t.Logf("%s: %+v", plan.Models[i+1].Name, c)
		total.exact, total.bounded, total.unknown = total.exact+c.exact, total.bounded+c.bounded, total.unknown+c.unknown
	}
	if total.exact == 0 || total.bounded == 0 || total.unknown > 0 {
		t.Errorf("%+v", total)
	}
}

// counts are how many figures of answer_bits came how.
type counts struct {
	exact, bounded, unknown int
	worst                   float64 // difference of exact ones, in bits
}

func prober(t *testing.T, p Providers, m eval.Model) eval.Prober {
	t.Helper()
	g, err := p.Open(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g.(eval.Prober)
}

func (c *counts) compare(t *testing.T, plan eval.Plan, q queries.Query, exact, walked eval.Prober) {
	t.Helper()
	r := eval.ProbeRequest{Prompt: q.Prompt}
	for _, form := range q.Answers() {
		r.Texts = append(r.Texts, eval.Continuation(q.Prompt, form))
	}
	probe := func(p eval.Prober) []metrics.Score {
		reply, err := p.Probe(t.Context(), r)
		if err != nil {
			t.Fatalf("%s: %v", q.ID, err)
		}
		return likelihood.Score(reply.Forms).Scores()
	}
	a, b := probe(exact), probe(walked)
	for i, s := range b {
		off := s.Value - a[i].Value
		within := max(0.02, 0.005*a[i].Value)
		switch {
		case s.Status == metrics.Unscored && i == 0:
			c.unknown++
			t.Errorf("%s: %s is not known: %s", q.ID, s.Metric, s.Reason)
		case s.Status == metrics.Unscored:
		case s.Bound == metrics.AtLeast && off > within, s.Bound == metrics.AtMost && off < -within, s.Bound == metrics.Exact && math.Abs(off) > within:
			t.Errorf("%s: walked %+v, exact %+v", q.ID, s, a[i])
		case i == 0 && s.Bound == metrics.Exact:
			c.exact++
			c.worst = max(c.worst, math.Abs(off))
		case i == 0:
			c.bounded++
		}
	}
}
