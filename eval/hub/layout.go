package hub

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/disteval/disteval/metrics/stat"
)

// Reader is a model that runs: it reads a text and says how probable each
// token was.
type Reader interface {
	Encode(text string) ([]int32, error)
	Piece(id int32) (string, error)
	// Score gives, for each of ids but the first, the natural logarithm of its
	// probability after those before it.
	Score(ctx context.Context, ids []int32) ([]float64, error)
}

// Reading is a model read in one layout of its q and k.
type Reading struct {
	Layout string // in words, such as "Meta's layout"
	Reader Reader
}

// RotaryTest compares the readings of a model over one text.
type RotaryTest struct {
	Sentences   int         `json:"sentences"`
	Readings    []BitsOfOne `json:"readings"`   // as stored first
	Difference  float64     `json:"difference"` // of the best other reading less as stored, bits per byte
	CI95        [2]float64  `json:"ci95"`       // of the difference, paired by sentence
	Best        string      `json:"best"`       // the layout that the model was trained with; empty: undecided
	Undecided   string      `json:"undecided"`  // why; empty: decided
	UniformBits float64     `json:"uniform_bits"`
}

// BitsOfOne is what one reading gives.
type BitsOfOne struct {
	Layout      string  `json:"layout"`
	BitsPerByte float64 `json:"bits_per_byte"` // mean of the sentences'
}

// What the test needs to decide.
const (
	minSentences = 20   // different ones: the bootstrap knows no more than they say
	minShare     = 0.03 // of the bits, by which the readings must differ
	knows        = 0.9  // of the bits of an even guess, which the better reading must not exceed
	testSeed     = 1    // of the bootstrap
)

// CompareLayouts reads each sentence in every layout. readings[0] is the model as
// it is stored. Sentences that do not fit the context are left out, and at most
// most tokens are read in a layout. The tokens are counted by tell.
func CompareLayouts(ctx context.Context, readings []Reading, sentences []string, vocabulary, most int, tell Progress) (*RotaryTest, error) {
	t := &RotaryTest{UniformBits: math.Log2(float64(max(vocabulary, 2)))}
	texts, err := t.choose(readings[0].Reader, sentences, most)
	if err != nil {
		return nil, err
	}
	found := make([][]float64, len(readings))
	perToken := make([]float64, len(readings))
	done, tokens := 0, 0
	for _, s := range texts {
		tokens += len(s.ids) - 1
	}
	for i, r := range readings {
		total := 0.0
		for _, s := range texts {
			logs, err := r.Reader.Score(ctx, s.ids)
			if err != nil {
				return nil, fmt.Errorf("read %q in %s: %w", s.text, r.Layout, err)
			}
			sum := 0.0
			for _, l := range logs {
				sum -= l / math.Ln2
			}
			total += sum
			found[i] = append(found[i], sum/float64(s.bytes))
			done += len(logs)
			tell("read the text in "+fmt.Sprint(len(readings))+" layouts", int64(done), int64(tokens*len(readings)))
		}
		perToken[i] = total / float64(max(tokens, 1))
		t.Readings = append(t.Readings, BitsOfOne{r.Layout, mean(found[i])})
	}
	t.Sentences = len(texts)
	t.decide(found, perToken)
	return t, nil
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(max(len(x), 1))
}

// sentence is a text as the model reads it.
type sentence struct {
	text  string
	ids   []int32
	bytes int // that the scored tokens stand for
}

func (t *RotaryTest) choose(r Reader, sentences []string, most int) (out []sentence, err error) {
	tokens, seen := 0, make(map[string]bool)
	for _, text := range sentences {
		if seen[text] {
			continue // it would count as one more witness, and says the same
		}
		seen[text] = true
		ids, encodeErr := r.Encode(text)
		if encodeErr != nil {
			err = encodeErr
			continue // too long for the context, most likely
		}
		first, pieceErr := r.Piece(ids[0])
		if pieceErr != nil {
			return nil, pieceErr
		}
		s := sentence{text, ids, len(text)}
		if len(text) >= len(first) && len(first) > 0 && text[:len(first)] == first {
			s.bytes -= len(first) // no marker stands before it, so nothing predicts it
		}
		if len(ids) < 2 || s.bytes < 1 {
			continue
		}
		if tokens += len(ids) - 1; tokens > most && len(out) >= minSentences {
			break
		}
		out = append(out, s)
	}
	if len(out) > 0 {
		err = nil
	}
	return out, err
}

// decide says which layout the model was trained with, where that can be said.
func (t *RotaryTest) decide(found [][]float64, perToken []float64) {
	other := 1
	for i := range t.Readings {
		if i > 0 && t.Readings[i].BitsPerByte < t.Readings[other].BitsPerByte {
			other = i
		}
	}
	c := stat.ComparePaired(found[other], found[0], false, testSeed)
	t.Difference, t.CI95 = c.Difference, [2]float64{c.Lo, c.Hi}
	best := 0
	if c.Difference < 0 {
		best = other
	}
	switch {
	case t.Sentences < minSentences:
		t.Undecided = fmt.Sprintf("only %d different sentences fit the model; %d are needed", t.Sentences, minSentences)
	case perToken[best] > knows*t.UniformBits:
		t.Undecided = fmt.Sprintf("in no layout is it much better than an even guess (%.2f bits a token of %.2f): it has not learned this text", perToken[best], t.UniformBits)
	case c.Lo <= 0 && c.Hi >= 0:
		t.Undecided = "the layouts differ by no more than chance"
	case math.Abs(c.Difference) < minShare*t.Readings[0].BitsPerByte:
		t.Undecided = fmt.Sprintf("the layouts differ by less than %.0f %%", 100*minShare)
	default:
		t.Best = t.Readings[best].Layout
	}
}

// Finding is what the test means for the checkpoint; ok is false where it
// means nothing.
func (t *RotaryTest) Finding(mend string) (f Finding, ok bool) {
	f = Finding{Check: "rotary", Level: Fault, Mend: mend}
	stored := t.Readings[0]
	other := t.Readings[1]
	for _, r := range t.Readings[1:] {
		if r.BitsPerByte < other.BitsPerByte {
			other = r
		}
	}
	says := fmt.Sprintf("as stored (%s) %.2f bits per byte, in %s %.2f (difference %.2f, 95 %% interval %.2f to %.2f, %d sentences)",
		stored.Layout, stored.BitsPerByte, other.Layout, other.BitsPerByte, t.Difference, t.CI95[0], t.CI95[1], t.Sentences)
	switch {
	case t.Undecided != "":
		f.Level, f.What, f.Mend = Remark, "the layout of q and k is undecided: "+t.Undecided+"; "+says, "test with a text that the model should know: --text FILE"
	case t.Best == stored.Layout:
		return f, false
	default:
		f.What = says + ": stored in " + t.Best
	}
	return f, true
}

// Stretch is how well a model reads the positions From to To of a text.
type Stretch struct {
	From        int     `json:"from"`
	To          int     `json:"to"`
	Tokens      int     `json:"tokens"`
	BitsPerByte float64 `json:"bits_per_byte"`
}

const firstStretch = 3 // positions 1 to 15 are one stretch; then 16 to 31 and so on

// breaks is by how much a stretch must be worse than the best one before it.
const breaks = 1.5

// ReadByPosition reads the sentences as one text, most tokens of it, in windows as
// long as the context, and gives the bits per byte by position: where they
// rise, the model was not trained.
func (w *Weights) ReadByPosition(ctx context.Context, r Reader, sentences []string, positions, most int, tell Progress) ([]Stretch, error) {
	window := min(positions, most)
	ids := w.joined(r, sentences, window, most)
	type part struct {
		bits   float64
		bytes  int
		tokens int
	}
	parts := make(map[int]*part) // by the power of two of the position
	for i, text := range ids {
		logs, err := r.Score(ctx, text)
		if err != nil {
			return nil, fmt.Errorf("read a text of %d tokens: %w", len(text), err)
		}
		for k, l := range logs {
			piece, err := r.Piece(text[k+1])
			if err != nil {
				return nil, err
			}
			at := max(firstStretch, bits.Len(uint(k+1))-1)
			if parts[at] == nil {
				parts[at] = &part{}
			}
			parts[at].bits -= l / math.Ln2
			parts[at].bytes += len(piece)
			parts[at].tokens++
		}
		tell("read the text by position", int64(i+1), int64(len(ids)))
	}
	var out []Stretch
	for at := firstStretch; parts[at] != nil; at++ {
		from := 1 << at
		if at == firstStretch {
			from = 1
		}
		out = append(out, Stretch{from, min(1<<(at+1), window) - 1, parts[at].tokens, parts[at].bits / float64(max(parts[at].bytes, 1))})
	}
	return out, nil
}

// joined cuts the sentences, one after the other, into windows of tokens, each
// with one marker of the beginning where the model has one.
func (w *Weights) joined(r Reader, sentences []string, window, most int) (out [][]int32) {
	var now []int32
	for _, s := range sentences {
		ids, err := r.Encode(s)
		if err != nil {
			continue // longer than the context
		}
		if bos, ok := integerOf(w.Metadata["tokenizer.ggml.bos_token_id"]); ok && len(now) > 0 && int(ids[0]) == bos {
			ids = ids[1:]
		}
		if now = append(now, ids...); len(now) >= window {
			out, now = append(out, now[:window]), nil
		}
		if len(out)*window >= most {
			return out
		}
	}
	if len(out) == 0 && len(now) > 1 {
		out = [][]int32{now}
	}
	return out
}

// BreakDown remarks from which position on a model reads badly.
func BreakDown(stretches []Stretch, stated int) (f Finding, ok bool) {
	best := math.Inf(1)
	for i, s := range stretches {
		worse := !slices.ContainsFunc(stretches[i:], func(s Stretch) bool { return s.BitsPerByte < breaks*best })
		if i > 0 && worse && s.Tokens >= 16 {
			return Finding{Check: "context", Level: Remark,
				What: fmt.Sprintf("max_position_embeddings is %d, but from position %d on it reads %.1f times as badly (%.2f bits per byte): it was trained on shorter texts, or on other ones", stated, s.From, s.BitsPerByte/best, s.BitsPerByte),
				Mend: fmt.Sprintf("expect little of prompts and replies of more than %d tokens together", s.From)}, true
		}
		best = min(best, s.BitsPerByte)
	}
	return f, false
}

// survivors are texts of several scripts that a tokenizer should give back.
var survivors = []string{"The capital of France is Paris.", "In 1969, 2 of 3 went (at 9.8 m/s²)!", "a  b   c", "line one\nline two", "café, naïve, Łódź", "Москва", "東京 दिल्ली", "🙂"}

// CheckTexts sees whether texts survive the tokenizer.
func (w *Weights) CheckTexts(r Reader) []Finding {
	var lost []string
	for i, text := range survivors {
		back, err := w.decoded(r, text)
		if err == nil && back == text {
			continue
		}
		if i == 0 {
			return []Finding{{Check: "tokenizer", Level: Fault, What: fmt.Sprintf("%q comes back from the tokenizer as %q", text, back), Mend: "use the tokenizer that the model was trained with"}}
		}
		lost = append(lost, fmt.Sprintf("%q as %q", text, back))
	}
	if len(lost) == 0 {
		return nil
	}
	return []Finding{{Check: "tokenizer", Level: Remark, What: fmt.Sprintf("%d of %d texts do not come back whole, such as %s", len(lost), len(survivors), lost[0]),
		Mend: "keep to characters that the vocabulary has, or train a tokenizer with byte fallback"}}
}

// decoded is a text as its tokens say it, without the markers around it.
func (w *Weights) decoded(r Reader, text string) (string, error) {
	ids, err := r.Encode(text)
	if err != nil {
		return "", err
	}
	if bos, ok := integerOf(w.Metadata["tokenizer.ggml.bos_token_id"]); ok && len(ids) > 0 && int(ids[0]) == bos {
		ids = ids[1:]
	}
	if eos, ok := integerOf(w.Metadata["tokenizer.ggml.eos_token_id"]); ok && len(ids) > 0 && int(ids[len(ids)-1]) == eos {
		ids = ids[:len(ids)-1]
	}
	var out []byte
	for _, id := range ids {
		piece, err := r.Piece(id)
		if err != nil {
			return "", err
		}
		out = append(out, piece...)
	}
	if len(out) > 0 && out[0] == ' ' && text[0] != ' ' {
		out = out[1:] // the space that is put before a text
	}
	return string(out), nil
}
