package scoring

import (
	"context"
	"fmt"
	"strings"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/text"
	"github.com/disteval/disteval/metrics/vector"
)

// wordVectors compares by the word vectors in the binary.
type wordVectors struct {
	reference, text vector.Bag
}

func (w *wordVectors) prepare(_ context.Context, pairs []metrics.Pair) (int, error) {
	return len(pairs), nil
}

func (w *wordVectors) compare(_ context.Context, _ metrics.Pair, reference, words *text.Words) (closeness, error) {
	fill(&w.reference, reference)
	fill(&w.text, words)
	var c closeness
	c.reason = bothReasons(&w.reference, reference, &w.text, words)
	c.bestReason = c.reason
	if c.reason == "" {
		c.cosine, _ = vector.Cosine(&w.reference, &w.text)
		c.textVector, c.reference = w.text.Direction(), w.reference.Direction()
	}
	if window, ok := vector.Best(&w.reference, &w.text); ok {
		c.best, c.bestReason = window.Cosine, ""
		c.bestStart, _ = words.Offsets(window.First)
		_, c.bestEnd = words.Offsets(window.Last)
	}
	return c, nil
}

func fill(bag *vector.Bag, words *text.Words) {
	bag.Reset()
	for i := range words.Len() {
		bag.Add(words.At(i))
	}
}

func bothReasons(reference *vector.Bag, referenceWords *text.Words, scored *vector.Bag, words *text.Words) string {
	if reason := reference.Reason(); reason != "" {
		return "the reference has " + reason + named(reference, referenceWords)
	}
	if reason := scored.Reason(); reason != "" {
		return "the text has " + reason + named(scored, words)
	}
	return ""
}

// namedWords is how many words without a vector a reason names.
const namedWords = 5

// named lists the words without a vector.
func named(bag *vector.Bag, words *text.Words) string {
	missing := Missing(bag, words, namedWords)
	if len(missing) == 0 {
		return ""
	}
	more := ""
	if n := len(bag.Missing()) - len(missing); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return " (" + strings.Join(missing, ", ") + more + ")"
}

// Missing returns up to most words that bag, filled from words, has no vector
// of; a very long one is cut.
func Missing(bag *vector.Bag, words *text.Words, most int) []string {
	var list []string
	for _, at := range bag.Missing() {
		if len(list) == most {
			break
		}
		list = append(list, cut(string(words.At(int(at)))))
	}
	return list
}

// cut shortens a text to what an error or a reason can show.
func cut(s string) string {
	const longest = 60
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "…"
}
