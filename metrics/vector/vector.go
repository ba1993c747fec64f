// Package vector compares texts by the meaning of their words: the cosine of
// mean word vectors.
//
// Policy: figures are raw cosines, never rescaled. A word without a vector is
// passed over and named; a text without any vector has no cosine, which is not
// 0. Stop words are left out: they say that a text is English, not what it is
// about. The word vectors are GloVe's, without their common part (see
// generate.go), and cost nothing until used.
package vector

import (
	"math"
	"strings"
)

// Bag is the words of a text that have a vector, in order. It owns its memory:
// Reset it and use it again. The zero value is empty.
type Bag struct {
	indices []int32 // in the table
	words   []int32 // where the words stand among those added
	missing []int32
	stops   int
	added   int
	sum     [Dimensions]float64
}

// keepScratch is the number of words above which memory is given back.
const keepScratch = 1 << 20

// Reset empties the bag.
func (b *Bag) Reset() {
	if cap(b.indices) > keepScratch || cap(b.missing) > keepScratch {
		*b = Bag{}
	}
	b.indices, b.words, b.missing = b.indices[:0], b.words[:0], b.missing[:0]
	b.stops, b.added, b.sum = 0, 0, [Dimensions]float64{}
}

// Add takes the next word of the text: letters and digits in lower case,
// without diacritics.
func (b *Bag) Add(word []byte) {
	at := int32(b.added)
	b.added++
	if stopWords[string(word)] {
		b.stops++
		return
	}
	index := lookup(word)
	if index < 0 {
		b.missing = append(b.missing, at)
		return
	}
	b.indices, b.words = append(b.indices, index), append(b.words, at)
	addScaled(&b.sum, index, 1)
}

// Len returns the number of words that have a vector.
func (b *Bag) Len() int { return len(b.indices) }

// Missing returns which of the words added, counted from 0, have no vector;
// stop words are not among them. It is valid until the next Reset.
func (b *Bag) Missing() []int32 { return b.missing }

// Reason says why the bag has no vector; empty where it has one.
func (b *Bag) Reason() string {
	switch {
	case b.Direction() != nil:
		return ""
	case b.added == 0:
		return "no words"
	case b.stops == b.added:
		return "only stop words"
	case len(b.indices) == 0:
		return "no vector for any word"
	}
	return "the word vectors cancel out"
}

// Direction returns the sum of the word vectors, which has the direction of
// their mean, valid until the next Reset; nil without one.
func (b *Bag) Direction() []float64 {
	if len(b.indices) == 0 || dot(&b.sum, &b.sum) < tiny {
		return nil
	}
	return b.sum[:]
}

// tiny is the squared length below which a sum of unit vectors is rounding.
const tiny = 1e-18

// Cosine returns the cosine of the mean word vectors of two texts, in [-1, 1];
// ok is false where one has none.
func Cosine(a, b *Bag) (cosine float64, ok bool) {
	if a.Direction() == nil || b.Direction() == nil {
		return 0, false
	}
	return ratio(dot(&a.sum, &b.sum), dot(&a.sum, &a.sum), dot(&b.sum, &b.sum)), true
}

// ratio is a cosine from a product and two squared lengths, kept from leaving
// its range by rounding.
func ratio(product, aa, bb float64) float64 {
	return max(-1, min(1, product/math.Sqrt(aa*bb)))
}

// Window is a run of words of a text.
type Window struct {
	Cosine      float64 // [-1, 1]
	First, Last int     // which of the words added
}

// Best returns the window of text nearest to reference, of those that hold as
// many words as reference does; the first one of equals. A text of fewer words
// is one window. ok is false where either has no vector.
func Best(reference, text *Bag) (best Window, ok bool) {
	if reference.Direction() == nil {
		return Window{}, false
	}
	width := min(reference.added, text.added)
	length := dot(&reference.sum, &reference.sum)
	best.Cosine = math.Inf(-1)
	var sum [Dimensions]float64
	in, out := 0, 0 // the words with a vector that have come into the window and gone out of it
	var words []int32
	for start := 0; start+width <= text.added; start++ {
		before := in + out
		for ; out < in && int(text.words[out]) < start; out++ {
			addScaled(&sum, text.indices[out], -1)
		}
		if out == in {
			sum = [Dimensions]float64{} // whatever rounding left
		}
		for ; in < text.Len() && int(text.words[in]) < start+width; in++ {
			addScaled(&sum, text.indices[in], 1)
		}
		if in+out == before {
			continue
		}
		squares := dot(&sum, &sum)
		if squares < tiny {
			continue
		}
		if c := ratio(dot(&reference.sum, &sum), squares, length); c > best.Cosine {
			best, words = Window{c, start, start + width - 1}, text.indices[out:in]
		}
	}
	if words == nil {
		return Window{}, false
	}
	sum = [Dimensions]float64{} // the running sum has been rounded on its way
	for _, index := range words {
		addScaled(&sum, index, 1)
	}
	best.Cosine = ratio(dot(&reference.sum, &sum), dot(&sum, &sum), length)
	return best, true
}

func addScaled(sum *[Dimensions]float64, index int32, factor float64) {
	scale, components := record(index)
	scale *= factor
	for i := range Dimensions {
		sum[i] += scale * float64(int8(components[i]))
	}
}

func dot(a, b *[Dimensions]float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// stopWords are the words of English grammar.
var stopWords = stopWordSet()

func stopWordSet() map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(`
		a an the this that these those such same other another each every either neither some any all both no none
		and or but nor so yet if then than because while although though unless until since as whether
		of in on at by to from for with without within into onto upon about above below over under between among
		through during before after against along around behind beside besides beyond near off out up down toward towards via per
		i me my mine myself you your yours yourself yourselves he him his himself she her hers herself it its itself
		we us our ours ourselves they them their theirs themselves one ones oneself
		who whom whose which what where when why how whoever whatever
		am is are was were be been being isnt arent wasnt werent
		have has had having havent hasnt hadnt do does did doing done dont doesnt didnt
		will would shall should can could may might must ought cannot cant couldnt wont wouldnt shouldnt
		not never also too very just only even still again ever here there now more most less least much many few
		own quite rather however therefore thus hence etc s t`) {
		set[word] = true
	}
	return set
}
