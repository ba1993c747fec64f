package reports

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/likelihood"
	"github.com/disteval/disteval/queries"
)

// knowing is a plan of n queries and two models, the first the reference.
func knowing(n int) eval.Plan {
	p := eval.Plan{Models: []eval.Model{{Name: "teacher", Role: eval.RoleReference}, {Name: "student"}}}
	for i := range n {
		p.Queries.Queries = append(p.Queries.Queries, queries.Query{ID: string(rune('a' + i%26))})
	}
	return p
}

// tallyOf has a model's em and answer_bits by query; what is bounded is at
// least so much.
func tallyOf(p eval.Plan, m eval.Model, em, bits []float64, bounded ...int) *tally {
	t := newTallies(eval.RunRecord{Plan: eval.Plan{Queries: p.Queries, Samples: p.Samples, Models: []eval.Model{m}}})[0]
	t.ownScores()
	for q := range em {
		t.values[metrics.EM][q], t.values[metrics.AnswerBits][q] = em[q], bits[q]
		if slices.Contains(bounded, q) {
			t.probed.bounds[metrics.AnswerBits][q] = boundOf(metrics.AtLeast)
		}
	}
	return t
}

func ramp(n int, from, step float64) (xs []float64) {
	for i := range n {
		xs = append(xs, from+step*float64(i))
	}
	return xs
}

func TestMeanWithBounds(t *testing.T) {
	p := knowing(4)
	bits, _ := metrics.Named(metrics.AnswerBits)
	whole := tallyOf(p, p.Models[1], make([]float64, 4), []float64{1, 2, 3, 6})
	if m := whole.mean(bits); m.Mean != 3 || m.Bound != metrics.Exact || !m.HasInterval || m.MeanText() != "3.0" {
		t.Errorf("%+v", m)
	}
	part := tallyOf(p, p.Models[1], make([]float64, 4), []float64{1, 2, 3, 6}, 3)
	if m := part.mean(bits); m.Mean != 3 || m.Bound != metrics.AtLeast || m.BoundedN != 1 || m.HasInterval || m.MeanText() != "≥ 3.0" || m.IntervalText() != None {
		t.Errorf("%+v", m)
	}
	part.probed.bounds[metrics.AnswerBits][0] = boundOf(metrics.AtMost)
	if m := part.mean(bits); m.Mean != 11.0/4 || m.Bound != metrics.AtLeast || m.BoundedN != 2 {
		t.Errorf("an upper bound among lower ones counts as nothing: %+v", m)
	}
	part.probed.bounds[metrics.AnswerBits][3] = boundOf(metrics.Exact)
	if m := part.mean(bits); m.Mean != 3 || m.Bound != metrics.AtMost || m.MeanText() != "≤ 3.0" {
		t.Errorf("%+v", m)
	}
}

// TestRivals: on what both get wrong, bits tell two models apart; bounds leave
// the exact sign test, and what they leave open is counted.
func TestRivals(t *testing.T) {
	const n = 24
	p := knowing(n)
	em := make([]float64, n)
	em[0] = 1 // the teacher alone is right
	a, b := tallyOf(p, p.Models[0], em, ramp(n, 1, 0.5)), tallyOf(p, p.Models[1], make([]float64, n), ramp(n, 4, 0.6))
	r := rivals(p, []*tally{a, b})
	if len(r) != 1 || r[0].BothWrong.N != n-1 || r[0].BothWrong.Difference > -3 || r[0].BothWrong.P > 0.01 || r[0].PHolm == nil {
		t.Fatalf("%+v", r)
	}
	said := beyondEM(r)
	if len(said) != 1 || !strings.Contains(said[0], "no difference in exact match can be told") || !strings.Contains(said[0], "teacher gives the right answer 4.1 bits less surprise than student") {
		t.Errorf("%q", said)
	}
	b = tallyOf(p, p.Models[1], make([]float64, n), ramp(n, 4, 0.6), 2, 5)
	b.values[metrics.AnswerBits][5] = 0.5 // a bound below the teacher's figure leaves it open
	r = rivals(p, []*tally{a, b})
	c := Comparison{Comparison: r[0].BothWrong}
	if c.Test != "sign-exact" || c.Undecided != 1 || c.Losses != n-2 || c.Delta() != nil || c.HasInterval {
		t.Errorf("%+v", c)
	}
	if said := beyondEM(r); len(said) != 1 || !strings.Contains(said[0], "on 23 of the 23 queries that the bounds decide") {
		t.Errorf("%q", said)
	}
	differs := make([]float64, n)
	for i := range differs {
		differs[i] = 1
	}
	r = rivals(p, []*tally{tallyOf(p, p.Models[0], differs, ramp(n, 3, 0.1)), tallyOf(p, p.Models[1], make([]float64, n), ramp(n, 3, 0.1))})
	if said := beyondEM(r); len(said) != 1 || !strings.Contains(said[0], "differ in exact match") {
		t.Errorf("%q", said)
	}
	if r := rivals(p, newTallies(eval.RunRecord{Plan: p})); len(r) != 0 {
		t.Errorf("of models that gave no probability: %+v", r)
	}
}

func TestFidelity(t *testing.T) {
	p := knowing(3)
	ref, m := tallyOf(p, p.Models[0], []float64{1, 1, 0}, ramp(3, 1, 1)), tallyOf(p, p.Models[1], []float64{0, 1, 1}, ramp(3, 1, 1))
	m.probed.divergences = make([][]likelihood.Divergence, 3)
	m.probed.divergences[0] = []likelihood.Divergence{{SameTop1: true, KLD: 0, DeltaP: 0.5}, {KLD: 2, DeltaP: -0.5}}
	m.probed.divergences[2] = []likelihood.Divergence{{SameTop1: true, KLD: 1, DeltaP: 0}, {SameTop1: true, KLD: 1, DeltaP: 0}}
	f := fidelity(p, []*tally{ref, m})[0]
	if f.Tokens != 4 || f.SameTop1.Mean != 0.75 || f.KLD.Mean != 1 || f.DeltaP.Mean != 0 || math.Abs(*f.DeltaPRMS-math.Sqrt(0.125)) > 1e-12 ||
		*f.KLDAt.P50 != 1 || *f.KLDAt.Max != 2 || f.KLDBound != "" || !f.KLD.HasInterval || f.Flips.RightToWrong != 1 || f.Flips.WrongToRight != 1 || f.Reason != "" {
		t.Errorf("%+v", f)
	}
	for i := range p.Models {
		p.Models[i].Capabilities.Continuations = true
	}
	if f = fidelity(p, []*tally{ref, m})[0]; !strings.HasPrefix(f.Reason, "1 of 3 queries are not compared") {
		t.Errorf("where the reference has no reply to one: %q", f.Reason)
	}
	m.probed.divergences[2][0].KLDBound, m.probed.divergences[0][1].DeltaPBound = metrics.AtLeast, metrics.AtMost
	f = fidelity(p, []*tally{ref, m})[0]
	if f.KLDBound != metrics.AtLeast || f.KLD.HasInterval || f.DeltaPBound != metrics.AtMost || f.DeltaP.HasInterval || FidelityText(f.KLD, f.KLDBound) != "≥ 1.0000" {
		t.Errorf("%+v", f)
	}
	m.probed.divergences, m.probed.incomparable = make([][]likelihood.Divergence, 3), "its vocabulary is not the reference's"
	if f = fidelity(p, []*tally{ref, m})[0]; f.Tokens != 0 || f.DeltaPRMS != nil || f.Flips == nil || !strings.Contains(f.Reason, "vocabulary") {
		t.Errorf("of other vocabularies only flips: %+v", f)
	}
}

func TestKnowledge(t *testing.T) {
	p := knowing(3)
	m := tallyOf(p, p.Models[1], []float64{0, 0, 1}, []float64{1, 2, 3}, 1)
	m.values[metrics.Choice][0], m.values[metrics.Choice][2] = 1, 1
	m.probed.ranks[1] = ranked{21, metrics.AtLeast}
	got := m.knowledge(p)
	if len(got) != 3 || !got[0].Silent() || got[1].Silent() || got[2].Silent() || got[1].Bound != metrics.AtLeast || got[1].Rank != 21 {
		t.Errorf("%+v", got)
	}
}

// TestUnknownBits: a model that cannot tell is named with the reason, unless
// nobody wants to know.
func TestUnknownBits(t *testing.T) {
	p := knowing(3)
	m := tallyOf(p, p.Models[1], []float64{0, 0, 1}, []float64{1, 2, 3}, 1)
	p.Models = []eval.Model{{Name: "mute", Provider: "openai", ProviderVersion: "fake 1", Generation: eval.Generation{Raw: true}}}
	m.replies = 3
	if got := unknownBits(p, []*tally{m}); len(got) != 1 || got[0] != "mute: how probable the right answers are to it is not known: provider openai gives no log-probabilities of answers (fake 1)." {
		t.Errorf("%q", got)
	}
	p.Models[0].Generation.Raw = false
	if got := unknownBits(p, []*tally{m}); len(got) != 1 || !strings.Contains(got[0], "in a chat") {
		t.Errorf("%q", got)
	}
	off := false
	p.Likelihood.Answers = &off
	if got := unknownBits(p, []*tally{m}); got != nil {
		t.Errorf("switched off: %q", got)
	}
}
