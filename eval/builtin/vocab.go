package builtin

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ollama/ollama/tokenizer"
)

// vocabulary turns text into token ids and back, with Ollama's encoders behind
// checks that keep a hostile file from misleading them.
type vocabulary struct {
	tokenizer      tokenizer.Tokenizer
	size, longest  int // tokens; bytes of the longest token
	bos, eos, eot  int // ids; -1 where there is none
	addBOS, addEOS bool
	addSpace       bool // a space is put before the text, as llama.cpp does unless the file says no
}

func readVocabulary(f *ggufFile) (*vocabulary, error) {
	m := &metadata{values: f.values}
	words := &tokenizer.Vocabulary{}
	words.Values, _ = m.values["tokenizer.ggml.tokens"].([]string)
	words.Scores, _ = m.values["tokenizer.ggml.scores"].([]float32)
	words.Types, _ = m.values["tokenizer.ggml.token_type"].([]int32)
	words.Merges, _ = m.values["tokenizer.ggml.merges"].([]string)
	n := len(words.Values)
	if n < 8 || len(words.Types) != n {
		return nil, fmt.Errorf("vocabulary of %d tokens and %d types: there must be as many, and at least 8", n, len(words.Types))
	}
	v := &vocabulary{size: n, eot: -1}
	if err := v.choose(m, words); err != nil {
		return nil, err
	}
	v.addEOS = m.boolean("tokenizer.ggml.add_eos_token", false)
	if _, ok := m.values["tokenizer.ggml.eot_token_id"]; ok {
		v.eot = m.integer("tokenizer.ggml.eot_token_id", -1, 0, n-1)
	}
	if m.err != nil {
		return nil, m.err
	}
	for i, t := range words.Values {
		if special := words.Types[i] == tokenizer.TOKEN_TYPE_CONTROL || words.Types[i] == tokenizer.TOKEN_TYPE_USER_DEFINED; t == "" && special {
			return nil, fmt.Errorf("token %d is empty and special: no text could be cut at it", i)
		}
		v.longest = max(v.longest, len(t))
	}
	if pieces, ok := v.tokenizer.(tokenizer.SentencePiece); ok {
		if c := newWordCutter(pieces); c != nil {
			v.tokenizer = c
		}
	}
	return v, nil
}

// choose takes the encoder that the file names, and what llama.cpp assumes of
// its kind where the file does not say.
func (v *vocabulary) choose(m *metadata, words *tokenizer.Vocabulary) error {
	switch model := m.text("tokenizer.ggml.model"); model {
	case "llama":
		if len(words.Scores) != v.size {
			return fmt.Errorf("vocabulary of %d tokens and %d scores: there must be as many", v.size, len(words.Scores))
		}
		for i, s := range words.Scores {
			if math.IsNaN(float64(s)) {
				return fmt.Errorf("token %d has no number for a score", i)
			}
		}
		v.tokenizer = tokenizer.NewSentencePiece(words)
		v.addBOS = m.boolean("tokenizer.ggml.add_bos_token", true)
		v.addSpace = m.boolean("tokenizer.ggml.add_space_prefix", true)
		v.markers(m, 1, 2)
	case "gpt2":
		pre := m.text("tokenizer.ggml.pre")
		patterns, ok := pretokenizers[pre]
		if !ok {
			return fmt.Errorf("pre-tokenizer %.40q: the built-in engine knows %s", pre, strings.Join(slices.Sorted(maps.Keys(pretokenizers)), ", "))
		}
		if len(words.Merges) == 0 {
			return errors.New("tokenizer gpt2 without tokenizer.ggml.merges")
		}
		v.tokenizer = tokenizer.NewBytePairEncoding(words, patterns...)
		v.addBOS = m.boolean("tokenizer.ggml.add_bos_token", pre == "llama-bpe")
		v.markers(m, 11, 11)
	default:
		return fmt.Errorf("tokenizer %.40q: the built-in engine reads llama (SentencePiece) and gpt2 (byte-level BPE)", model)
	}
	return nil
}

// markers reads the ids of the beginning and the end. The fallbacks hold where
// the vocabulary is that large.
func (v *vocabulary) markers(m *metadata, bos, eos int) {
	if max(bos, eos) >= v.size {
		bos, eos = -1, -1
	}
	v.bos = m.integer("tokenizer.ggml.bos_token_id", bos, 0, v.size-1)
	v.eos = m.integer("tokenizer.ggml.eos_token_id", eos, 0, v.size-1)
}

// gpt2Words cuts text into words with their leading space, numbers, signs and spaces.
const gpt2Words = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// pretokenizers are how text is cut before byte pairs are merged, one pattern
// after the other, by the names and with the effect that they have in
// llama.cpp. Each pattern matches all of its text: Ollama's encoder repeats
// what lies before a gap.
var pretokenizers = map[string][]string{
	"gpt-2": {gpt2Words},
	"default": {
		`[\p{P}$+<=>^~|]+|[^\p{P}$+<=>^~|]+`,
		gpt2Words,
		`\p{N}+|\P{N}+`,
		`[0-9][0-9][0-9]|(?:(?![0-9][0-9][0-9])[\s\S])+`,
	},
	"llama-bpe": {`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`},
}

// encode gives the ids of a prompt of at most limit tokens, the markers that
// the file asks for included.
func (v *vocabulary) encode(text string, limit int) ([]int32, error) {
	if len(text) > limit*v.longest {
		return nil, fmt.Errorf("prompt of %d bytes: it cannot fit a context of %d tokens", len(text), limit)
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("prompt is not valid UTF-8")
	}
	if v.addSpace && text != "" {
		text = " " + text
	}
	ids, err := v.tokenizer.Encode(text, false)
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

// continued gives the ids of a text that goes on: without the marker of the end
// that some files ask for.
func (v *vocabulary) continued(text string, limit int) ([]int32, error) {
	ids, err := v.encode(text, limit)
	if err == nil && v.addEOS {
		ids = ids[:len(ids)-1]
	}
	if err == nil && len(ids) == 0 {
		err = errors.New("it gives no token")
	}
	return ids, err
}

// piece is the text of one token, which may be part of a character.
func (v *vocabulary) piece(id int32) (string, error) {
	return v.tokenizer.Decode([]int32{id})
}

// ends tells whether a token ends the reply.
func (v *vocabulary) ends(id int32) bool {
	return int(id) == v.eos || int(id) == v.eot
}
