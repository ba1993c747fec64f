package scoring

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

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

// served compares by the vectors of an embedding server. A text that the server
// has no vector of leaves what hangs on it unscored, with the reason; a server
// that cannot be asked, or knows no difference between texts, is an error.
type served struct {
	embedder  eval.Embedder
	dimension int // 0 before the first vector
	cache     map[string][]float64
	failed    map[string]string // by text: why the server has no vector of it
}

func newServed(e eval.Embedder) *served {
	return &served{embedder: e, cache: map[string][]float64{}, failed: map[string]string{}}
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
	for _, t := range []struct{ name, text string }{{"reference", pair.Reference}, {"text", pair.Text}} {
		if why, failed := s.failed[t.text]; failed {
			reason := fmt.Sprintf("%s has no vector of the %s: %s", s.embedder.Name(), t.name, why)
			return closeness{reason: reason, bestReason: reason}, nil
		}
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
			if why, failed := s.failed[window]; failed {
				c.bestReason = fmt.Sprintf("%s has no vector of %q: %s", s.embedder.Name(), cut(window), why)
				return nil
			}
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

// embed makes sure that the cache holds every text that the server has a vector
// of, asking for each distinct one once.
func (s *served) embed(ctx context.Context, texts []string) error {
	if s.dimension == 0 {
		if err := s.probe(ctx); err != nil {
			return fmt.Errorf("embed with %s: %w", s.embedder.Name(), err)
		}
	}
	var wanted []string
	asked := map[string]bool{}
	for _, t := range texts {
		_, have := s.cache[t]
		_, failed := s.failed[t]
		if !have && !failed && !asked[t] {
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

// apart are two texts that no embedding takes for the same.
var apart = []string{"water", "The bank closed its doors on Friday."}

// probe asks for two texts that mean different things, so that a server which
// cannot embed at all is known as such before any text is blamed.
func (s *served) probe(ctx context.Context) error {
	vectors, err := s.embedder.Embed(ctx, apart)
	if err != nil {
		return err
	}
	if len(vectors) != len(apart) {
		return fmt.Errorf("%d vectors for %d texts", len(vectors), len(apart))
	}
	for i, v := range vectors {
		if _, err := s.check(v); err != nil {
			return fmt.Errorf("vector of %q: %w", apart[i], err)
		}
	}
	if slices.Equal(vectors[0], vectors[1]) {
		s.dimension = 0
		return fmt.Errorf("%q and %q get the same vector: it is not an embedding of texts", apart[0], apart[1])
	}
	return nil
}

// request asks for texts together and, where that fails, for each alone. A text
// that fails alone is left without a vector.
func (s *served) request(ctx context.Context, texts []string) error {
	vectors, err := s.embedder.Embed(ctx, texts)
	if err == nil && len(vectors) != len(texts) {
		err = fmt.Errorf("%d vectors for %d texts", len(vectors), len(texts))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && (len(texts) > 1 || unreachable(err)) {
		return s.oneByOne(ctx, texts, err)
	}
	for i, t := range texts {
		var checked []float64
		if err == nil {
			checked, err = s.check(vectors[i])
		}
		if err != nil {
			s.failed[t] = why(err)
			err = nil
			continue
		}
		s.cache[t] = checked
	}
	return nil
}

func (s *served) oneByOne(ctx context.Context, texts []string, err error) error {
	if unreachable(err) {
		return err
	}
	for i := range texts {
		if err := s.request(ctx, texts[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// why is what a server said of a text, without what it was asked.
func why(err error) string {
	var f *eval.Failure
	if errors.As(err, &f) {
		return f.Message
	}
	return err.Error()
}

// unreachable reports whether an error is the server's, whatever the text.
func unreachable(err error) bool {
	var f *eval.Failure
	return errors.As(err, &f) && (f.Kind == eval.FailRefused || f.Kind == eval.FailTimeout)
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
