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
	if n := r.Usage.PromptTokens; n != nil && *n > 1 && *n <= len(r.Tokens) && spells(r.Tokens[:*n], prompt) {
		return r.Tokens[:*n], r.Tokens[*n:], nil
	}
	spelt := ""
	for i, t := range r.Tokens {
		if i > 0 || strings.HasPrefix(prompt, t.Text) {
			spelt += t.Text
		}
		if spelt == prompt {
			return r.Tokens[:i+1], r.Tokens[i+1:], nil
		}
	}
	return nil, nil, eval.Malformed("the echoed tokens do not spell the prompt")
}

// spells reports whether tokens are those of a text, perhaps behind a marker.
// Some servers read a token by itself and so without the blank before it.
func spells(tokens []eval.Token, text string) bool {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString(t.Text)
	}
	whole, want := b.String(), letters(text)
	return letters(whole) == want || letters(strings.TrimPrefix(whole, tokens[0].Text)) == want
}
