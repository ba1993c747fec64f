package openai

import (
	"strings"

	"github.com/disteval/disteval/eval"
)

// echoed parts the tokens of an answer with echo into those of the prompt and
// those that were generated. It is an error where they do not spell the prompt,
// or where one of its tokens but the first is without a log-probability: then
// the server has not done what it was asked.
func echoed(prompt string, r eval.Reply) (of, generated []eval.Token, err error) {
	if len(r.Tokens) < 2 || !strings.HasPrefix(r.Text, prompt) {
		return nil, nil, eval.Malformed("the server has not echoed the prompt with its log-probabilities")
	}
	// Markers such as <s> stand before the prompt and spell nothing of it.
	spelt := 0
	for i, t := range r.Tokens {
		if spelt >= len(prompt) {
			return r.Tokens[:i], r.Tokens[i:], nil
		}
		if i > 0 || strings.HasPrefix(prompt, t.Text) {
			spelt += len(t.Text)
		}
	}
	if spelt < len(prompt) {
		return nil, nil, eval.Malformed("the echoed tokens spell %d of the prompt's %d bytes", spelt, len(prompt))
	}
	return r.Tokens, nil, nil
}
