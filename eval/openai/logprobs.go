package openai

import (
	"cmp"
	"math"
	"slices"

	"github.com/disteval/disteval/eval"
)

// logprobs are the log-probabilities of some tokens, in either API's form.
type logprobs struct {
	// Of completions, side by side; the first token of an echoed prompt has none.
	Tokens        []string              `json:"tokens"`
	TokenLogprobs []*float64            `json:"token_logprobs"`
	TopLogprobs   []map[string]*float64 `json:"top_logprobs"`

	// Of a chat.
	Content []struct {
		Token       string   `json:"token"`
		Logprob     *float64 `json:"logprob"`
		TopLogprobs []struct {
			Token   string   `json:"token"`
			Logprob *float64 `json:"logprob"`
		} `json:"top_logprobs"`
	} `json:"content"`
}

// tokens brings both forms into one, with the depth most probable alternatives
// of each: vLLM gives the token itself beside them, where it is none of them.
// Only the first token of an echoed prompt may be without a log-probability: it
// gets NaN.
func (l *logprobs) tokens(echo bool, depth int) ([]eval.Token, error) {
	if len(l.TokenLogprobs) != len(l.Tokens) || len(l.TopLogprobs) > len(l.Tokens) {
		return nil, eval.Malformed("%d tokens with %d log-probabilities and alternatives for %d", len(l.Tokens), len(l.TokenLogprobs), len(l.TopLogprobs))
	}
	var out []eval.Token
	for i, text := range l.Tokens {
		t := eval.Token{ID: -1, Text: text, Logprob: value(l.TokenLogprobs[i])}
		if i < len(l.TopLogprobs) {
			for other, p := range l.TopLogprobs[i] {
				t.Top = append(t.Top, eval.Alternative{ID: -1, Text: other, Logprob: value(p)})
			}
		}
		out = append(out, t)
	}
	for _, c := range l.Content {
		t := eval.Token{ID: -1, Text: c.Token, Logprob: value(c.Logprob)}
		for _, other := range c.TopLogprobs {
			t.Top = append(t.Top, eval.Alternative{ID: -1, Text: other.Token, Logprob: value(other.Logprob)})
		}
		out = append(out, t)
	}
	for i, t := range out {
		if !(t.Logprob <= 0) && !(echo && i == 0) || slices.ContainsFunc(t.Top, func(a eval.Alternative) bool { return !(a.Logprob <= 0) }) {
			return nil, eval.Malformed("token %q has a log-probability above 0 or none", t.Text)
		}
		if sum := together(t.Top); sum > 1+rounding {
			return nil, eval.Malformed("the probabilities of what could stand in place of token %q sum to %.4g, above 1", t.Text, sum)
		}
		slices.SortFunc(t.Top, func(a, b eval.Alternative) int {
			return cmp.Or(cmp.Compare(b.Logprob, a.Logprob), cmp.Compare(a.Text, b.Text))
		})
		out[i].Top = t.Top[:min(len(t.Top), depth)]
	}
	return out, nil
}

// rounding is how far above 1 a probability, or the sum of some, may come out.
const rounding = 1e-4

// together is the sum of the alternatives' probabilities.
func together(top []eval.Alternative) (sum float64) {
	for _, a := range top {
		sum += math.Exp(a.Logprob)
	}
	return sum
}

// value is NaN for a missing log-probability, and 0 for one that rounding has
// brought above it.
func value(p *float64) float64 {
	switch {
	case p == nil:
		return math.NaN()
	case *p > 0 && *p < rounding:
		return 0
	}
	return *p
}
