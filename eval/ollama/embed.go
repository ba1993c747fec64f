package ollama

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"

	"github.com/ollama/ollama/api"

	"github.com/disteval/disteval/eval"
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
	vectors, err := e.post(ctx, texts)
	if err != nil {
		return nil, eval.WithHint(fmt.Errorf("embed %d texts with %s at %s: %w", len(texts), e.model, e.client.base, err),
			fmt.Sprintf("see that Ollama serves %s (ollama pull %s), or choose the embedding builtin", e.model, e.model))
	}
	return vectors, nil
}

// post does what api.Client.Embed does, which reads a null, as some servers
// write NaN, as 0.
func (e *Embedder) post(ctx context.Context, texts []string) ([][]float32, error) {
	no := false
	payload, err := json.Marshal(api.EmbedRequest{Model: e.model, Input: texts, Truncate: &no})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.client.limits.LoadSilence)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.client.base.JoinPath("/api/embed").String(), bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.client.server.Control().Do(req)
	if err != nil {
		return nil, eval.CallFailure(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, eval.CallFailure(err)
	}
	var answer struct {
		Embeddings [][]component `json:"embeddings"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, eval.Malformed("%v", err)
	}
	vectors := make([][]float32, len(answer.Embeddings))
	for i, v := range answer.Embeddings {
		vectors[i] = make([]float32, len(v))
		for j, x := range v {
			vectors[i][j] = float32(x)
		}
	}
	return vectors, nil
}

// component is a number of a vector: NaN where the server wrote null, infinite
// where it is too large.
type component float32

func (c *component) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*c = component(math.NaN())
		return nil
	}
	x, err := strconv.ParseFloat(string(b), 32)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s is not a number", b)
	}
	*c = component(x)
	return nil
}
