package eval

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// TokenCounter is a Generator that can count a text's tokens without answering.
type TokenCounter interface {
	CountTokens(ctx context.Context, text string) (int, error)
}

// longest is how many of the longest prompts are looked at: tokens are about as
// many as bytes.
const longest = 8

// markers are the most tokens that a vocabulary puts around a text: of its
// beginning and end, and for a blank before it.
const markers = 3

// Unfit tells of prompts of m that do not fit its context with num_predict
// tokens after them; empty where all do. count is the model's own. Where it is
// nil, or fails, a prompt has at least as many tokens as it has words. It is not
// asked where even a token for every byte would fit.
func (p Plan) Unfit(m Model, count func(text string) (int, error)) string {
	room := m.Generation.NumCtx - m.Generation.NumPredict
	mayExceed := func(text string) bool { return !m.Generation.Raw || len(text)+markers > room }
	type prompt struct{ query, text string }
	var list []prompt // that may not fit
	for _, q := range p.Queries.Queries {
		if text := p.Prompt(m, q); mayExceed(text) {
			list = append(list, prompt{q.ID, text})
		}
	}
	slices.SortStableFunc(list, func(a, b prompt) int { return len(b.text) - len(a.text) })
	for _, asked := range list[:min(longest, len(list))] {
		text := asked.text
		n, least := len(strings.Fields(text)), "at least "
		if count != nil {
			if exact, err := count(text); err == nil {
				n, least = exact, ""
			} else {
				count = nil
			}
		}
		if n > room {
			return fmt.Sprintf("%s: the prompt of %s has %s%d tokens, and with num_predict %d more it does not fit num_ctx %d: raise num_ctx, lower num_predict, or ask for fewer shots",
				m.Name, asked.query, least, n, m.Generation.NumPredict, m.Generation.NumCtx)
		}
	}
	return ""
}

// WasCut reports whether a server must have cut a prompt: no vocabulary puts
// several words into a token, so it has read fewer tokens than there are.
func WasCut(prompt string, u Usage) bool {
	if u.PromptTokens == nil {
		return false
	}
	words := 0
	for range strings.FieldsSeq(prompt) {
		words++
	}
	return *u.PromptTokens < words
}
