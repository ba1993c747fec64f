package hub

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ollama/ollama/fs/ggml"
	"github.com/x448/float16"
)

// Layout is how the rows of a folder's q and k are laid out, which decides
// what their rotary embedding turns together.
type Layout string

const (
	LayoutHF   Layout = "hf"   // number i of a head turns with number i + half a head
	LayoutMeta Layout = "meta" // neighbours turn together, as GGUF's llama has it
)

// UnsupportedError means that a model may be sound and cannot be converted here.
type UnsupportedError struct{ Why string }

func (e *UnsupportedError) Error() string { return e.Why }

// Convertible says why a folder cannot be converted here: an *UnsupportedError,
// or what is wrong with it. It is nil where it can.
func (w *Weights) Convertible() error {
	switch {
	case w.GGUF:
		return errors.New("it is a GGUF file already")
	case !w.Llama():
		return &UnsupportedError{fmt.Sprintf("its architecture is %s, not %s", orUnknown(w.Shape.Architecture), architecture)}
	case w.Metadata == nil:
		for _, f := range w.found {
			if f.Level == Fault {
				return errors.New(f.What)
			}
		}
	case w.Shape.Biases:
		return &UnsupportedError{"it has biases"}
	}
	switch kind := w.Shape.Scaling.Kind; kind {
	case "", "linear", "yarn", "llama3":
	default:
		return &UnsupportedError{fmt.Sprintf("its positions are stretched by %s, which GGUF has no key for", kind)}
	}
	want := w.Shape.shapes()
	for _, t := range w.Tensors {
		if want[t.GGUF] == nil {
			return fmt.Errorf("tensor %s is not part of a LLaMA", t.Name)
		}
		if fmt.Sprint(t.Shape) != fmt.Sprint(want[t.GGUF]) {
			return fmt.Errorf("tensor %s has the shape %v where config.json asks for %v", t.Name, t.Shape, want[t.GGUF])
		}
		if t.Type != "F32" && t.Type != "F16" && t.Type != "BF16" {
			return &UnsupportedError{fmt.Sprintf("tensor %s is stored as %s", t.Name, t.Type)}
		}
		delete(want, t.GGUF)
	}
	if _, headless := want["output.weight"]; headless && w.Shape.Tied {
		delete(want, "output.weight")
	}
	for name := range want {
		return fmt.Errorf("tensor %s is missing", hfName(name))
	}
	if tokens, _ := w.Metadata["tokenizer.ggml.tokens"].([]string); len(tokens) != w.Shape.Vocab {
		return fmt.Errorf("the tokenizer has %d tokens, the embedding %d rows", len(tokens), w.Shape.Vocab)
	}
	return nil
}

// ToGGUF writes a folder's model as one GGUF file that Ollama takes as it is, a
// temporary one in the cache that the caller removes. Matrices of F32 are stored as F16, as Ollama's converter does
// it, or as F32 where a number is too large for that, which rounded tells; F16
// and BF16 stay.
func (c *Client) ToGGUF(ctx context.Context, w *Weights, layout Layout, tell Progress) (out File, rounded bool, err error) {
	doing := "convert " + w.Source + " to GGUF"
	if err := w.Convertible(); err != nil {
		return File{}, false, &Error{doing, err, "see what disteval models doctor says of it"}
	}
	dir := filepath.Join(c.cache, "converted")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return File{}, false, fmt.Errorf("make the cache folder: %w", err)
	}
	removeStale(dir)
	f, err := os.CreateTemp(dir, "model-*.gguf")
	if err != nil {
		return File{}, false, fmt.Errorf("%s: %w", doing, err)
	}
	rounded = true
	err = w.writeGGUF(ctx, f, layout, false, tell)
	if errors.Is(err, errTooLarge) {
		rounded = false
		if err = f.Truncate(0); err == nil {
			_, err = f.Seek(0, io.SeekStart)
		}
		if err == nil {
			err = w.writeGGUF(ctx, f, layout, true, tell)
		}
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		if out, err = check(ctx, f.Name(), remote{name: "model.gguf", size: -1}, tell); err == nil {
			return out, rounded, nil
		}
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return File{}, false, errors.Join(fmt.Errorf("%s: %w", doing, err), os.Remove(f.Name()))
}

// removeStale removes what killed processes have left. It may fail: room is all
// that is lost.
func removeStale(dir string) {
	old, _ := filepath.Glob(filepath.Join(dir, "model-*.gguf"))
	for _, path := range old {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.Remove(path)
		}
	}
}

func (w *Weights) writeGGUF(ctx context.Context, f *os.File, layout Layout, wide bool, tell Progress) error {
	count := &meterOfAll{ctx: ctx, tell: func(done, total int64) { tell("convert to GGUF", done, total) }}
	var out []*ggml.Tensor
	for _, t := range w.Tensors {
		if w.extraHead(t) {
			continue // the embedding takes its place
		}
		writer := &tensorWriter{Tensor: t, kind: ggml.TensorTypeF32, count: count}
		if len(t.Shape) > 1 && !wide {
			writer.kind = ggml.TensorTypeF16
		}
		if len(t.Shape) > 1 && t.Type == "BF16" {
			writer.kind = ggml.TensorTypeBF16
		}
		if layout == LayoutHF {
			writer.heads = w.headsOf(t.GGUF)
		}
		shape := make([]uint64, len(t.Shape))
		for i, d := range t.Shape {
			shape[len(shape)-1-i] = uint64(d)
		}
		count.total += t.Size
		out = append(out, &ggml.Tensor{Name: t.GGUF, Kind: uint32(writer.kind), Shape: shape, WriterTo: writer})
	}
	if w.Shape.Scaling.Kind == "llama3" {
		factors := w.Shape.frequencies()
		out = append(out, &ggml.Tensor{Name: "rope_freqs.weight", Kind: uint32(ggml.TensorTypeF32), Shape: []uint64{uint64(len(factors))}, WriterTo: floats(factors)})
	}
	return ggml.WriteGGUF(f, keys(w.Metadata), out)
}

// headsOf is the number of heads whose rows are to be permuted; 0: none.
func (w *Weights) headsOf(name string) int {
	switch {
	case strings.HasSuffix(name, ".attn_q.weight"):
		return w.Shape.Heads
	case strings.HasSuffix(name, ".attn_k.weight"):
		return w.Shape.KVHeads
	}
	return 0
}

// frequencies are the divisors of the rotary frequencies of Llama 3.1's
// stretching, as its authors' code computes them: high frequencies stay, low
// ones are slowed by the factor, and those between move from one to the other.
func (c Shape) frequencies() []float32 {
	s := c.Scaling
	factor, low, high, original := positive(s.Factor, 8), positive(s.Low, 1), positive(s.High, 4), positive(float64(s.Original), 8192)
	out := make([]float32, c.HeadDim/2)
	for i := range out {
		wave := 2 * math.Pi * math.Pow(c.Theta, float64(2*i)/float64(c.HeadDim))
		switch smooth := (original/wave - low) / (high - low); {
		case wave < original/high:
			out[i] = 1
		case wave > original/low:
			out[i] = float32(factor)
		default:
			out[i] = float32(1 / ((1-smooth)/factor + smooth))
		}
	}
	return out
}

func positive(v, fallback float64) float64 {
	if v > 0 {
		return v
	}
	return fallback
}

// keys is metadata as the writer takes it.
type keys map[string]any

func (k keys) Architecture() string { s, _ := k["general.architecture"].(string); return s }
func (k keys) Len() int             { return len(k) }

func (k keys) Keys() iter.Seq[string] { return maps.Keys(k) }
func (k keys) Value(key string) any   { return k[key] }

func value[T any](k keys, key string, fallback []T) T {
	if v, ok := k[key].(T); ok {
		return v
	}
	var zero T
	if len(fallback) > 0 {
		return fallback[0]
	}
	return zero
}

func (k keys) String(key string, d ...string) string       { return value(k, key, d) }
func (k keys) Uint(key string, d ...uint32) uint32         { return value(k, key, d) }
func (k keys) Float(key string, d ...float32) float32      { return value(k, key, d) }
func (k keys) Bool(key string, d ...bool) bool             { return value(k, key, d) }
func (k keys) Strings(key string, d ...[]string) []string  { return value(k, key, d) }
func (k keys) Ints(key string, d ...[]int32) []int32       { return value(k, key, d) }
func (k keys) Floats(key string, d ...[]float32) []float32 { return value(k, key, d) }
func (k keys) Bools(key string, d ...[]bool) []bool        { return value(k, key, d) }

// floats writes itself as F32.
type floats []float32

func (f floats) WriteTo(w io.Writer) (int64, error) {
	return int64(4 * len(f)), binary.Write(w, binary.LittleEndian, []float32(f))
}

// meterOfAll counts what several writers have read.
type meterOfAll struct {
	ctx         context.Context
	tell        func(done, total int64)
	total, done int64
	mu          sync.Mutex
}

func (m *meterOfAll) add(n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += n
	m.tell(m.done, m.total)
	return m.ctx.Err()
}

var errTooLarge = errors.New("a number is too large for F16")

// tensorWriter writes a tensor as another kind of number, its rows from
// Hugging Face's order to GGUF's where heads are given.
type tensorWriter struct {
	Tensor
	kind  ggml.TensorType
	heads int
	count *meterOfAll
}

// WriteTo writes row after row.
func (t *tensorWriter) WriteTo(w io.Writer) (n int64, err error) {
	rows, columns := 1, t.Shape[0]
	if len(t.Shape) > 1 {
		rows, columns = t.Shape[0], t.Shape[1]
	}
	out := bufio.NewWriterSize(w, 1<<20)
	raw := make([]byte, t.Size/int64(rows))
	row, encoded := make([]float32, 0, columns), make([]byte, 0, 4*columns)
	for i := range rows {
		if _, err := t.Data.ReadAt(raw, t.Offset+int64(t.source(i, rows))*int64(len(raw))); err != nil {
			return n, fmt.Errorf("read tensor %s: %w", t.Name, err)
		}
		if row = numbers(t.Type, raw, row); len(row) != columns {
			return n, fmt.Errorf("tensor %s: %d numbers in a row of %d", t.Name, len(row), columns)
		}
		if encoded, err = encode(encoded[:0], t.kind, row); err != nil {
			return n, err
		}
		if _, err := out.Write(encoded); err != nil {
			return n, err
		}
		n += int64(len(encoded))
		if err := t.count.add(int64(len(raw))); err != nil {
			return n, err
		}
	}
	return n, out.Flush()
}

// source is the row of the folder that becomes row i of the file: number 2i+j
// of a head was number j*half+i.
func (t *tensorWriter) source(i, rows int) int {
	if t.heads == 0 {
		return i
	}
	size := rows / t.heads
	head, within := i/size*size, i%size
	return head + within%2*(size/2) + within/2
}

func encode(out []byte, kind ggml.TensorType, row []float32) ([]byte, error) {
	for _, v := range row {
		switch kind {
		case ggml.TensorTypeF16:
			h := float16.Fromfloat32(v)
			if h.IsInf(0) && !math.IsInf(float64(v), 0) {
				return nil, errTooLarge
			}
			out = binary.LittleEndian.AppendUint16(out, h.Bits())
		case ggml.TensorTypeBF16:
			out = binary.LittleEndian.AppendUint16(out, uint16(math.Float32bits(v)>>16)) // it was BF16 before
		default:
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	}
	return out, nil
}
