package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"

	"github.com/openai/openai-go/v3"

	"github.com/disteval/disteval/eval"
)

// Embedder is an embedding model of a server. It is an eval.Embedder.
type Embedder struct {
	client *client
	model  string
}

// Embedder returns the embedding model that a plan's scoring names.
func (p *Provider) Embedder(_ context.Context, by eval.Scoring) (eval.Embedder, error) {
	c, err := p.client(by.Host, by.APIKeyEnv)
	if err != nil {
		return nil, err
	}
	return &Embedder{client: c, model: by.Embedding}, nil
}

// Name returns the model's name as its server knows it.
func (e *Embedder) Name() string { return e.model }

// Embed returns one vector a text. A vector's component that is null is NaN.
func (e *Embedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	vectors, err := e.post(ctx, texts)
	if err != nil {
		return nil, eval.WithHint(fmt.Errorf("embed %d texts with %s at %s: %w", len(texts), e.model, e.client.server.URL, err),
			fmt.Sprintf("see that the server has %s for embeddings, or choose the embedding builtin", e.model))
	}
	return vectors, nil
}

func (e *Embedder) post(ctx context.Context, texts []string) ([][]float32, error) {
	ctx, cancel := context.WithTimeout(ctx, e.client.limits.LoadSilence)
	defer cancel()
	params := openai.EmbeddingNewParams{Model: e.model, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: texts},
		EncodingFormat: openai.EmbeddingNewParamsEncodingFormatFloat}
	var resp *http.Response
	if err := e.client.sdk(e.client.server.Control()).Post(ctx, "embeddings", params, &resp); err != nil {
		return nil, eval.CallFailure(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, eval.CallFailure(err)
	}
	var answer struct {
		Data []struct {
			Index     int        `json:"index"`
			Embedding []*float64 `json:"embedding"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, eval.Malformed("%v", err)
	}
	// In whatever order they come.
	vectors := make([][]float32, len(answer.Data))
	for _, d := range answer.Data {
		if d.Index < 0 || d.Index >= len(vectors) || vectors[d.Index] != nil {
			return nil, eval.Malformed("%d vectors, of which one is said to be number %d", len(vectors), d.Index)
		}
		v := make([]float32, len(d.Embedding))
		for i, x := range d.Embedding {
			v[i] = float32(math.NaN())
			if x != nil {
				v[i] = float32(*x)
			}
		}
		vectors[d.Index] = v
	}
	return vectors, nil
}
