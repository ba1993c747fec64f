package builtin

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ollama/ollama/tokenizer"

	"github.com/disteval/disteval/queries"
)

// vocabularyOf has every byte, some letters and the tokens given.
func vocabularyOf(tokens ...string) *tokenizer.Vocabulary {
	v := &tokenizer.Vocabulary{Values: []string{"<unk>", "<s>", "</s>"}, Types: []int32{2, 3, 3}}
	for _, token := range append([]string{wordMark, "a", "b", "c"}, tokens...) {
		v.Values, v.Types = append(v.Values, token), append(v.Types, tokenizer.TOKEN_TYPE_NORMAL)
	}
	for i := range v.Values {
		v.Scores = append(v.Scores, float32(-(i*7)%11))
	}
	return v
}

// merging has tokens that merges reach, and one, ▁bcb, that they do not.
var merging = vocabularyOf("ab", wordMark+"a", wordMark+"ab", "ca", wordMark+wordMark, wordMark+"bcb", "aa")

func FuzzWords(f *testing.F) {
	for _, text := range []string{"", " ", " a", " ab ca", "ab ca", " bcb", " a bcb", " a  bcb ", " a<s> bcb", " a\u2581bcb", " 東 \xff", "  a   a"} {
		f.Add(text)
	}
	cutter := newWordCutter(tokenizer.NewSentencePiece(merging))
	f.Fuzz(func(t *testing.T, text string) {
		want, err := cutter.Tokenizer.Encode(text, false)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // anew, and remembered
			got, err := cutter.Encode(text, false)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%q is cut into %v, %v, want %v", text, got, err, want)
			}
		}
	})
}

// TestWordsAreCutAlike compares with the encoder on the texts of the query set
// and on random ones.
func TestWordsAreCutAlike(t *testing.T) {
	mini, ok := loaded(t, "mini-teacher").words.tokenizer.(*wordCutter)
	if !ok {
		t.Fatal("the miniatures' vocabulary is cut as a whole")
	}
	rng := rand.New(rand.NewPCG(3, 3))
	for range 2000 {
		var text strings.Builder
		for range rng.IntN(12) {
			text.WriteString([]string{" ", "a", "b", "c", "ab", " a", " bcb", wordMark, "<s>", "é", "東"}[rng.IntN(11)])
		}
		sameWords(t, newWordCutter(tokenizer.NewSentencePiece(merging)), text.String())
	}
	set := queries.Builtin()
	for _, q := range set.Queries {
		sameWords(t, mini, q.Prompt)
		for _, a := range append(q.Answers(), set.Candidates(q)...) {
			sameWords(t, mini, q.Prompt+" "+a)
		}
	}
}

func sameWords(t *testing.T, c *wordCutter, text string) {
	t.Helper()
	want, err := c.Tokenizer.Encode(text, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Encode(text, false); err != nil || !slices.Equal(got, want) {
		t.Fatalf("%q is cut into %v, %v, want %v", text, got, err, want)
	}
}

// TestWordsThatAreNotCutAlone: a vocabulary with a token over a word's
// beginning, or a special one that might be, is left to the encoder.
func TestWordsThatAreNotCutAlone(t *testing.T) {
	special := vocabularyOf()
	special.Values, special.Types = append(special.Values, "of the"), append(special.Types, tokenizer.TOKEN_TYPE_USER_DEFINED)
	special.Scores = append(special.Scores, 0)
	for name, v := range map[string]*tokenizer.Vocabulary{"a token": vocabularyOf("a" + wordMark + "b"), "a special token": special} {
		if newWordCutter(tokenizer.NewSentencePiece(v)) != nil {
			t.Errorf("%s over the beginning of a word: it is cut by words", name)
		}
	}
}
