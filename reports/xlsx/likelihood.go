package xlsx

import (
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// likelihood writes what models know and do not say: every two of them on the
// queries that both get wrong, how far each lies from the reference, and the
// queries one by one.
func (b *workbook) likelihood(r reports.Report) error {
	return b.write("Likelihood", []block{rivals(r), fidelity(r), knowledge(r)}, nil)
}

func rivals(r reports.Report) block {
	type R = reports.Rivalry
	return table("", []field[R]{
		col("Model", text, func(p R) any { return p.A }),
		col("Other", text, func(p R) any { return p.B }),
		col("Queries that both get wrong", count, func(p R) any { return p.BothWrong.N }),
		col("Difference of answer bits", general, func(p R) any {
			return value(reports.Comparison{Comparison: p.BothWrong}.Delta())
		}),
		col("Difference 95 % low", general, func(p R) any { return given(p.BothWrong.HasInterval, p.BothWrong.Lo) }),
		col("Difference 95 % high", general, func(p R) any { return given(p.BothWrong.HasInterval, p.BothWrong.Hi) }),
		col("p", chance, func(p R) any { return given(p.BothWrong.N > 0, p.BothWrong.P) }),
		col("p, Holm-corrected", chance, func(p R) any { return value(p.PHolm) }).ruled(smallP),
		col("More bits", count, func(p R) any { return p.BothWrong.Wins }),
		col("Fewer bits", count, func(p R) any { return p.BothWrong.Losses }),
		col("Left open by bounds", count, func(p R) any { return p.BothWrong.Undecided }),
		col("Test", text, func(p R) any { return optional(p.BothWrong.Test) }),
	}, r.Rivals)
}

func fidelity(r reports.Report) block {
	type F = reports.Fidelity
	flips := func(of func(reports.Flips) int) func(F) any {
		return func(f F) any {
			if f.Flips == nil {
				return nil
			}
			return of(*f.Flips)
		}
	}
	return table("Fidelity to the reference, on its own replies; a distance, not a direction", []field[F]{
		col("Model", text, func(f F) any { return f.Model }),
		col("Reference", text, func(f F) any { return f.Reference }),
		col("Tokens compared", count, func(f F) any { return f.Tokens }),
		col("Same most probable token (share)", share, func(f F) any { return given(f.SameTop1.N > 0, f.SameTop1.Mean) }),
		col("Same 95 % low", share, func(f F) any { return given(f.SameTop1.HasInterval, f.SameTop1.Lo) }),
		col("Same 95 % high", share, func(f F) any { return given(f.SameTop1.HasInterval, f.SameTop1.Hi) }),
		col("KLD (nats)", general, func(f F) any { return given(f.KLD.N > 0, f.KLD.Mean) }),
		col("KLD 95 % low", general, func(f F) any { return given(f.KLD.HasInterval, f.KLD.Lo) }),
		col("KLD 95 % high", general, func(f F) any { return given(f.KLD.HasInterval, f.KLD.Hi) }),
		col("KLD median", general, func(f F) any { return value(f.KLDAt.P50) }),
		col("KLD p95", general, func(f F) any { return value(f.KLDAt.P95) }),
		col("KLD p99", general, func(f F) any { return value(f.KLDAt.P99) }),
		col("KLD highest", general, func(f F) any { return value(f.KLDAt.Max) }),
		col("KLD is", text, func(f F) any { return optional(boundName[f.KLDBound]) }),
		col("Change of probability, mean", general, func(f F) any { return given(f.DeltaP.N > 0, f.DeltaP.Mean) }),
		col("Change of probability, RMS", general, func(f F) any { return value(f.DeltaPRMS) }),
		col("Mean change is", text, func(f F) any { return optional(boundName[f.DeltaPBound]) }),
		col("Right to wrong", count, flips(func(f reports.Flips) int { return f.RightToWrong })),
		col("Wrong to right", count, flips(func(f reports.Flips) int { return f.WrongToRight })),
		col("Why not more", text, func(f F) any { return optional(f.Reason) }),
	}, r.Fidelity)
}

var boundName = map[metrics.Bound]string{metrics.AtLeast: "at least", metrics.AtMost: "at most"}

func knowledge(r reports.Report) block {
	type K = owned[reports.Knowledge]
	var all []K
	for _, m := range r.Models {
		for _, k := range m.Knowledge {
			all = append(all, K{m.Model.Name, k})
		}
	}
	return table("By query", []field[K]{
		col("Model", text, func(k K) any { return k.model }),
		col("Query", text, func(k K) any { return k.it.Query }),
		col("EM", count, func(k K) any { return value(k.it.EM) }),
		col("Answer bits", general, func(k K) any { return value(k.it.Bits) }),
		col("Bits are", text, func(k K) any { return optional(boundName[k.it.Bound]) }),
		col("Rank", count, func(k K) any {
			if k.it.Rank == 0 {
				return nil
			}
			return k.it.Rank
		}),
		col("Rank is", text, func(k K) any { return optional(boundName[k.it.RankBound]) }),
		col("Chosen", text, func(k K) any { return optional(k.it.Chosen) }),
		col("Known and not said", text, func(k K) any { return yesNo(k.it.Silent()) }),
	}, all)
}
