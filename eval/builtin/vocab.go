package builtin

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/ollama/ollama/tokenizer"
)

// vocabulary turns text into token ids and back, with Ollama's SentencePiece
// encoder behind checks that keep a hostile file from misleading it.
type vocabulary struct {
	spm            tokenizer.SentencePiece
	size, longest  int // tokens; bytes of the longest token
	bos, eos, eot  int // ids; -1 where there is none
	addBOS, addEOS bool
	addSpace       bool // a space is put before the text, as llama.cpp does unless the file says no
}

func readVocabulary(f *ggufFile) (*vocabulary, error) {
	m := &metadata{values: f.values}
	if model := m.text("tokenizer.ggml.model"); model != "llama" {
		return nil, fmt.Errorf("tokenizer %.40q: the built-in engine reads only llama (SentencePiece)", model)
	}
	tokens, _ := m.values["tokenizer.ggml.tokens"].([]string)
	scores, _ := m.values["tokenizer.ggml.scores"].([]float32)
	types, _ := m.values["tokenizer.ggml.token_type"].([]int32)
	n := len(tokens)
	if n < 8 || len(scores) != n || len(types) != n {
		return nil, fmt.Errorf("vocabulary of %d tokens, %d scores, %d types: all three must be as many, and at least 8", n, len(scores), len(types))
	}
	v := &vocabulary{
		size:     n,
		bos:      m.integer("tokenizer.ggml.bos_token_id", 1, 0, n-1),
		eos:      m.integer("tokenizer.ggml.eos_token_id", 2, 0, n-1),
		addBOS:   m.boolean("tokenizer.ggml.add_bos_token", true),
		addEOS:   m.boolean("tokenizer.ggml.add_eos_token", false),
		addSpace: m.boolean("tokenizer.ggml.add_space_prefix", true),
		eot:      -1,
	}
	if _, ok := m.values["tokenizer.ggml.eot_token_id"]; ok {
		v.eot = m.integer("tokenizer.ggml.eot_token_id", -1, 0, n-1)
	}
	if m.err != nil {
		return nil, m.err
	}
	for i, t := range tokens {
		if special := types[i] == tokenizer.TOKEN_TYPE_CONTROL || types[i] == tokenizer.TOKEN_TYPE_USER_DEFINED; t == "" && special {
			return nil, fmt.Errorf("token %d is empty and special: no text could be cut at it", i)
		}
		if math.IsNaN(float64(scores[i])) {
			return nil, fmt.Errorf("token %d has no number for a score", i)
		}
		v.longest = max(v.longest, len(t))
	}
	v.spm = tokenizer.NewSentencePiece(&tokenizer.Vocabulary{Values: tokens, Scores: scores, Types: types})
	return v, nil
}

// encode gives the ids of a prompt of at most limit tokens, the markers that
// the file asks for included.
func (v *vocabulary) encode(text string, limit int) ([]int32, error) {
	if len(text) > limit*v.longest {
		return nil, fmt.Errorf("prompt of %d bytes: it cannot fit a context of %d tokens", len(text), limit)
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("prompt is no valid UTF-8")
	}
	if v.addSpace && text != "" {
		text = " " + text
	}
	ids, err := v.spm.Encode(text, false)
	if err != nil {
		return nil, fmt.Errorf("encode prompt: %w", err)
	}
	if v.addBOS {
		ids = append([]int32{int32(v.bos)}, ids...)
	}
	if v.addEOS {
		ids = append(ids, int32(v.eos))
	}
	switch {
	case len(ids) == 0:
		return nil, errors.New("prompt gives no token")
	case len(ids) > limit:
		return nil, fmt.Errorf("prompt of %d tokens: the context holds %d", len(ids), limit)
	}
	return ids, nil
}

// piece is the text of one token, which may be part of a character.
func (v *vocabulary) piece(id int32) (string, error) {
	return v.spm.Decode([]int32{id})
}

// ends tells whether a token ends the reply.
func (v *vocabulary) ends(id int32) bool {
	return int(id) == v.eos || int(id) == v.eot
}
