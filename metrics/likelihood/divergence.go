package likelihood

import (
	"math"

	"github.com/disteval/disteval/metrics"
)

// Divergence is how far a model's prediction of one token lies from the
// reference's. It is a distance: it does not say which of them is right.
type Divergence struct {
	SameTop1    bool          `json:"same_top1"`             // whether both find the same token most probable
	KLD         float64       `json:"kld"`                   // Kullback-Leibler divergence, reference ‖ model, in nats, at least 0
	KLDBound    metrics.Bound `json:"kld_bound,omitempty"`   // AtLeast where only the most probable tokens are known
	DeltaP      float64       `json:"delta_p"`               // the model's probability of the reference's token less the reference's own, in [-1, 1]
	DeltaPBound metrics.Bound `json:"delta_bound,omitempty"` // AtMost where the token is not among the model's most probable
}

// Diverge compares the logits of two models of one vocabulary, in which the
// reference chose token. ok is false where logits are not finite.
func Diverge(reference, model []float32, token int32) (d Divergence, ok bool) {
	p, pOK := NewLogSoftmax(reference)
	q, qOK := NewLogSoftmax(model)
	if !pOK || !qOK || len(reference) != len(model) {
		return Divergence{}, false
	}
	kld := 0.0
	for i := range reference {
		lp := p.At(reference[i])
		kld += math.Exp(lp) * (lp - q.At(model[i]))
	}
	return Divergence{
		SameTop1: p.top == q.top,
		KLD:      max(0, kld),
		DeltaP:   math.Exp(q.At(model[token])) - math.Exp(p.At(reference[token])),
	}, true
}

// LogSoftmax turns logits into log-probabilities.
type LogSoftmax struct {
	top       int     // index of the highest logit, the first of equals
	normalize float64 // logarithm of the sum of the logits' exponentials
}

// NewLogSoftmax sums the logits up; ok is false where one is not finite or
// there is none.
func NewLogSoftmax(logits []float32) (l LogSoftmax, ok bool) {
	if len(logits) == 0 {
		return l, false
	}
	for i, v := range logits {
		if v-v != 0 {
			return l, false
		}
		if v > logits[l.top] {
			l.top = i
		}
	}
	highest, sum := float64(logits[l.top]), 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - highest)
	}
	l.normalize = highest + math.Log(sum)
	return l, true
}

// At is the log-probability of a token of that logit, at most 0.
func (l LogSoftmax) At(logit float32) float64 { return min(0, float64(logit)-l.normalize) }

// DivergeTop compares the most probable tokens of two served models of one
// vocabulary, which Check has passed, best first; the reference chose token,
// with that log-probability. Everything that is not in both lists, or has no
// ID, is one lump, which makes the divergence a lower bound by the log sum
// inequality. ok is false where the most probable tokens cannot be told apart.
func DivergeTop(reference, model []Alternative, token int, logprob float64) (d Divergence, ok bool) {
	if reference[0].ID < 0 || model[0].ID < 0 || token < 0 {
		return d, false
	}
	d = Divergence{SameTop1: reference[0].ID == model[0].ID, KLDBound: metrics.AtLeast}
	byID := make(map[int]float64, len(model))
	for _, a := range model {
		byID[a.ID] = a.Logprob
	}
	p, q := 1.0, 1.0
	for _, a := range reference {
		lq, both := byID[a.ID]
		if !both || a.ID < 0 {
			continue
		}
		d.KLD += math.Exp(a.Logprob) * (a.Logprob - lq)
		p -= math.Exp(a.Logprob)
		q -= math.Exp(lq)
	}
	if p > rounding { // less is the servers' rounding
		d.KLD += p * math.Log(p/max(q, rounding))
	}
	d.KLD = max(0, d.KLD)
	lq, both := byID[token]
	if !both {
		lq, d.DeltaPBound = Beyond(model).Logprob, metrics.AtMost
	}
	d.DeltaP = math.Exp(lq) - math.Exp(logprob)
	return d, true
}
