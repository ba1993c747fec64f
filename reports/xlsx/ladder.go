package xlsx

import (
	"fmt"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// ladders writes a table for each model with quantisations: what every step
// keeps, and at what size and energy.
func ladders(all []reports.Ladder) []block {
	var out []block
	for _, l := range all {
		b := table(fmt.Sprintf("Quantisations of %s", l.Base), ladderFields(), l.Rungs)
		b.lines = l.Sentences
		out = append(out, b)
	}
	return out
}

func ladderFields() []field[reports.Rung] {
	type G = reports.Rung
	flips := func(of func(reports.Flips) any) func(G) any {
		return func(g G) any {
			if g.Flips == nil {
				return nil // the model itself
			}
			return of(*g.Flips)
		}
	}
	fidelity := func(of func(reports.Fidelity) any) func(G) any {
		return func(g G) any {
			if g.Fidelity == nil || g.Fidelity.Tokens == 0 {
				return nil
			}
			return of(*g.Fidelity)
		}
	}
	return []field[G]{
		col("Model", text, func(g G) any { return g.Model }),
		col("Stored as", text, func(g G) any { return optional(g.Kind) }),
		col("Size (MB)", general, func(g G) any { return given(g.SizeBytes > 0, float64(g.SizeBytes)/1e6) }),
		col("Share of the size", share, func(g G) any { return value(g.SizeShare) }),
		col("EM", share, func(g G) any { return given(g.EM.N > 0, g.EM.Mean) }),
		col("EM 95 % low", share, func(g G) any { return given(g.EM.HasInterval, g.EM.Lo) }),
		col("EM 95 % high", share, func(g G) any { return given(g.EM.HasInterval, g.EM.Hi) }),
		col("Answer bits", kindOf(metrics.AnswerBits), func(g G) any { return given(g.AnswerBits.N > 0, g.AnswerBits.Mean) }),
		col("Bits are", text, func(g G) any { return optional(boundName[g.AnswerBits.Bound]) }),
		col("Same most probable token (share)", share, fidelity(func(f reports.Fidelity) any { return given(f.SameTop1.N > 0, f.SameTop1.Mean) })),
		col("KLD (nats)", general, fidelity(func(f reports.Fidelity) any { return given(f.KLD.N > 0, f.KLD.Mean) })),
		col("KLD is", text, fidelity(func(f reports.Fidelity) any { return optional(boundName[f.KLDBound]) })),
		col("Kept of the right answers (share)", share, flips(func(f reports.Flips) any { return value(f.Kept) })),
		col("Right to wrong", count, flips(func(f reports.Flips) any { return f.RightToWrong })),
		col("Wrong to right", count, flips(func(f reports.Flips) any { return f.WrongToRight })),
		col("p", chance, flips(func(f reports.Flips) any { return given(f.N > 0, f.P) })),
		col("Wh per 1,000 queries", general, func(g G) any { return value(g.Energy.WhPer1000) }),
		col("Share of the energy", share, func(g G) any { return value(g.EnergyShare) }),
		col("On the front of size", text, func(g G) any { return yesNo(g.SizeFront) }),
		col("On the front of energy", text, func(g G) any { return yesNo(g.EnergyFront) }),
	}
}
