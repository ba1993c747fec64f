package builtin

import (
	"slices"
	"strings"
	"testing"
)

// byteLevel is the tiny model with GPT-2's kind of vocabulary: an end of text,
// the 256 bytes, and what the merges make.
func byteLevel(pre string) *tiny {
	tokens, types := []string{"<|endoftext|>"}, []int32{3}
	for b := range 256 {
		r := rune(b)
		switch {
		case b == 0xad:
			r = 0x143
		case b <= 0x20:
			r += 0x100
		case b >= 0x7f && b <= 0xa0:
			r += 0xa2
		}
		tokens, types = append(tokens, string(r)), append(types, 1)
	}
	merges := []string{"h e", "l l", "he ll", "hell o", "Ġ w", "1 2", "12 3", "123 4", "! !", "a !"}
	for _, m := range merges {
		tokens, types = append(tokens, strings.ReplaceAll(m, " ", "")), append(types, 1)
	}
	m := newTiny()
	for _, name := range []string{"token_embd.weight", "output.weight"} {
		m.tensor(name).shape[1] = uint64(len(tokens))
		m.tensor(name).data = make([]byte, 4*32*len(tokens))
	}
	m.unset("tokenizer.ggml.scores")
	m.set("tokenizer.ggml.model", "gpt2")
	m.set("tokenizer.ggml.pre", pre)
	m.set("tokenizer.ggml.tokens", tokens)
	m.set("tokenizer.ggml.token_type", types)
	m.set("tokenizer.ggml.merges", merges)
	m.set("tokenizer.ggml.bos_token_id", uint32(0))
	m.set("tokenizer.ggml.eos_token_id", uint32(0))
	m.set("llama.context_length", uint32(400))
	return m
}

func TestBytePairs(t *testing.T) {
	for _, c := range []struct{ pre, text, want string }{
		{"gpt-2", "hello world", "hello|Ġw|o|r|l|d"},
		{"gpt-2", "12345 a!!", "1234|5|Ġ|a|!!"},
		{"default", "12345 a!!", "123|4|5|Ġ|a|!!"},
		{"default", "1,12,3", "1|,|12|,|3"},
		{"llama-bpe", "12345 a!!", "<|endoftext|>|123|4|5|Ġ|a|!!"},
		{"gpt-2", "x<|endoftext|>y", "x|<|endoftext|>|y"},
	} {
		l, err := openBytes(t, byteLevel(c.pre).bytes())
		if err != nil {
			t.Fatal(err)
		}
		v := loadedFrom(t, l).words
		var got []string
		for _, id := range encoded(t, l, c.text) {
			got = append(got, v.tokenizer.Vocabulary().Values[id])
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%s: %q is cut into %s, want %s", c.pre, c.text, s, c.want)
		}
	}
}

// TestBytePairsLoseNothing encodes texts and puts them together again.
func TestBytePairsLoseNothing(t *testing.T) {
	for _, pre := range []string{"gpt-2", "default", "llama-bpe"} {
		m := byteLevel(pre)
		m.set("tokenizer.ggml.add_bos_token", false)
		l, err := openBytes(t, m.bytes())
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range append(readPrompts(t), " a, b; 12,345.678 ", "line\n\n  two\t", "Zoë's 東京 🙂 don't", "\u00ad\u007f\u0080", "$5+6=11 <x>~^|") {
			var back strings.Builder
			for _, id := range encoded(t, l, text) {
				p, err := l.Piece(id)
				if err != nil {
					t.Fatal(err)
				}
				back.WriteString(p)
			}
			if back.String() != text {
				t.Errorf("%s: %q comes back as %q", pre, text, back.String())
			}
		}
	}
}

func TestBytePairsRefused(t *testing.T) {
	for want, spoil := range map[string]func(m *tiny){
		`pre-tokenizer "jais"`:   func(m *tiny) { m.set("tokenizer.ggml.pre", "jais") },
		`pre-tokenizer ""`:       func(m *tiny) { m.unset("tokenizer.ggml.pre") },
		"merges":                 func(m *tiny) { m.unset("tokenizer.ggml.merges") },
		"267 tokens and 0 types": func(m *tiny) { m.unset("tokenizer.ggml.token_type") },
		"bos_token_id is 267":    func(m *tiny) { m.set("tokenizer.ggml.bos_token_id", uint32(267)) },
	} {
		m := byteLevel("gpt-2")
		spoil(m)
		if _, err := openBytes(t, m.bytes()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func loadedFrom(t testing.TB, l *LLM) *model {
	t.Helper()
	m, err := l.load()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestVocabularyOfTwo is refused, whichever way it is told.
func TestVocabularyOfTwo(t *testing.T) {
	m := newTiny()
	m.set("tokenizer.ggml.tokens", []string{"a", "b"})
	m.set("tokenizer.ggml.scores", []float32{0, 0})
	m.set("tokenizer.ggml.token_type", []int32{1, 1})
	for _, name := range []string{"token_embd.weight", "output.weight"} {
		w := m.tensor(name)
		w.shape, w.data = slices.Clone(w.shape), w.data[:2*32*4]
		w.shape[1] = 2
	}
	if _, err := openBytes(t, m.bytes()); err == nil || !strings.Contains(err.Error(), "vocabulary of 2 tokens") {
		t.Errorf("%v", err)
	}
}
