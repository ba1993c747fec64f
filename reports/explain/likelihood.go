package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/likelihood"
	"github.com/disteval/disteval/reports"
)

// probabilities shows what the model makes of each form of the answer, token by
// token with what it finds more probable, and of the candidates of the choice.
func (e *explanation) probabilities(p *eval.Probe) {
	if p == nil || p.Failure != nil {
		return
	}
	for _, f := range p.Answers {
		e.WriteByte('\n')
		lo, _ := f.Bits()
		switch {
		case f.Exact():
			e.line("answer", "%q: %.3f bits, %.3f per byte of %d", f.Text, lo, f.PerByte(), f.Bytes)
		case f.Reason != "":
			e.line("answer", "%q: not known: %s", f.Text, escape(f.Reason))
		default:
			e.line("answer", "%q: at least %.3f bits", f.Text, lo)
		}
		for _, s := range f.Steps {
			e.step(s)
		}
	}
	e.candidates(p.Choices)
	if p.Incomparable != "" {
		e.line("fidelity", "%s", escape(p.Incomparable))
	}
}

func (e *explanation) step(s likelihood.Step) {
	rank, p := fmt.Sprintf("rank %d", s.Rank), fmt.Sprintf("p %s", probability(s.Logprob))
	if !s.Known {
		rank, p = fmt.Sprintf("rank at least %d", s.Rank), "p at most "+probability(s.Logprob)
	}
	var top []string
	for _, a := range s.Top[:min(5, len(s.Top))] {
		top = append(top, fmt.Sprintf("%q %s", a.Text, probability(a.Logprob)))
	}
	e.line("", "%-16s %s, %.3f bits, %s; most probable: %s", fmt.Sprintf("%q", s.Text), p, max(0, -s.Logprob/math.Ln2), rank, strings.Join(top, ", "))
}

func probability(logprob float64) string {
	p := math.Exp(logprob)
	return reports.Significant(&p, 3)
}

// candidates lists what could be chosen, the most probable by byte first.
func (e *explanation) candidates(all []likelihood.Form) {
	if len(all) == 0 {
		return
	}
	e.WriteByte('\n')
	right := all[0].Text
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b likelihood.Form) int { return cmp.Compare(a.PerByte(), b.PerByte()) })
	for _, f := range sorted {
		mark := ""
		if f.Text == right {
			mark = "  (the right one)"
		}
		switch {
		case f.Exact():
			e.line("candidate", "%-24s %.3f bits per byte%s", fmt.Sprintf("%q", f.Text), f.PerByte(), mark)
		case f.Reason != "":
			e.line("candidate", "%-24s not known: %s%s", fmt.Sprintf("%q", f.Text), escape(f.Reason), mark)
		default:
			e.line("candidate", "%-24s at least %.3f bits per byte%s", fmt.Sprintf("%q", f.Text), f.PerByte(), mark)
		}
	}
}

// likelihoodFormula is how a score that follows from probabilities comes about.
func likelihoodFormula(s metrics.Score) string {
	bound := map[metrics.Bound]string{metrics.AtLeast: "; at least this: " + s.Reason, metrics.AtMost: "; at most this: " + s.Reason}[s.Bound]
	switch s.Metric {
	case metrics.AnswerBits:
		return "sum of -log2 p over the tokens of the most probable form" + escape(bound)
	case metrics.AnswerBitsPerByte:
		return "the same by its bytes, the space included" + escape(bound)
	case metrics.AnswerTop1, metrics.AnswerTop5, metrics.AnswerTop20:
		return "the first token of a form is among the " + strings.TrimPrefix(s.Metric, "answer_top") + " most probable"
	case metrics.Choice:
		return "the right candidate has strictly the fewest bits per byte"
	}
	return ""
}
