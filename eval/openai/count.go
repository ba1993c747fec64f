package openai

import (
	"context"
	"errors"
)

// CountTokens asks the server's tokenizer, which llama.cpp and vLLM have at the
// same place: the one takes content and lists the tokens, the other takes prompt
// and counts them.
func (g *Generator) CountTokens(ctx context.Context, text string) (int, error) {
	var is struct {
		Count  int   `json:"count"`
		Tokens []any `json:"tokens"`
	}
	ask := map[string]any{"model": g.model.Model, "content": text, "prompt": text, "add_special": true}
	if err := g.client.post(ctx, "/tokenize", ask, &is); err != nil {
		return 0, g.client.serverError("the tokens of a text", err)
	}
	n := max(is.Count, len(is.Tokens))
	if n == 0 {
		return 0, errors.New("the server counts no tokens")
	}
	return n, nil
}
