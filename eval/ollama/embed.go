package ollama

import (
	"context"
	"fmt"

	"github.com/ollama/ollama/api"
)

// Embedder is an embedding model of a server. It is an eval.Embedder.
type Embedder struct {
	client *Client
	model  string
}

// Embedder returns the embedding model of that name.
func (c *Client) Embedder(model string) *Embedder { return &Embedder{client: c, model: model} }

// Name returns the model's name as Ollama knows it.
func (e *Embedder) Name() string { return e.model }

// Embed returns one vector a text. A text too long for the model is an error:
// a vector of its beginning would pass for one of the whole. So is an answer
// that takes longer than loading a model may.
func (e *Embedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	ctx, cancel := context.WithTimeout(ctx, e.client.limits.LoadSilence)
	defer cancel()
	no := false
	resp, err := e.client.api.Embed(ctx, &api.EmbedRequest{Model: e.model, Input: texts, Truncate: &no})
	if err != nil {
		return nil, fmt.Errorf("embed %d texts with %s at %s: %w", len(texts), e.model, e.client.base, plain(err))
	}
	return resp.Embeddings, nil
}
