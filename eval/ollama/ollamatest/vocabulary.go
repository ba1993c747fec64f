package ollamatest

import (
	"fmt"
	"math/rand/v2"
)

// Token ids as in LLaMA's own vocabulary: three control tokens, 256 bytes,
// then pieces of text.
const (
	tokenUnknown   = 0
	tokenBOS       = 1
	tokenEOS       = 2
	firstByte      = 3
	firstWordPiece = firstByte + 256
)

// Token types of GGUF.
const (
	typeNormal  = 1
	typeUnknown = 2
	typeControl = 3
	typeByte    = 6
)

// space stands for a space inside a piece.
const space = "▁"

// letters are the single characters that every vocabulary has; the rarer ones
// see to it that replies are not ASCII alone.
const letters = space + "etaoinshrdlucmfwypvbgkjqxzETAOINSHRDLUCMFWYPVBGKJQXZ0123456789.,'\"-:;?!()éüßñøçщд日本"

// MinVocab is the smallest vocabulary: control tokens, bytes and letters.
var MinVocab = firstWordPiece + len([]rune(letters))

// vocabulary is a vocabulary of the SentencePiece kind: a text is split by
// joining neighbours whose joint piece has the highest score.
type vocabulary struct {
	pieces []string
	scores []float32
	types  []int32
}

func (v *vocabulary) add(piece string, score float32, kind int32) {
	v.pieces = append(v.pieces, piece)
	v.scores = append(v.scores, score)
	v.types = append(v.types, kind)
}

// newVocabulary makes a vocabulary of that size, at least MinVocab: letters,
// then syllables, then invented words, each reachable by joining earlier ones.
func newVocabulary(size int, seed uint64) vocabulary {
	var v vocabulary
	v.add("<unk>", 0, typeUnknown)
	v.add("<s>", 0, typeControl)
	v.add("</s>", 0, typeControl)
	for b := range 256 {
		v.add(fmt.Sprintf("<0x%02X>", b), 0, typeByte)
	}
	piece := func(text string) {
		if len(v.pieces) < size {
			v.add(text, -float32(len(v.pieces)-firstWordPiece), typeNormal)
		}
	}
	for _, r := range letters {
		piece(string(r))
	}
	random := rand.New(rand.NewPCG(seed, 0))
	syllables := shuffledSyllables(random)
	for _, s := range syllables {
		piece(s)
	}
	words := []string{space}
	for len(v.pieces) < size { // one more syllable a word with every turn
		words = extended(words, syllables)
		random.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		for _, w := range words {
			piece(w)
		}
	}
	return v
}

// extended is every word with every syllable behind it.
func extended(words, syllables []string) []string {
	longer := make([]string, 0, len(words)*len(syllables))
	for _, w := range words {
		for _, s := range syllables {
			longer = append(longer, w+s)
		}
	}
	return longer
}

func shuffledSyllables(random *rand.Rand) []string {
	var all []string
	for _, consonant := range "bcdfghklmnprstvw" {
		for _, vowel := range "aeiou" {
			all = append(all, string(consonant)+string(vowel))
		}
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}
