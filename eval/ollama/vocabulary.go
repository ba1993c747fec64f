package ollama

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ollama/ollama/api"

	"github.com/disteval/disteval/eval"
)

// Tokenizer cuts text as a model does; Ollama has no route for it.
type Tokenizer interface {
	Encode(text string, limit int) ([]int32, error) // with the marker of the beginning, without that of the end
	Piece(id int32) (string, error)                 // may be part of a character
	Size() int
	Text(ids []int32) (string, error) // that Encode cuts into ids, where it does; may end inside a character
}

// NewTokenizer makes one from a GGUF file's values.
type NewTokenizer func(values map[string]any) (Tokenizer, error)

// vocabulary is a model's own, and what its server calls its tokens.
type vocabulary struct {
	Tokenizer
	ids map[string]int32 // by text; ambiguous where several tokens read alike
}

const ambiguous = -1

// vocabulary asks the server for the model's whole vocabulary.
func (c *Client) vocabulary(ctx context.Context, model string) (*vocabulary, error) {
	if c.Tokenizer == nil {
		return nil, errors.New("no tokenizer to cut its texts with")
	}
	values, err := c.showVerbose(ctx, model)
	if err != nil {
		return nil, fmt.Errorf("ask for the vocabulary of %s: %w", model, err)
	}
	if _, there := values["tokenizer.ggml.tokens"]; !there {
		return nil, fmt.Errorf("the server does not show the vocabulary of %s", model)
	}
	t, err := c.Tokenizer(values)
	if err != nil {
		return nil, fmt.Errorf("read the vocabulary of %s: %w", model, err)
	}
	types, _ := values["tokenizer.ggml.token_type"].([]int32)
	v := &vocabulary{Tokenizer: t, ids: make(map[string]int32, t.Size())}
	for _, bytes := range []bool{false, true} {
		for id := range int32(t.Size()) {
			if (int(id) < len(types) && types[id] == typeByte) != bytes {
				continue
			}
			text, err := t.Piece(id)
			if err != nil {
				return nil, fmt.Errorf("read the vocabulary of %s: token %d: %w", model, id, err)
			}
			v.add(text, id, bytes)
		}
	}
	return v, nil
}

// CountTokens cuts a text by the model's own vocabulary, which the server shows.
// It makes the Generator an eval.TokenCounter.
func (g *Generator) CountTokens(ctx context.Context, text string) (int, error) {
	words, err := g.words(ctx)
	if err != nil {
		return 0, err
	}
	ids, err := words.Encode(text, len(text)+markers)
	return len(ids), err
}

// markers are more than the tokens that a vocabulary puts around a text.
const markers = 16

// typeByte is GGUF's type of a token that stands for one byte.
const typeByte = 6

// add names a token. A byte that is a character has a piece of the same text in
// most vocabularies: tokenizers cut to the piece, so that is what a model learns
// to write, and the byte's token is never meant.
func (v *vocabulary) add(text string, id int32, isByte bool) {
	_, twice := v.ids[text]
	switch {
	case !twice:
		v.ids[text] = id
	case !isByte:
		v.ids[text] = ambiguous
	}
}

// id is the token that a server calls text; ambiguous where that is not known.
func (v *vocabulary) id(text string) int {
	id, ok := v.ids[text]
	if !ok || strings.ContainsRune(text, utf8.RuneError) {
		return ambiguous
	}
	return int(id)
}

// showVerbose reads /api/show with the long lists, as a GGUF file types them.
// api.Client would make every score and merge an any of its own.
func (c *Client) showVerbose(ctx context.Context, model string) (map[string]any, error) {
	payload, err := json.Marshal(api.ShowRequest{Model: model, Verbose: true})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.limits.LoadSilence)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.JoinPath("/api/show").String(), strings.NewReader(string(payload)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.server.Control().Do(req)
	if err != nil {
		return nil, eval.CallFailure(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Info map[string]json.RawMessage `json:"model_info"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	values := make(map[string]any)
	for key, raw := range answer.Info {
		if !strings.HasPrefix(key, "tokenizer.ggml.") {
			continue
		}
		v, err := typed(key, raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if v != nil {
			values[key] = v
		}
	}
	return values, nil
}

// typed gives a value the type that a GGUF file has it in; nil where the server
// left a long list out.
func typed(key string, raw json.RawMessage) (any, error) {
	switch key {
	case "tokenizer.ggml.tokens", "tokenizer.ggml.merges":
		return list[string](raw)
	case "tokenizer.ggml.scores":
		return list[float32](raw)
	case "tokenizer.ggml.token_type":
		return list[int32](raw)
	}
	text := string(raw)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	return v, nil
}

func list[T any](raw json.RawMessage) (any, error) {
	var out []T
	if err := json.Unmarshal(raw, &out); err != nil || len(out) == 0 {
		return nil, err
	}
	return out, nil
}
