package eval

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/disteval/disteval/queries"
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
	list := slices.Clone(p.Queries.Queries)
	texts := make(map[string]string, len(list))
	for _, q := range list {
		texts[q.ID] = p.Prompt(m, q)
	}
	slices.SortStableFunc(list, func(a, b queries.Query) int { return len(texts[b.ID]) - len(texts[a.ID]) })
	room := m.Generation.NumCtx - m.Generation.NumPredict
	for _, q := range list[:min(longest, len(list))] {
		text := texts[q.ID]
		if m.Generation.Raw && len(text)+markers <= room {
			return "" // nor do shorter ones need more
		}
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
				m.Name, q.ID, least, n, m.Generation.NumPredict, m.Generation.NumCtx)
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
