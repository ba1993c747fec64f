package text

import (
	"fmt"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/likelihood"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/reports"
)

// probabilities is the second table: what the models know and do not say. It is
// left out where nothing is known of any.
func probabilities(r reports.Report) (rows [][]string) {
	known := false
	rows = append(rows, []string{"Model", "Bits [95 %]", "Top 1", "Top 5", "Top 20", "Choice", "Chance"})
	for _, m := range r.Models {
		row := []string{m.Model.Name, bits(m.Metric(metrics.AnswerBits))}
		for _, name := range []string{metrics.AnswerTop1, metrics.AnswerTop5, metrics.AnswerTop20, metrics.Choice} {
			row = append(row, m.Metric(name).MeanText())
		}
		for _, def := range metrics.Likelihood() {
			known = known || m.Metric(def.Name).N > 0
		}
		rows = append(rows, append(row, reports.Fixed(m.Metric(metrics.Choice).Chance, 3)))
	}
	if !known {
		return nil
	}
	return rows
}

// bits is a mean with its interval, or with how many of its values are bounds.
func bits(m reports.Metric) string {
	if m.BoundedN == 0 {
		return meanInterval(m)
	}
	return fmt.Sprintf("%s (%d of %d)", m.MeanText(), m.BoundedN, m.N)
}

// bothWrong says for every two models how they differ where em says nothing.
func bothWrong(r reports.Report) (out []string) {
	for _, c := range r.Rivals {
		b := c.BothWrong
		if b.N == 0 {
			continue
		}
		head := fmt.Sprintf("Answer bits of %s less those of %s, on the %d queries that both get wrong: ", c.A, c.B, b.N)
		d := reports.Comparison{Comparison: b}.Delta()
		tail := fmt.Sprintf(" (%s, Holm-corrected)", reports.PText(c.PHolm))
		switch {
		case d == nil:
			out = append(out, fmt.Sprintf("%s%d higher, %d lower, %d alike, %d left open by bounds%s", head, b.Wins, b.Losses, b.Ties, b.Undecided, tail))
		case b.HasInterval:
			out = append(out, head+reports.Signed(d, 1)+" "+reports.Interval(&b.Lo, &b.Hi, 1)+tail)
		default:
			out = append(out, head+reports.Signed(d, 1)+tail)
		}
	}
	return out
}

// fidelityRows is the table of how far the models lie from the reference; nil
// where nothing was compared.
func fidelityRows(r reports.Report) (rows [][]string) {
	rows = append(rows, []string{"Model", "Tokens", "Same top [95 %]", "KLD", "KLD p95", "Δp", "Δp RMS", "Flips"})
	known := false
	for _, f := range r.Fidelity {
		known = known || f.Tokens > 0
		rows = append(rows, []string{f.Model, fmt.Sprint(f.Tokens), share(f.SameTop1), reports.FidelityText(f.KLD, f.KLDBound),
			reports.Fixed(f.KLDAt.P95, 4), reports.FidelityText(f.DeltaP, f.DeltaPBound), reports.Fixed(f.DeltaPRMS, 4), flipsText(f.Flips)})
	}
	if !known {
		return nil
	}
	return rows
}

func share(s stat.Summary) string {
	if s.N == 0 {
		return reports.None
	}
	if !s.HasInterval {
		return reports.Fixed(&s.Mean, 3)
	}
	return reports.Fixed(&s.Mean, 3) + " " + reports.Interval(&s.Lo, &s.Hi, 3)
}

func flipsText(f *reports.Flips) string {
	if f == nil {
		return reports.None
	}
	return fmt.Sprintf("-%d +%d", f.RightToWrong, f.WrongToRight)
}

// fidelityNote is what must stand beside every divergence.
const fidelityNote = "Divergence from the reference is a distance, not a direction: it does not say which model is right. Flips are right answers lost and won."

// gridOf makes a grid of rows, the models' names cut to fit.
func gridOf(rows [][]string) (g grid) {
	for i, row := range rows {
		if i > 0 {
			row[0] = fit(row[0], nameWidth)
		}
		g.add(row...)
	}
	return g
}

func writeProbabilities(b *strings.Builder, r reports.Report) {
	if rows := probabilities(r); rows != nil {
		b.WriteString("\n### Below exact match\n\nBits of surprise at the right answer (fewer is better), the rank of its first token, and the choice among the answers of its category.\n\n")
		markdownTable(b, rows)
		bullets(b, "", bothWrong(r))
	}
	if rows := fidelityRows(r); rows != nil {
		b.WriteString("\n### Fidelity\n\n")
		markdownTable(b, rows)
		b.WriteString("\n" + prose(fidelityNote) + "\n")
	}
	var why []string
	for _, f := range r.Fidelity {
		if f.Tokens == 0 {
			why = append(why, fmt.Sprintf("Predictions of %s and %s are not compared: %s.", f.Model, f.Reference, f.Reason))
		}
	}
	bullets(b, "", why)
}

func markdownTable(b *strings.Builder, rows [][]string) {
	for i, row := range rows {
		out := make([]string, len(row))
		for j, cell := range row {
			if i > 0 && j == 0 {
				out[j] = code(cell)
			} else {
				out[j] = escapeMarkdown(cell)
			}
		}
		cells(b, out...)
		if i == 0 {
			b.WriteString("|---" + strings.Repeat("|---:", len(row)-1) + "|\n")
		}
	}
}

// appendLikelihood writes what a probe says of one query.
func appendLikelihood(b []byte, p *eval.Probe) []byte {
	if p == nil || p.Failure != nil {
		return append(b, "null"...)
	}
	a := likelihood.Score(p.Answers)
	b = append(b, `{"form":`...)
	var form likelihood.Form
	if a.Form >= 0 {
		form = p.Answers[a.Form]
		b = appendString(b, form.Text)
	} else {
		b = append(b, "null"...)
	}
	b = appendNumber(append(b, `,"bits":`...), a.Bits.Number())
	b = appendNumber(append(b, `,"bits_per_byte":`...), a.PerByte.Number())
	b = appendStated(append(b, `,"bound":`...), string(a.Bits.Bound))
	if a.Rank > 0 {
		b = appendFloat(append(b, `,"rank":`...), float64(a.Rank))
	} else {
		b = append(b, `,"rank":null`...)
	}
	b = appendStated(append(b, `,"rank_bound":`...), string(a.RankBound))
	chosen := ""
	if len(p.Choices) > 0 {
		chosen = likelihood.Choose(p.Choices[0], p.Choices[1:]).Chosen
	}
	b = appendStated(append(b, `,"choice":`...), chosen)
	b = append(b, `,"tokens":[`...)
	for i, s := range form.Steps {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"text":`...), s.Text)
		if s.Known {
			b = append(appendFloat(append(b, `,"logprob":`...), s.Logprob), '}')
		} else {
			b = append(b, `,"logprob":null}`...)
		}
	}
	b = append(b, ']')
	if a.Bits.Reason != "" {
		b = appendString(append(b, `,"reason":`...), a.Bits.Reason)
	}
	return append(b, '}')
}

func appendNumber(b []byte, x *float64) []byte {
	if finite(x) == nil {
		return append(b, "null"...)
	}
	return appendFloat(b, *x)
}

func appendStated(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendString(b, s)
}

// The parts of summary.json that say what models know.
type rivalry struct {
	Model     string     `json:"model"`
	Other     string     `json:"other"`
	BothWrong comparison `json:"both_wrong"` // answer_bits on the queries that both get wrong
}

type fidelity struct {
	Model     string    `json:"model"`
	Reference string    `json:"reference"`
	Tokens    int       `json:"tokens"`
	Reason    *string   `json:"reason"`
	SameTop1  spread    `json:"same_top1"`
	KLD       kld       `json:"kld"`
	DeltaP    deltaP    `json:"delta_p"`
	Flips     *flipsOut `json:"flips"`
}

type spread struct {
	Mean *float64 `json:"mean"`
	CI95 *ci      `json:"ci95"`
}

type kld struct {
	spread
	P50   *float64 `json:"p50"`
	P95   *float64 `json:"p95"`
	P99   *float64 `json:"p99"`
	Max   *float64 `json:"max"`
	Bound *string  `json:"bound"`
}

type deltaP struct {
	spread
	RMS   *float64 `json:"rms"`
	Bound *string  `json:"bound"`
}

type flipsOut struct {
	RightToWrong int `json:"right_to_wrong"`
	WrongToRight int `json:"wrong_to_right"`
}

func rivalryOf(r reports.Rivalry) rivalry {
	c := comparisonOf(reports.Comparison{Metric: metrics.AnswerBits, Model: r.A, Reference: r.B, Comparison: r.BothWrong, PHolm: r.PHolm})
	return rivalry{Model: r.A, Other: r.B, BothWrong: c}
}

func fidelityOf(f reports.Fidelity) fidelity {
	out := fidelity{Model: f.Model, Reference: f.Reference, Tokens: f.Tokens, Reason: stated(f.Reason),
		SameTop1: spreadOf(f.SameTop1),
		KLD: kld{spread: spreadOf(f.KLD), P50: finite(f.KLDAt.P50), P95: finite(f.KLDAt.P95), P99: finite(f.KLDAt.P99),
			Max: finite(f.KLDAt.Max), Bound: stated(string(f.KLDBound))},
		DeltaP: deltaP{spread: spreadOf(f.DeltaP), RMS: finite(f.DeltaPRMS), Bound: stated(string(f.DeltaPBound))}}
	if f.Flips != nil {
		out.Flips = &flipsOut{f.Flips.RightToWrong, f.Flips.WrongToRight}
	}
	return out
}

func spreadOf(s stat.Summary) spread {
	if s.N == 0 {
		return spread{}
	}
	return spread{Mean: finite(&s.Mean), CI95: interval(s.HasInterval, s.Lo, s.Hi)}
}
