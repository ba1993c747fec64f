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

// Unfit tells of prompts of m that do not fit its context with num_predict
// tokens after them; empty where all do. count is the model's own; where it is
// nil, a prompt has at least as many tokens as it has words.
func (p Plan) Unfit(m Model, count func(text string) (int, error)) string {
	list := slices.Clone(p.Queries.Queries)
	texts := make(map[string]string, len(list))
	for _, q := range list {
		texts[q.ID] = p.Prompt(m, q)
	}
	slices.SortStableFunc(list, func(a, b queries.Query) int { return len(texts[b.ID]) - len(texts[a.ID]) })
	room := m.Generation.NumCtx - m.Generation.NumPredict
	least := ""
	if count == nil {
		least = "at least "
		count = func(text string) (int, error) { return len(strings.Fields(text)), nil }
	}
	for _, q := range list[:min(longest, len(list))] {
		n, err := count(texts[q.ID])
		if err != nil {
			return "" // the server counts when it is asked the question
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
