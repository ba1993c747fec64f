package builtin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

const capitalOfFrance = "The capital of France is Paris."

// checkpointOf tells an embedded model as a checkpoint of F32 tensors, with
// the rows of q and k moved by the layout of a head.
func checkpointOf(t testing.TB, name string, rotary Rotary) Checkpoint {
	t.Helper()
	f, done, err := open(t, name).open()
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	c, _, err := check(f)
	if err != nil {
		t.Fatal(err)
	}
	out := Checkpoint{Name: name, Metadata: f.values, Tensors: make(map[string]Tensor), Rotary: rotary}
	for tensor, info := range f.tensors {
		data, err := info.floats()
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(tensor, "attn_q.weight") || strings.HasSuffix(tensor, "attn_k.weight") {
			data = laidOut(data, c, rotary)
		}
		var raw bytes.Buffer
		raw.WriteString("before") // Offset is not 0
		if err := binary.Write(&raw, binary.LittleEndian, data); err != nil {
			t.Fatal(err)
		}
		shape := slices.Clone(info.shape)
		slices.Reverse(shape)
		out.Tensors[tensor] = Tensor{Type: "F32", Shape: shape, Data: bytes.NewReader(raw.Bytes()), Offset: int64(len("before"))}
	}
	return out
}

// laidOut moves the rows of neighbours to where a layout has them. It is
// written as the conversions are: reshape, transpose, reshape.
func laidOut(pairs []float32, c config, to Rotary) []float32 {
	half := c.headDim / 2
	out := make([]float32, len(pairs))
	for row := range len(pairs) / c.dim {
		head, n := row/c.headDim*c.headDim, row%c.headDim
		switch to {
		case RotaryHalves: // what a permuting converter undoes
			n = n%2*half + n/2
		case RotaryTwice: // what it does to a layout that needs none
			n = n%half*2 + n/half
		}
		copy(out[(head+n)*c.dim:], pairs[row*c.dim:(row+1)*c.dim])
	}
	return out
}

func opened(t testing.TB, c Checkpoint) *LLM {
	t.Helper()
	l, err := OpenCheckpoint(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func score(t testing.TB, l *LLM, ids []int32) []float64 {
	t.Helper()
	out, err := l.Score(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func encoded(t testing.TB, l *LLM, text string) []int32 {
	t.Helper()
	ids, err := l.Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func sum(x []float64) (total float64) {
	for _, v := range x {
		total += v
	}
	return total
}

// TestScoreIsTheLogarithmOfAProbability adds up what the model gives every
// token after a prompt.
func TestScoreIsTheLogarithmOfAProbability(t *testing.T) {
	l := open(t, "mini-baby")
	ids := encoded(t, l, "The capital of")
	total, best, at := 0.0, math.Inf(-1), int32(0)
	for id := range int32(1536) {
		got := score(t, l, append(ids, id))
		last := got[len(got)-1]
		if total += math.Exp(last); last > best {
			best, at = last, id
		}
	}
	if math.Abs(total-1) > 1e-6 {
		t.Errorf("the probabilities of all tokens come to %v", total)
	}
	choices, err := l.Greedy(t.Context(), ids, 1)
	if err != nil || len(choices) != 1 || choices[0].ID != at {
		t.Errorf("greedy %v %v, the most probable is %d", choices, err, at)
	}
}

// TestRotaryLayouts stores one model in each layout and reads it in each: only
// the right reading is the model, and it is so to the last bit.
func TestRotaryLayouts(t *testing.T) {
	var texts [][]int32
	var want [][]float64
	for i, prompt := range readPrompts(t)[:8] {
		ids := encoded(t, open(t, "mini-teacher"), prompt+readTorch(t)["mini-teacher"].Replies[i])
		texts, want = append(texts, ids), append(want, score(t, open(t, "mini-teacher"), ids))
	}
	for _, stored := range []Rotary{RotaryPairs, RotaryHalves, RotaryTwice} {
		l := opened(t, checkpointOf(t, "mini-teacher", stored))
		for _, read := range []Rotary{RotaryPairs, RotaryHalves, RotaryTwice} {
			lost := 0.0
			for i, ids := range texts {
				got := score(t, l.WithRotary(read), ids)
				if lost += sum(want[i]) - sum(got); read == stored && !slices.Equal(got, want[i]) {
					t.Errorf("stored and read as %d: %v, want %v", read, got, want[i])
				}
			}
			if read != stored && lost < 100 {
				t.Errorf("stored as %d, read as %d: only %v nats worse than read as it is", stored, read, lost)
			}
		}
	}
}

func TestGreedyIsGenerate(t *testing.T) {
	l := open(t, "mini-teacher")
	const prompt = "The capital of France is"
	want, err := l.Generate(t.Context(), prompt, Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	choices, err := l.Greedy(t.Context(), encoded(t, l, prompt), 100)
	if err != nil || len(choices) != want.CompletionTokens || !choices[len(choices)-1].End {
		t.Fatalf("%v %v, want %d tokens", choices, err, want.CompletionTokens)
	}
	text := ""
	for _, c := range choices[:len(choices)-1] {
		p, err := l.Piece(c.ID)
		if err != nil || c.End || c.Lead < 1 {
			t.Errorf("%+v %v", c, err)
		}
		text += p
	}
	if text != want.Text {
		t.Errorf("%q, Generate gives %q", text, want.Text)
	}
	one, err := l.Greedy(t.Context(), slices.Repeat(encoded(t, l, "The"), 128)[:128], 5)
	if err != nil || len(one) != 1 {
		t.Errorf("a full context gives %v %v", one, err)
	}
}

// TestCheckpointWithoutVocabulary takes ids and refuses text.
func TestCheckpointWithoutVocabulary(t *testing.T) {
	c := checkpointOf(t, "mini-student", RotaryPairs)
	ids := encoded(t, open(t, "mini-student"), capitalOfFrance)
	for key := range c.Metadata {
		if strings.HasPrefix(key, "tokenizer.") {
			delete(c.Metadata, key)
		}
	}
	c.Metadata["llama.vocab_size"] = 1536
	l := opened(t, c)
	if !slices.Equal(score(t, l, ids), score(t, open(t, "mini-student"), ids)) {
		t.Error("other figures without a vocabulary")
	}
	if _, err := l.Generate(t.Context(), capitalOfFrance, Options{}, nil); err == nil || !strings.Contains(err.Error(), "no vocabulary") {
		t.Errorf("Generate: %v", err)
	}
	if _, err := l.Piece(3); err == nil || !strings.Contains(err.Error(), "no vocabulary") {
		t.Errorf("Piece: %v", err)
	}
}

// TestAsF16 rounds the matrices of an F32 checkpoint to what the F16 file has.
func TestAsF16(t *testing.T) {
	c := checkpointOf(t, "mini-student", RotaryPairs)
	for name, tensor := range c.Tensors {
		raw := make([]byte, 4)
		if len(tensor.Shape) != 2 {
			continue
		}
		if _, err := tensor.Data.ReadAt(raw, tensor.Offset); err != nil {
			t.Fatal(err)
		}
		spoilt := spoil{tensor.Data, tensor.Offset}
		tensor.Data, tensor.AsF16 = spoilt, true
		c.Tensors[name] = tensor
	}
	ids := encoded(t, open(t, "mini-student"), capitalOfFrance)
	if !slices.Equal(score(t, opened(t, c), ids), score(t, open(t, "mini-student"), ids)) {
		t.Error("rounded to F16 it is not the F16 model")
	}
	for name, tensor := range c.Tensors {
		tensor.AsF16 = false
		c.Tensors[name] = tensor
	}
	if slices.Equal(score(t, opened(t, c), ids), score(t, open(t, "mini-student"), ids)) {
		t.Error("the numbers that were to be rounded are those of F16 already")
	}
}

// spoil sets the lowest bit of every float32, which rounding to F16 takes away.
type spoil struct {
	data interface {
		ReadAt([]byte, int64) (int, error)
	}
	offset int64
}

func (s spoil) ReadAt(p []byte, at int64) (int, error) {
	n, err := s.data.ReadAt(p, at)
	for i := range p[:n] {
		if (at-s.offset+int64(i))%4 == 0 {
			p[i] |= 1
		}
	}
	return n, err
}

func TestFloatToHalf(t *testing.T) {
	for h := range 1 << 16 {
		h := uint16(h)
		v := halfToFloat(h)
		if v-v != 0 {
			continue // infinite or NaN
		}
		if got := floatToHalf(v); got != h {
			t.Fatalf("%04x is %v, which becomes %04x", h, v, got)
		}
		next := halfToFloat(h + 1)
		if v < 0 || next-next != 0 {
			continue
		}
		even := h + h&1
		if got := floatToHalf((v + next) / 2); got != even {
			t.Fatalf("half way from %04x to the next becomes %04x, want %04x", h, got, even)
		}
		if got := floatToHalf(math.Nextafter32((v+next)/2, 0)); got != h {
			t.Fatalf("less than half way from %04x to the next becomes %04x", h, got)
		}
	}
	for v, want := range map[float32]uint16{65519: 0x7bff, 65520: 0x7c00, -1e9: 0xfc00, float32(math.Inf(1)): 0x7c00} {
		if got := floatToHalf(v); got != want {
			t.Errorf("%v becomes %04x, want %04x", v, got, want)
		}
	}
	if h := floatToHalf(float32(math.NaN())); halfToFloat(h) == halfToFloat(h) {
		t.Errorf("NaN becomes %04x", h)
	}
}

func TestScoreRefuses(t *testing.T) {
	l := open(t, "mini-baby")
	for want, ids := range map[string][]int32{
		"no tokens":                 nil,
		"the context holds 128":     make([]int32, 129),
		"the vocabulary has 0 to":   {1, 1536},
		"token 0 of the text is -1": {-1},
	} {
		if _, err := l.Score(t.Context(), ids); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Score of %d tokens: %v", len(ids), err)
		}
		if _, err := l.Greedy(t.Context(), ids, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Greedy after %d tokens: %v", len(ids), err)
		}
	}
	if got, err := l.Score(t.Context(), []int32{1}); err != nil || len(got) != 0 {
		t.Errorf("one token: %v %v", got, err)
	}
}

func TestCheckpointRefuses(t *testing.T) {
	for want, spoil := range map[string]func(c Checkpoint){
		"a chan int cannot stand": func(c Checkpoint) { c.Metadata["x"] = make(chan int) },
		"stored as I64": func(c Checkpoint) {
			c.Tensors["output.weight"] = Tensor{Type: "I64", Shape: []int{1536, 64}, Data: bytes.NewReader(nil)}
		},
		"no data": func(c Checkpoint) { c.Tensors["output.weight"] = Tensor{Type: "F32", Shape: []int{1536, 64}} },
		"shape [": func(c Checkpoint) {
			c.Tensors["output.weight"] = Tensor{Type: "F32", Shape: []int{1 << 40, 1 << 40}, Data: bytes.NewReader(nil)}
		},
		"has the shape": func(c Checkpoint) {
			c.Tensors["output.weight"] = Tensor{Type: "F32", Shape: []int{64, 1536}, Data: bytes.NewReader(nil)}
		},
		"weights: the built-in engine is for small models": func(c Checkpoint) { c.Metadata["llama.context_length"] = 2 },
	} {
		c := checkpointOf(t, "mini-student", RotaryPairs)
		if strings.HasPrefix(want, "weights") {
			grow(c)
		}
		spoil(c)
		if _, err := OpenCheckpoint(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	c := checkpointOf(t, "mini-student", RotaryPairs)
	short := c.Tensors["output.weight"]
	short.Offset++
	c.Tensors["output.weight"] = short
	if _, err := opened(t, c).Score(t.Context(), []int32{1, 2}); err == nil || !strings.Contains(err.Error(), "output.weight") {
		t.Errorf("a tensor that ends early: %v", err)
	}
}

// grow claims a vocabulary of 2^18 tokens of 2^14 numbers, and no numbers.
func grow(c Checkpoint) {
	const rows, dim = 1 << 18, 1 << 14
	for key := range c.Metadata {
		if strings.HasPrefix(key, "tokenizer.") {
			delete(c.Metadata, key)
		}
	}
	c.Metadata["llama.vocab_size"], c.Metadata["llama.embedding_length"] = rows, dim
	c.Metadata["llama.block_count"], c.Metadata["llama.attention.head_count"] = 1, 1<<10
	c.Metadata["llama.attention.head_count_kv"], c.Metadata["llama.rope.dimension_count"] = 1<<10, dim>>10
	c.Metadata["llama.feed_forward_length"] = 8
	clear(c.Tensors)
	put := func(name string, shape ...int) {
		c.Tensors[name] = Tensor{Type: "F32", Shape: shape, Data: bytes.NewReader(nil)}
	}
	put("token_embd.weight", rows, dim)
	put("output_norm.weight", dim)
	for _, norm := range []string{"attn_norm", "ffn_norm"} {
		put(blockName(0, norm), dim)
	}
	for _, square := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
		put(blockName(0, square), dim, dim)
	}
	put(blockName(0, "ffn_gate"), 8, dim)
	put(blockName(0, "ffn_up"), 8, dim)
	put(blockName(0, "ffn_down"), dim, 8)
}

func TestOpenReader(t *testing.T) {
	raw := newTiny().bytes()
	l, err := OpenReader("tiny", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	same, err := openBytes(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	if l.Info() != same.Info() {
		t.Errorf("%+v from a reader, %+v from a file", l.Info(), same.Info())
	}
	if _, err := OpenReader("cut", bytes.NewReader(raw[:100]), 100); err == nil || !strings.Contains(err.Error(), "open model cut") {
		t.Errorf("a cut file: %v", err)
	}
}

// TestScoreOfNoNumbers refuses a model whose logits overflow.
func TestScoreOfNoNumbers(t *testing.T) {
	m := newTiny()
	w := m.tensor("output.weight")
	for i := range len(w.data) / 4 {
		binary.LittleEndian.PutUint32(w.data[4*i:], f32bits(3e38))
	}
	l, err := openBytes(t, m.bytes())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Score(t.Context(), []int32{1, 4, 5}); !errors.Is(err, errNotFinite) {
		t.Errorf("Score: %v", err)
	}
	if _, err := l.Greedy(t.Context(), []int32{1, 4, 5}, 2); !errors.Is(err, errNotFinite) {
		t.Errorf("Greedy: %v", err)
	}
}
