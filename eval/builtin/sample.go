package builtin

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// repeatWindow is how many of the last tokens, the prompt's included, the
// repeat penalty looks at: Ollama's default of repeat_last_n.
const repeatWindow = 64

// sampler chooses the next token from logits.
type sampler struct {
	Options
	rng  *rand.Rand
	last []int32 // the last repeatWindow tokens
}

func newSampler(o Options, prompt []int32) *sampler {
	s := &sampler{Options: o, rng: rand.New(rand.NewPCG(uint64(o.Seed), 0))}
	for _, id := range prompt {
		s.accept(id)
	}
	return s
}

func (s *sampler) accept(id int32) {
	if len(s.last) == repeatWindow {
		s.last = slices.Delete(s.last, 0, 1)
	}
	s.last = append(s.last, id)
}

// next chooses a token, and changes logits on the way.
func (s *sampler) next(logits []float32) (int32, error) {
	s.penalise(logits)
	id := argmax(logits)
	if top := logits[id]; top-top != 0 {
		return 0, errNotFinite
	}
	if s.Temperature > 0 {
		id = s.draw(logits)
	}
	s.accept(id)
	return id, nil
}

// penalise lowers the logits of the last tokens, each once.
func (s *sampler) penalise(logits []float32) {
	if s.RepeatPenalty == 0 || s.RepeatPenalty == 1 {
		return
	}
	p := float32(s.RepeatPenalty)
	for i, id := range s.last {
		switch {
		case slices.Contains(s.last[:i], id):
		case logits[id] > 0:
			logits[id] /= p
		default:
			logits[id] *= p
		}
	}
}

// argmax is the index of the highest logit, the first of equals. A NaN wins,
// so that it is noticed.
func argmax(logits []float32) int32 {
	best := 0
	for i, v := range logits {
		if v > logits[best] || v != v {
			best = i
		}
	}
	return int32(best)
}

// choice is a token that may be drawn.
type choice struct {
	id int32
	p  float64 // logit, then weight
}

// draw takes the top_k tokens, of those the fewest that hold top_p of the
// probability, and draws one with probability proportional to
// exp(logit / temperature).
func (s *sampler) draw(logits []float32) int32 {
	all := make([]choice, len(logits))
	for i, v := range logits {
		all[i] = choice{int32(i), float64(v)}
	}
	slices.SortFunc(all, func(a, b choice) int { return cmp.Or(cmp.Compare(b.p, a.p), cmp.Compare(a.id, b.id)) })
	if s.TopK > 0 {
		all = all[:min(s.TopK, len(all))]
	}
	if s.TopP > 0 && s.TopP < 1 {
		all = nucleus(all, s.TopP)
	}
	return all[pick(weights(all, s.Temperature), s.rng.Float64())].id
}

// weights are exp(logit/temperature) relative to the first, highest logit.
func weights(all []choice, temperature float64) []float64 {
	w := make([]float64, len(all))
	for i, c := range all {
		w[i] = math.Exp((c.p - all[0].p) / temperature)
	}
	return w
}

// nucleus is the shortest start of all that holds the part p of its probability.
func nucleus(all []choice, p float64) []choice {
	return all[:pick(weights(all, 1), p)+1]
}

// pick is the index at which the running sum of w passes the part u of the whole.
func pick(w []float64, u float64) int {
	total := 0.0
	for _, v := range w {
		total += v
	}
	goal, sum := float64(u*total), 0.0
	for i, v := range w {
		if sum += v; sum > goal {
			return i
		}
	}
	return len(w) - 1
}
