package text

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/disteval/disteval/reports"
)

// writeLadders writes what each quantisation keeps.
func writeLadders(b *strings.Builder, ladders []reports.Ladder) {
	for _, l := range ladders {
		fmt.Fprintf(b, "\n### Quantisations of %s\n\n", code(l.Base))
		b.WriteString("| Model | Stored as | Size | of the size | EM [95 %] | Answer bits | Same top | KLD | Right to wrong | Wrong to right | p | Wh per 1,000 | On the front of size | of energy |\n")
		b.WriteString("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|---|\n")
		for _, g := range l.Rungs {
			lost, won, p, same, kld := reports.None, reports.None, reports.None, reports.None, reports.None
			if g.Flips != nil {
				lost, won, p = fmt.Sprint(g.Flips.RightToWrong), fmt.Sprint(g.Flips.WrongToRight), escapeMarkdown(reports.PValue(&g.Flips.P))
			}
			if f := g.Fidelity; f != nil && f.Tokens > 0 {
				same, kld = share(f.SameTop1), reports.FidelityText(f.KLD, f.KLDBound)
			}
			cells(b, code(g.Model), prose(g.Kind), size(g.SizeBytes), reports.Percent(g.SizeShare, 0), meanInterval(g.EM), g.AnswerBits.MeanText(),
				same, kld, lost, won, p, reports.Wh(g.Energy.WhPer1000), front(g.SizeFront), front(g.EnergyFront))
		}
		bullets(b, "", l.Sentences)
	}
}

func size(bytes int64) string {
	if bytes <= 0 {
		return reports.None
	}
	return humanize.Bytes(uint64(bytes))
}

func front(is bool) string {
	if is {
		return "yes"
	}
	return reports.None
}

// ladder is a ladder in summary.json.
type ladder struct {
	Base      string   `json:"base"`
	Steps     []rung   `json:"steps"` // the model itself first
	Sentences []string `json:"sentences"`
}

type rung struct {
	Model        string    `json:"model"`
	Kind         string    `json:"kind"`
	SizeBytes    *int64    `json:"size_bytes"`
	SizeShare    *float64  `json:"size_share"`
	EM           metric    `json:"em"`
	AnswerBits   metric    `json:"answer_bits"`
	WhPer1000    *float64  `json:"wh_per_1000_queries"`
	EnergyShare  *float64  `json:"energy_share"`
	Kept         *float64  `json:"kept"`
	RightToWrong *int      `json:"right_to_wrong"`
	WrongToRight *int      `json:"wrong_to_right"`
	P            *float64  `json:"p"`
	Fidelity     *fidelity `json:"fidelity"` // to the model itself; null where that is not the run's reference
	SizeFront    bool      `json:"size_front"`
	EnergyFront  bool      `json:"energy_front"`
}

func laddersOf(ladders []reports.Ladder) []ladder {
	var out []ladder
	for _, l := range ladders {
		j := ladder{Base: l.Base, Sentences: list(l.Sentences)}
		for _, g := range l.Rungs {
			r := rung{Model: g.Model, Kind: g.Kind, SizeShare: finite(g.SizeShare), EM: metricOf(g.EM), AnswerBits: metricOf(g.AnswerBits),
				WhPer1000: finite(g.Energy.WhPer1000), EnergyShare: finite(g.EnergyShare), SizeFront: g.SizeFront, EnergyFront: g.EnergyFront}
			if g.Fidelity != nil {
				f := fidelityOf(*g.Fidelity)
				r.Fidelity = &f
			}
			if g.SizeBytes > 0 {
				r.SizeBytes = &g.SizeBytes
			}
			if f := g.Flips; f != nil {
				r.Kept, r.RightToWrong, r.WrongToRight, r.P = finite(f.Kept), &f.RightToWrong, &f.WrongToRight, finite(&f.P)
			}
			j.Steps = append(j.Steps, r)
		}
		out = append(out, j)
	}
	return out
}
