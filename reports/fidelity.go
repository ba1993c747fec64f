package reports

import (
	"fmt"
	"math"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/likelihood"
	"github.com/disteval/disteval/metrics/stat"
)

// fidelity compares every other model with the reference.
func fidelity(p eval.Plan, t []*tally) []Fidelity {
	ref := slices.IndexFunc(p.Models, func(m eval.Model) bool { return m.Role == eval.RoleReference })
	if ref < 0 {
		return nil
	}
	var out []Fidelity
	for i, m := range p.Models {
		if i == ref {
			continue
		}
		f := Fidelity{Model: m.Name, Reference: p.Models[ref].Name, Reason: t[i].probed.incomparable}
		if counted := flips(t[ref], t[i]); counted.N > 0 {
			f.Flips = counted
		}
		f.predictions(t[i].probed.divergences)
		if f.Reason == "" {
			f.Reason = t[i].uncompared(p, m)
		}
		out = append(out, f)
	}
	return out
}

// uncompared says why there is nothing to compare, or less than was asked for,
// where no probe does.
func (t *tally) uncompared(p eval.Plan, m eval.Model) string {
	missing := t.probed.queries
	for _, ds := range t.probed.divergences {
		if len(ds) > 0 {
			missing--
		}
	}
	asked := p.Probing(m).FidelityTokens > 0
	switch {
	case asked && missing > 0:
		return fmt.Sprintf("%d of %d queries are not compared, for want of the reference's reply or of this model's probabilities", missing, t.probed.queries)
	case missing == t.probed.queries:
		return "not asked for: likelihood.fidelity in the models file asks, where both models give log-probabilities"
	}
	return ""
}

// predictions sums the positions up; those of one reply are one cluster.
func (f *Fidelity) predictions(byQuery [][]likelihood.Divergence) {
	var same, kld, delta [][]float64
	var all []float64
	squares := 0.0
	for _, ds := range byQuery {
		if len(ds) == 0 {
			continue
		}
		var s, k, d []float64
		for _, x := range ds {
			top := 0.0
			if x.SameTop1 {
				top = 1
			}
			s, k, d = append(s, top), append(k, x.KLD), append(d, x.DeltaP)
			size := x.DeltaP
			if x.KLDBound != metrics.Exact {
				f.KLDBound = x.KLDBound
			}
			if x.DeltaPBound != metrics.Exact {
				f.DeltaPBound, size = x.DeltaPBound, min(0, x.DeltaP) // at most: what is below 0 is at least so far off
			}
			squares += size * size
		}
		same, kld, delta, all = append(same, s), append(kld, k), append(delta, d), append(all, k...)
	}
	f.Tokens = len(all)
	f.SameTop1, f.KLD, f.DeltaP = stat.MeanClustered(same, seed), stat.MeanClustered(kld, seed), stat.MeanClustered(delta, seed)
	if f.Tokens == 0 {
		return
	}
	if f.KLDBound != metrics.Exact {
		f.KLD.HasInterval = false
	}
	if f.DeltaPBound != metrics.Exact {
		f.DeltaP.HasInterval = false
	}
	rms := math.Sqrt(squares / float64(f.Tokens))
	f.DeltaPRMS = &rms
	slices.Sort(all)
	at := func(p float64) *float64 {
		v, _ := stat.Percentile(all, p)
		return &v
	}
	f.KLDAt.P50, f.KLDAt.P95, f.KLDAt.P99, f.KLDAt.Max = at(0.5), at(0.95), at(0.99), at(1)
}
