package likelihood

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/disteval/disteval/metrics"
)

// TestDiverge has the figures of two distributions worked out by hand.
func TestDiverge(t *testing.T) {
	ln := func(ps ...float64) LogSoftmax {
		var out []float32
		for _, p := range ps {
			out = append(out, float32(math.Log(p))+3) // logits may be shifted
		}
		l, ok := NewLogSoftmax(out)
		if !ok {
			t.Fatal(out)
		}
		return l
	}
	d := Diverge(ln(0.5, 0.25, 0.25), ln(0.25, 0.25, 0.5), 0)
	if want := 0.25 * math.Ln2; d.SameTop1 || math.Abs(d.KLD-want) > 1e-6 || math.Abs(d.DeltaP+0.25) > 1e-6 || d.KLDBound != "" {
		t.Errorf("%+v, want kld %v", d, want)
	}
	d = Diverge(ln(0.7, 0.3), ln(0.7, 0.3), 1)
	if !d.SameTop1 || d.KLD != 0 || d.DeltaP != 0 {
		t.Errorf("%+v of a model and itself", d)
	}
	nan := float32(math.NaN())
	for _, bad := range [][]float32{{0, nan}, {float32(math.Inf(1)), 0}, {0, float32(math.Inf(-1))}, {}} {
		if _, ok := NewLogSoftmax(bad); ok {
			t.Errorf("probabilities from %v", bad)
		}
	}
}

// TestDivergeTop: of random distributions, the 20 most probable tokens give the
// same top, never more than the divergence, and the probability or its bound.
func TestDivergeTop(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	var sum, bound float64
	for range 2000 {
		p, q := make([]float32, 300), make([]float32, 300)
		for i := range p {
			p[i] = float32(3 * random.NormFloat64())
			q[i] = p[i] + float32(random.NormFloat64())
		}
		lp, _ := NewLogSoftmax(p)
		token := top(p)[random.IntN(20)].ID
		lq, _ := NewLogSoftmax(q)
		exact := Diverge(lp, lq, token)
		d, ok := DivergeTop(top(p), top(q), token, lp.At(p[token]))
		if !ok || d.SameTop1 != exact.SameTop1 || d.KLD > exact.KLD+1e-6 || d.KLDBound != metrics.AtLeast {
			t.Fatalf("%+v, exactly %+v", d, exact)
		}
		if d.DeltaPBound == metrics.Exact && math.Abs(d.DeltaP-exact.DeltaP) > 1e-6 || d.DeltaP < exact.DeltaP-1e-6 {
			t.Fatalf("%+v, exactly %+v", d, exact)
		}
		sum, bound = sum+exact.KLD, bound+d.KLD
	}
	if bound < sum/2 {
		t.Errorf("the bounds hold %v of %v", bound, sum)
	}
}

func top(logits []float32) []Alternative {
	l, _ := NewLogSoftmax(logits)
	all := make([]Alternative, len(logits))
	for i, v := range logits {
		all[i] = Alternative{ID: i, Logprob: l.At(v)}
	}
	slices.SortFunc(all, func(a, b Alternative) int { return cmp.Compare(b.Logprob, a.Logprob) })
	return all[:20]
}

func TestDivergeTopNeedsIDs(t *testing.T) {
	known, unknown := []Alternative{{ID: 1}}, []Alternative{{ID: -1}}
	for _, c := range []struct {
		a, b  []Alternative
		token int
	}{{unknown, known, 1}, {known, unknown, 1}, {known, known, -1}} {
		if _, ok := DivergeTop(c.a, c.b, c.token, -1); ok {
			t.Errorf("%+v: tokens without IDs were told apart", c)
		}
	}
}
