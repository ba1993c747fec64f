package likelihood

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/disteval/disteval/metrics"
)

// Answer is what a model makes of the forms of one query's answer.
type Answer struct {
	Form      int              // the most probable form that is known, or that bounds the others; -1 without one
	Bits      metrics.Score    // answer_bits
	PerByte   metrics.Score    // answer_bits_per_byte
	Rank      int              // the best of any form's first token; 0: not known
	RankBound metrics.Bound    // AtLeast where no form's rank is known to be so good
	Top       [3]metrics.Score // answer_top1, answer_top5, answer_top20
}

// Scores lists the answer's scores in canonical order.
func (a Answer) Scores() []metrics.Score {
	return []metrics.Score{a.Bits, a.PerByte, a.Top[0], a.Top[1], a.Top[2]}
}

// Score derives an answer's scores from all forms of it. The form with the
// fewest bits counts. A form of which only a bound is known leaves an exact one
// exact where it cannot have fewer bits; otherwise the bits are at least the
// smallest bound. A form of which nothing is known makes what the others give
// an upper bound, unless they are bounds themselves.
func Score(forms []Form) Answer {
	a := Answer{Form: -1}
	if len(forms) == 0 {
		forms = []Form{{Reason: "the query has no answer"}}
	}
	a.bits(forms)
	a.rank(forms)
	return a
}

// bits sets Form, Bits and PerByte.
func (a *Answer) bits(forms []Form) {
	best, least := -1, -1 // the exact form with the fewest bits, the known one with the smallest bound
	for i, f := range forms {
		lo, hi := f.Bits()
		if hi < bitsOf(forms, best, true) {
			best = i
		}
		if !f.unknown() && lo < bitsOf(forms, least, false) {
			least = i
		}
	}
	most := bitsOf(forms, best, true)
	var open []Form // may have fewer bits than the best exact one
	for _, f := range forms {
		if lo, hi := f.Bits(); lo < hi && lo < most {
			open = append(open, f)
		}
	}
	lost := slices.IndexFunc(open, Form.unknown)
	switch {
	case len(open) == 0:
		a.Form = best
		a.Bits = scored(metrics.AnswerBits, most)
		a.PerByte = scored(metrics.AnswerBitsPerByte, most/float64(forms[best].Bytes))
	case lost < 0:
		a.Form = least
		lo, _ := forms[least].Bits()
		a.Bits = bounded(metrics.AnswerBits, lo, metrics.AtLeast, forms[least].reason())
		a.PerByte = bounded(metrics.AnswerBitsPerByte, leastPerByte(forms, open, best), metrics.AtLeast, forms[least].reason())
	case best >= 0:
		a.Form = best
		a.Bits = bounded(metrics.AnswerBits, most, metrics.AtMost, open[lost].reason())
		shortest := forms[best].Bytes
		for _, f := range open {
			shortest = min(shortest, max(1, f.Bytes))
		}
		a.PerByte = bounded(metrics.AnswerBitsPerByte, most/float64(shortest), metrics.AtMost, open[lost].reason())
	default:
		a.Bits = unscored(metrics.AnswerBits, open[lost].reason())
		a.PerByte = unscored(metrics.AnswerBitsPerByte, open[lost].reason())
	}
}

// bitsOf is the upper or lower end of form i's bits, infinite without it.
func bitsOf(forms []Form, i int, upper bool) float64 {
	if i < 0 {
		return math.Inf(1)
	}
	lo, hi := forms[i].Bits()
	if upper {
		return hi
	}
	return lo
}

// leastPerByte is the smallest bits per byte that any form still in question
// can have: it need not be the form with the smallest bound.
func leastPerByte(forms, open []Form, best int) float64 {
	if best >= 0 {
		open = append(slices.Clip(open), forms[best])
	}
	least := math.Inf(1)
	for _, f := range open {
		lo, _ := f.Bits()
		least = min(least, lo/float64(f.Bytes))
	}
	return least
}

func bounded(metric string, value float64, b metrics.Bound, reason string) metrics.Score {
	return metrics.Score{Metric: metric, Value: value, Status: metrics.Scored, Bound: b, Reason: reason}
}

// rank sets Rank, RankBound and Top from the first step of every form.
func (a *Answer) rank(forms []Form) {
	best, least := math.MaxInt, math.MaxInt // the best known rank; the best that any form can have
	reason := ""
	for _, f := range forms {
		switch {
		case len(f.Steps) == 0:
			least = 1
			reason = cmp.Or(reason, f.reason())
		case f.Steps[0].Known && !f.Steps[0].RankOpen:
			best = min(best, f.Steps[0].Rank)
		default:
			least = min(least, f.Steps[0].Rank)
			reason = cmp.Or(reason, fmt.Sprintf("%s: the rank of its first token is at least %d", f.Text, f.Steps[0].Rank))
		}
	}
	least = min(best, least)
	switch {
	case best == least:
		a.Rank = best
	case least > 1:
		a.Rank, a.RankBound = least, metrics.AtLeast
	case best < math.MaxInt:
		a.Rank, a.RankBound = best, metrics.AtMost
	}
	for i, n := range []struct {
		metric string
		most   int
	}{{metrics.AnswerTop1, 1}, {metrics.AnswerTop5, 5}, {metrics.AnswerTop20, 20}} {
		switch {
		case best <= n.most:
			a.Top[i] = scored(n.metric, 1)
		case least > n.most:
			a.Top[i] = scored(n.metric, 0)
		default:
			a.Top[i] = unscored(n.metric, reason)
		}
	}
}
