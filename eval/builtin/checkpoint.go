package builtin

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/bits"
	"slices"
)

// Checkpoint is a model that stands in no GGUF file, such as a folder of
// Hugging Face's, told as if it did: by GGUF's keys and GGUF's names of
// tensors.
type Checkpoint struct {
	Name     string            // for errors
	Metadata map[string]any    // such as "llama.block_count": string, bool, any integer or float of Go, []string, []float32, []int32
	Tensors  map[string]Tensor // such as "blk.0.attn_q.weight"; without "output.weight" the embedding is used for it
	Rotary   Rotary            // how q and k are laid out
}

// Tensor says where a tensor's numbers lie, little-endian and row by row.
type Tensor struct {
	Type   string      // F32, F16, BF16 or Q8_0
	Shape  []int       // rows, then columns, as safetensors has it
	Data   io.ReaderAt // to stay readable until the weights are loaded
	Offset int64       // of the first byte in Data
	AsF16  bool        // rounded to F16 while it is loaded, as Ollama's converter rounds matrices
}

// OpenCheckpoint checks a checkpoint as Open checks a file, and loads no
// weights. Without the key tokenizer.ggml.tokens the number of tokens is that
// of llama.vocab_size, and the model takes ids only: Score and Greedy.
func OpenCheckpoint(c Checkpoint) (*LLM, error) {
	f, err := c.directory()
	if err != nil {
		return nil, fmt.Errorf("open model %s: %w", c.Name, err)
	}
	return newLLM(c.Name, c.Rotary, func() (*ggufFile, func(), error) { return f, func() {}, nil })
}

func (c Checkpoint) directory() (*ggufFile, error) {
	f := &ggufFile{values: make(map[string]any, len(c.Metadata)), tensors: make(map[string]tensorInfo, len(c.Tensors))}
	for _, key := range slices.Sorted(maps.Keys(c.Metadata)) {
		v, err := plain(c.Metadata[key])
		if err != nil {
			return nil, fmt.Errorf("metadata %s: %w", key, err)
		}
		f.values[key] = v
	}
	for _, name := range slices.Sorted(maps.Keys(c.Tensors)) {
		t, err := c.Tensors[name].info()
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", name, err)
		}
		f.tensors[name] = t
	}
	return f, nil
}

// plain gives a value the type that a GGUF file's reader gives it.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case int:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case uint:
		return uint64(v), nil
	case uint32:
		return uint64(v), nil
	case float32:
		return float64(v), nil
	case string, bool, int64, uint64, float64, []string, []float32, []int32:
		return v, nil
	}
	return nil, fmt.Errorf("a %T cannot stand there", v)
}

func (t Tensor) info() (tensorInfo, error) {
	out := tensorInfo{count: 1, offset: t.Offset, data: t.Data, asF16: t.AsF16}
	if len(t.Shape) < 1 || len(t.Shape) > maxDims || t.Data == nil || t.Offset < 0 {
		return out, errors.New("no shape of up to four dimensions, or no data")
	}
	for _, d := range t.Shape {
		hi, lo := bits.Mul64(uint64(out.count), uint64(d))
		if d < 1 || hi != 0 || lo > math.MaxInt64/8 {
			return out, fmt.Errorf("shape %v", t.Shape)
		}
		out.count = int(lo)
	}
	out.shape = slices.Clone(t.Shape)
	slices.Reverse(out.shape)
	for kind, name := range kindNames {
		if name == t.Type {
			out.kind = kind
			_, err := kind.size(out.shape)
			return out, err
		}
	}
	return out, fmt.Errorf("stored as %.20q; the built-in engine reads F32, F16, BF16 and Q8_0", t.Type)
}
