package builtin

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/disteval/disteval/metrics/likelihood"
)

// Encode gives the ids of a text, with the markers that the model's file asks
// for. A text that does not fit the context is an error.
func (l *LLM) Encode(text string) ([]int32, error) {
	m, err := l.load()
	if err != nil {
		return nil, err
	}
	ids, err := m.encode(text, m.context)
	if err != nil {
		return nil, fmt.Errorf("encode for %s: %w", l.name, err)
	}
	return ids, nil
}

// Piece is the text of one token, which may be part of a character.
func (l *LLM) Piece(id int32) (string, error) {
	m, err := l.load()
	if err == nil {
		err = m.checkIDs([]int32{id})
	}
	if err == nil && m.words == nil {
		err = errNoVocabulary
	}
	if err != nil {
		return "", fmt.Errorf("decode with %s: %w", l.name, err)
	}
	return m.words.piece(id)
}

// Score gives, for each of ids but the first, the natural logarithm of the
// probability that the model gives it after those before it. It computes the
// ids in batches; more than the context holds are refused. Beside the weights
// it takes the keys and values of all positions, and the logits of 64.
func (l *LLM) Score(ctx context.Context, ids []int32) ([]float64, error) {
	m, err := l.load()
	if err != nil {
		return nil, err
	}
	if err := m.checkIDs(ids); err != nil {
		return nil, fmt.Errorf("score with %s: %w", l.name, err)
	}
	out, finite := make([]float64, 0, len(ids)-1), true
	err = m.newSession().prefill(ctx, ids[:len(ids)-1], func(i int, logits []float32) {
		all, ok := likelihood.NewLogSoftmax(logits)
		finite = finite && ok
		out = append(out, all.At(logits[ids[i+1]]))
	})
	if err != nil {
		return nil, err
	}
	if !finite {
		return nil, fmt.Errorf("score with %s: %w", l.name, errNotFinite)
	}
	return out, nil
}

// Choice is a token that Greedy chose.
type Choice struct {
	ID   int32
	Lead float64 // nats by which it is more probable than the next best, >= 0
	End  bool    // it ends the reply
}

// Greedy goes on after ids with the most probable token, the first of equals,
// n times or until one ends the reply or the context is used up.
func (l *LLM) Greedy(ctx context.Context, ids []int32, n int) ([]Choice, error) {
	m, err := l.load()
	if err != nil {
		return nil, err
	}
	if err := m.checkIDs(ids); err != nil {
		return nil, fmt.Errorf("go on with %s: %w", l.name, err)
	}
	s := m.newSession()
	if err := s.prefill(ctx, ids, nil); err != nil {
		return nil, err
	}
	var out []Choice
	for len(out) < n {
		logits := s.predict()
		id := argmax(logits)
		c := Choice{ID: id, Lead: lead(logits, id), End: m.words != nil && m.words.ends(id)}
		if c.Lead-c.Lead != 0 {
			return nil, fmt.Errorf("go on with %s: %w", l.name, errNotFinite)
		}
		if out = append(out, c); c.End || s.positions == m.context {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.step(id)
	}
	return out, nil
}

// lead is by how much the logit of best exceeds every other.
func lead(logits []float32, best int32) float64 {
	next := math.Inf(-1)
	for i, v := range logits {
		if int32(i) != best {
			next = max(next, float64(v))
		}
	}
	return float64(logits[best]) - next
}

func (m *model) checkIDs(ids []int32) error {
	if len(ids) == 0 {
		return errors.New("no tokens")
	}
	if len(ids) > m.context {
		return fmt.Errorf("%d tokens: the context holds %d", len(ids), m.context)
	}
	for i, id := range ids {
		if id < 0 || int(id) >= m.vocab {
			return fmt.Errorf("token %d of the text is %d: the vocabulary has 0 to %d", i, id, m.vocab-1)
		}
	}
	return nil
}

var errNoVocabulary = errors.New("the model has no vocabulary: it takes token ids only")

func (m *model) encode(text string, limit int) ([]int32, error) {
	if m.words == nil {
		return nil, errNoVocabulary
	}
	return m.words.encode(text, limit)
}
