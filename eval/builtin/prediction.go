package builtin

import (
	"cmp"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics/likelihood"
)

var errNotFinite = errors.New("the model's logits are not finite: its weights are unusable")

// prediction is what a model expects of one token.
type prediction struct {
	logits []float32
	all    likelihood.LogSoftmax
	finite bool                     // whether the logits are
	top    []likelihood.Alternative // the most probable tokens, where they were asked for
}

func newPrediction(logits []float32) *prediction {
	n := &prediction{logits: logits}
	n.all, n.finite = likelihood.NewLogSoftmax(logits)
	return n
}

// alternatives are the most probable tokens, best first.
func (n *prediction) alternatives(v *vocabulary, most int) []likelihood.Alternative {
	if n.top == nil {
		for _, id := range highest(n.logits, most) {
			n.top = append(n.top, likelihood.Alternative{ID: int(id), Text: v.name(id), Logprob: n.all.At(n.logits[id])})
		}
	}
	return n.top
}

// token is the choice of id with its natural log-probability.
func (n *prediction) token(v *vocabulary, id int32, alternatives int) eval.Token {
	return eval.Token{ID: int(id), Text: v.name(id), Logprob: n.all.At(n.logits[id]), Top: n.alternatives(v, alternatives)}
}

// step is the look at id.
func (n *prediction) step(v *vocabulary, id int32) likelihood.Step {
	own := n.logits[id]
	s := likelihood.Step{ID: int(id), Text: v.name(id), Logprob: n.all.At(own), Known: true, Rank: 1}
	for _, logit := range n.logits {
		if logit > own {
			s.Rank++
		}
	}
	return s
}

// highest gives the indices of the n highest logits, n at least 1, best first, the first of
// equals before the others.
func highest(logits []float32, n int) []int32 {
	best := make([]int32, 0, n+1)
	for i, v := range logits {
		if len(best) == n && v <= logits[best[n-1]] {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, v, func(id int32, v float32) int {
			return cmp.Or(cmp.Compare(v, logits[id]), -1) // behind its equals
		})
		best = slices.Insert(best, at, int32(i))
		best = best[:min(n, len(best))]
	}
	return best
}

// name is a token's text for people: a byte that is no text by itself as
// SentencePiece writes it.
func (v *vocabulary) name(id int32) string {
	piece, err := v.piece(id)
	if err != nil || !utf8.ValidString(piece) {
		return v.tokenizer.Vocabulary().Decode(id)
	}
	return piece
}
