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

// Diverge compares the predictions of two models with as many tokens, in which
// the reference chose token.
func Diverge(reference, model LogSoftmax, token int) Divergence {
	sum, dot := weigh(reference.logits, model.logits, reference.logits[reference.top])
	return Divergence{
		SameTop1: reference.top == model.top,
		KLD:      max(0, dot/sum-(reference.normalize-model.normalize)),
		DeltaP:   math.Exp(model.At(model.logits[token])) - math.Exp(reference.At(reference.logits[token])),
	}
}

// LogSoftmax turns logits into log-probabilities.
type LogSoftmax struct {
	logits    []float32
	top       int     // index of the highest, the first of equals
	normalize float64 // logarithm of the sum of their exponentials
}

// NewLogSoftmax sums the logits up, which must not change afterwards; ok is
// false where one is not finite or there is none.
func NewLogSoftmax(logits []float32) (l LogSoftmax, ok bool) {
	if len(logits) == 0 {
		return l, false
	}
	l.logits = logits
	top := logits[0]
	for i, v := range logits {
		if v-v != 0 {
			return l, false
		}
		if v > top {
			l.top, top = i, v
		}
	}
	sum, _ := weigh(logits, logits, top)
	l.normalize = float64(top) + math.Log(sum)
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
