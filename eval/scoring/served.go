package scoring

import (
	"context"
	"fmt"
	"math"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/text"
)

const (
	// batchSize is how many texts one request to an embedding server holds.
	batchSize = 64
	// windowsAtOnce is how many windows of one text are asked for at once.
	windowsAtOnce = 16 * batchSize
	// preparedTexts is how many texts are enough to fill the requests.
	preparedTexts = 32 * batchSize
	// cachedNumbers bounds the vectors kept between calls, to 64 MB.
	cachedNumbers = 8 << 20
)

// served compares by the vectors of an embedding server.
type served struct {
	embedder  eval.Embedder
	dimension int // 0 before the first vector
	cache     map[string][]float64
}

func newServed(e eval.Embedder) *served {
	return &served{embedder: e, cache: map[string][]float64{}}
}

// prepare asks for the references, the texts and, of a text that is not very
// long, the windows of as many pairs as preparedTexts allows.
func (s *served) prepare(ctx context.Context, pairs []metrics.Pair) (n int, err error) {
	if len(s.cache)*s.dimension > cachedNumbers {
		clear(s.cache)
	}
	var texts []string
	var reference, words text.Words
	for n < len(pairs) && len(texts) < preparedTexts {
		p := pairs[n]
		n++
		reference.Reset(p.Reference)
		words.Reset(p.Text)
		if reference.Len() == 0 || words.Len() == 0 {
			continue
		}
		texts = append(texts, p.Reference, p.Text)
		width := min(reference.Len(), words.Len())
		if words.Len()-width < windowsAtOnce {
			texts = appendWindows(texts, p.Text, &words, width, 0, words.Len()-width+1)
		}
	}
	return n, s.embed(ctx, texts)
}

// appendWindows appends the runs of width words that begin at the words from
// to to.
func appendWindows(list []string, scored string, words *text.Words, width, from, to int) []string {
	for i := from; i < to; i++ {
		start, end := windowOffsets(words, i, width)
		list = append(list, scored[start:end])
	}
	return list
}

func (s *served) compare(ctx context.Context, pair metrics.Pair, reference, words *text.Words) (closeness, error) {
	for _, side := range []struct {
		name  string
		words *text.Words
	}{{"reference", reference}, {"text", words}} {
		if side.words.Len() == 0 {
			reason := "the " + side.name + " has no words"
			return closeness{reason: reason, bestReason: reason}, nil
		}
	}
	if err := s.embed(ctx, []string{pair.Reference, pair.Text}); err != nil {
		return closeness{}, err
	}
	c := closeness{reference: s.cache[pair.Reference], textVector: s.cache[pair.Text]}
	c.cosine = cosine(c.reference, c.textVector)
	err := s.bestWindow(ctx, pair.Text, words, reference.Len(), &c)
	return c, err
}

// bestWindow looks at every run of width words of the text, or at all of a
// shorter one, a few requests' worth at a time.
func (s *served) bestWindow(ctx context.Context, scored string, words *text.Words, width int, c *closeness) error {
	width = min(width, words.Len())
	c.best = math.Inf(-1)
	last := words.Len() - width
	for from := 0; from <= last; from += windowsAtOnce {
		to := min(last+1, from+windowsAtOnce)
		windows := appendWindows(nil, scored, words, width, from, to)
		if err := s.embed(ctx, windows); err != nil {
			return err
		}
		for i, window := range windows {
			if v := cosine(c.reference, s.cache[window]); v > c.best {
				c.best = v
				c.bestStart, c.bestEnd = windowOffsets(words, from+i, width)
			}
		}
		if len(s.cache)*s.dimension > cachedNumbers {
			for _, window := range windows {
				delete(s.cache, window)
			}
		}
	}
	return nil
}

func windowOffsets(words *text.Words, i, width int) (start, end int) {
	start, _ = words.Offsets(i)
	_, end = words.Offsets(i + width - 1)
	return start, end
}

// embed makes sure that the cache holds every text, asking for each distinct
// one once.
func (s *served) embed(ctx context.Context, texts []string) error {
	var wanted []string
	asked := map[string]bool{}
	for _, t := range texts {
		if _, have := s.cache[t]; !have && !asked[t] {
			wanted = append(wanted, t)
			asked[t] = true
		}
	}
	for len(wanted) > 0 {
		n := min(batchSize, len(wanted))
		if err := s.request(ctx, wanted[:n]); err != nil {
			return fmt.Errorf("embed with %s: %w", s.embedder.Name(), err)
		}
		wanted = wanted[n:]
	}
	return nil
}

func (s *served) request(ctx context.Context, texts []string) error {
	vectors, err := s.embedder.Embed(ctx, texts)
	if err != nil {
		return s.blame(ctx, texts, err)
	}
	if len(vectors) < len(texts) {
		return fmt.Errorf("%d vectors for %d texts: none for %q", len(vectors), len(texts), cut(texts[len(vectors)]))
	}
	if len(vectors) > len(texts) {
		return fmt.Errorf("%d vectors for %d texts, the last of which is %q", len(vectors), len(texts), cut(texts[len(texts)-1]))
	}
	for i, v := range vectors {
		checked, err := s.check(v)
		if err != nil {
			return fmt.Errorf("vector of %q: %w", cut(texts[i]), err)
		}
		s.cache[texts[i]] = checked
	}
	return nil
}

// blame names the text that the server fails on, asking for one at a time.
func (s *served) blame(ctx context.Context, texts []string, err error) error {
	for _, t := range texts {
		if len(texts) > 1 && ctx.Err() == nil {
			_, err = s.embedder.Embed(ctx, []string{t})
		}
		if err != nil {
			return fmt.Errorf("text %q: %w", cut(t), err)
		}
	}
	return fmt.Errorf("%d texts from %q on fail together, but none alone", len(texts), cut(texts[0]))
}

// check refuses a vector that has no direction or another dimension than the
// one before.
func (s *served) check(v []float32) ([]float64, error) {
	if s.dimension == 0 {
		s.dimension = len(v)
	}
	if len(v) != s.dimension || len(v) == 0 {
		return nil, fmt.Errorf("%d components, want %d", len(v), max(1, s.dimension))
	}
	out := make([]float64, len(v))
	zero := true
	for i, x := range v {
		out[i] = float64(x)
		if math.IsNaN(out[i]) || math.IsInf(out[i], 0) {
			return nil, fmt.Errorf("component %d is %v", i, x)
		}
		zero = zero && x == 0
	}
	if zero {
		return nil, fmt.Errorf("all %d components are 0", len(v))
	}
	return out, nil
}

// cosine is the cosine of two vectors that check has passed, in [-1, 1].
func cosine(a, b []float64) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += a[i] * b[i]
		aa += a[i] * a[i]
		bb += b[i] * b[i]
	}
	return max(-1, min(1, ab/math.Sqrt(aa*bb)))
}
