package reports_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/builtin"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
)

// draw asks the built-in queries of a model many times and tells which replies
// are right, by query and sample.
func draw(t *testing.T, name string, temperature float64, samples int) [][]float64 {
	t.Helper()
	m := eval.Model{Name: name, Provider: eval.ProviderBuiltin, Model: name, Generation: eval.DefaultGeneration()}
	m.Generation.Temperature, m.Generation.NumPredict = temperature, 4
	described, err := builtin.Provider{}.Resolve(t.Context(), []eval.Model{m})
	if err != nil {
		t.Fatal(err)
	}
	g, err := builtin.Provider{}.Open(described[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer g.Unload(t.Context())
	p := eval.Plan{Rules: eval.RulesNow, Samples: samples, Models: described, Queries: queries.Builtin()}
	scorer := scoring.New(scoring.Config{})
	var out [][]float64
	for _, q := range p.Queries.Queries {
		var right []float64
		for s := range samples {
			r, err := g.Generate(t.Context(), p.Request(described[0], q, s))
			if err != nil {
				t.Fatal(err)
			}
			scored, err := scorer.Score(t.Context(), scoring.Config{}.Pair(q, r.Text))
			if err != nil {
				t.Fatal(err)
			}
			right = append(right, *metrics.Find(scored.Scores, metrics.EM).Number())
		}
		out = append(out, right)
	}
	return out
}

// TestSamplesOfTheTrio holds the reported intervals of em, for one sample of
// every query and for five, to a simulation. That draws queries anew, and
// answers of each with the share of its samples that was right; the means that
// come of it must spread as widely as the intervals are wide. At temperature 0.8
// the miniatures hardly ever say two things, so five samples narrow nothing; at
// 1.5 the noise within a query is a third of the variance.
func TestSamplesOfTheTrio(t *testing.T) {
	for _, tt := range []struct {
		model       string
		temperature float64
		samples     int     // asked
		off         float64 // by how much, of the width, the interval may differ from the simulation
		narrower    float64 // what five samples must take off the width, at least; below 0: at most so much, either way
	}{
		{"mini-teacher", 0.8, 5, 0.08, -0.06},
		{"mini-student", 0.8, 5, 0.08, -0.06},
		{"mini-baby", 0.8, 5, 0.16, -0.12}, // 8 of 200 right: their share is skew, and the bootstrap's interval allows for that
		{"mini-student", 1.5, 10, 0.08, 0.08},
	} {
		right := draw(t, tt.model, tt.temperature, tt.samples)
		widths := make(map[int]float64)
		for _, k := range []int{1, 5} {
			reported, simulated := reportedWidth(t, right, k), simulatedWidth(right, k)
			widths[k] = reported
			t.Logf("%s at temperature %v, %d samples: the interval is %.4f wide, simulated %.4f", tt.model, tt.temperature, k, reported, simulated)
			if math.Abs(reported/simulated-1) > tt.off {
				t.Errorf("that is more than %v off", tt.off)
			}
		}
		if narrower := 1 - widths[5]/widths[1]; narrower < tt.narrower || tt.narrower < 0 && narrower > -tt.narrower {
			t.Errorf("%s at temperature %v: five samples make the interval %.3f narrower", tt.model, tt.temperature, narrower)
		}
	}
}

// reportedWidth is the width of em's interval in the report of k samples, the
// mean over all disjoint runs of k that there are.
func reportedWidth(t *testing.T, right [][]float64, k int) float64 {
	t.Helper()
	sum, runs := 0.0, 0
	for from := 0; from+k <= len(right[0]); from += k {
		r := built(t, drawn{queries: len(right), samples: k, text: func(int, int) string { return "x" },
			em: func(q, s int) float64 { return right[q][from+s] }})
		m := r.Models[0].Metric(metrics.EM)
		if want := map[int]string{1: "wilson", 5: "bootstrap"}[k]; !strings.Contains(strings.ToLower(m.Method), want) {
			t.Errorf("the interval of %d samples is by %s", k, m.Method)
		}
		sum += m.Hi - m.Lo
		runs++
	}
	return sum / float64(runs)
}

// simulatedWidth is how wide the middle 95 % of the means of simulated runs are.
func simulatedWidth(right [][]float64, k int) float64 {
	const runs = 4000
	random := rand.New(rand.NewPCG(3, uint64(k)))
	means := make([]float64, runs)
	for i := range means {
		for range right {
			of := right[random.IntN(len(right))]
			for range k {
				means[i] += of[random.IntN(len(of))] / float64(k*len(right))
			}
		}
	}
	slices.Sort(means)
	return means[runs*975/1000] - means[runs*25/1000]
}
