package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// CountTokens asks the server's tokenizer, which llama.cpp and vLLM have at the
// same place: the one takes content and lists the tokens, the other takes prompt
// and counts them.
func (g *Generator) CountTokens(ctx context.Context, text string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, detailTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{"model": g.model.Model, "content": text, "prompt": text, "add_special": true})
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.client.root().JoinPath("/tokenize").String(), bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := g.client.server.Control().Do(req)
	if err != nil {
		return 0, g.client.serverError("the tokens of a text", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	var counted struct {
		Count  int   `json:"count"`
		Tokens []any `json:"tokens"`
	}
	if err := json.Unmarshal(answer, &counted); err != nil {
		return 0, err
	}
	n := max(counted.Count, len(counted.Tokens))
	if n == 0 {
		return 0, errors.New("the server counts no tokens")
	}
	return n, nil
}
