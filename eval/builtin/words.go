package builtin

import (
	"slices"
	"strings"
	"sync"

	"github.com/ollama/ollama/tokenizer"
)

// wordCutter cuts texts as a SentencePiece encoder does in whose vocabulary no
// token reaches over the beginning of a word: a word is cut the same wherever
// it stands. It remembers words, as probes follow many prompts with the same.
type wordCutter struct {
	tokenizer.Tokenizer
	lead, tail int // the numbers of tokens of otherWord without the mark and with it

	mu    sync.Mutex
	words map[string][]int32 // each with the marks before it
}

const (
	wordMark    = "▁" // stands for the space before a word
	otherWord   = "a"
	mostWords   = 1 << 14
	longestWord = 64 // bytes: longer ones are not remembered
)

// newWordCutter is nil where a token reaches over the beginning of a word, or a
// special one might. No special one is empty.
func newWordCutter(t tokenizer.Tokenizer) *wordCutter {
	words := t.Vocabulary()
	for _, token := range words.Values {
		if strings.Contains(strings.TrimLeft(token, wordMark), wordMark) {
			return nil
		}
	}
	for _, special := range words.SpecialVocabulary() {
		if special == otherWord || strings.ContainsAny(special, " "+wordMark) {
			return nil
		}
	}
	lead, err := t.Encode(otherWord, false)
	if err != nil {
		return nil
	}
	both, err := t.Encode(otherWord+wordMark+otherWord, false)
	if err != nil {
		return nil
	}
	return &wordCutter{Tokenizer: t, lead: len(lead), tail: len(both) - len(lead), words: make(map[string][]int32)}
}

// Encode gives the tokens that the encoder gives. Special ones are its own
// matter, and so is a text of one word, which may be a token by itself.
func (c *wordCutter) Encode(text string, special bool) ([]int32, error) {
	marked := strings.ReplaceAll(text, " ", wordMark)
	first, rest := nextWord(marked)
	if special || rest == "" || c.hasSpecial(text) {
		return c.Tokenizer.Encode(text, special)
	}
	var out []int32
	for word := first; word != ""; word, rest = nextWord(rest) {
		ids, err := c.word(word)
		if err != nil {
			return nil, err
		}
		out = append(out, ids...)
	}
	return out, nil
}

// nextWord parts a text before its second word. Marks in a row begin one word.
func nextWord(text string) (word, rest string) {
	marks := len(text) - len(strings.TrimLeft(text, wordMark))
	if end := strings.Index(text[marks:], wordMark); end >= 0 {
		return text[:marks+end], text[marks+end:]
	}
	return text, ""
}

func (c *wordCutter) hasSpecial(text string) bool {
	return slices.ContainsFunc(c.Vocabulary().SpecialVocabulary(), func(s string) bool { return strings.Contains(text, s) })
}

// word gives the tokens of one word. They are found beside another, because the
// encoder looks a text of one word up as a whole.
func (c *wordCutter) word(word string) ([]int32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ids, ok := c.words[word]; ok {
		return ids, nil
	}
	ids, err := c.beside(word)
	if err == nil && len(word) <= longestWord && len(c.words) < mostWords {
		c.words[strings.Clone(word)] = ids
	}
	return ids, err
}

func (c *wordCutter) beside(word string) ([]int32, error) {
	if strings.HasPrefix(word, wordMark) {
		ids, err := c.Tokenizer.Encode(otherWord+word, false)
		return ids[min(c.lead, len(ids)):], err
	}
	ids, err := c.Tokenizer.Encode(word+wordMark+otherWord, false)
	return ids[:max(0, len(ids)-c.tail)], err
}
