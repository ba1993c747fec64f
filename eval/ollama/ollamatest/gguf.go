package ollamatest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/ollama/ollama/fs/ggml"
	"github.com/x448/float16"
)

// Shape is the architecture of a LLaMA. The same Shape gives the same file,
// byte for byte.
type Shape struct {
	Hidden       int // embedding length; Heads times an even number
	Intermediate int // feed-forward length
	Layers       int
	Heads        int // attention heads, of keys and values too
	Vocab        int // tokens, at least MinVocab
	Context      int // trained positions
	Seed         uint64
	Pools        bool // it says that it makes vectors and does not answer
}

// The shapes of two published models, and one for quick tests.
var (
	BabyLlama58M = Shape{Hidden: 512, Intermediate: 1024, Layers: 16, Heads: 8, Vocab: 16000, Context: 128, Seed: 1}
	DistilLlama  = Shape{Hidden: 512, Intermediate: 1536, Layers: 16, Heads: 8, Vocab: 32000, Context: 2048, Seed: 2}
	Tiny         = Shape{Hidden: 64, Intermediate: 128, Layers: 2, Heads: 2, Vocab: 500, Context: 128, Seed: 3}
)

// Parameters counts the weights: embedding and output are not tied.
func (s Shape) Parameters() int {
	layer := 4*s.Hidden*s.Hidden + 3*s.Hidden*s.Intermediate + 2*s.Hidden
	return 2*s.Vocab*s.Hidden + s.Layers*layer + s.Hidden
}

func (s Shape) check() error {
	switch {
	case s.Hidden < 1 || s.Intermediate < 1 || s.Layers < 1 || s.Heads < 1 || s.Context < 1:
		return fmt.Errorf("shape %+v: every size must be at least 1", s)
	case s.Hidden%(2*s.Heads) != 0:
		return fmt.Errorf("shape %+v: Hidden must be Heads times an even number", s)
	case s.Vocab < MinVocab:
		return fmt.Errorf("shape %+v: Vocab must be at least %d", s, MinVocab)
	}
	return nil
}

// WriteModel writes RandomLLaMA of shape into a new temporary file of the test
// and returns its path.
func WriteModel(t testing.TB, shape Shape) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := RandomLLaMA(f, shape); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// RandomLLaMA writes a GGUF file of a LLaMA with random F16 weights and an
// invented vocabulary, which a llama runner loads like any trained model. f
// must be empty.
func RandomLLaMA(f *os.File, shape Shape) error {
	if err := shape.check(); err != nil {
		return fmt.Errorf("random LLaMA: %w", err)
	}
	vocab := newVocabulary(shape.Vocab, shape.Seed)
	kv := ggml.KV{
		"general.architecture":                   "llama",
		"general.name":                           "random LLaMA",
		"general.file_type":                      uint32(ggml.FileTypeF16),
		"llama.vocab_size":                       uint32(shape.Vocab),
		"llama.context_length":                   uint32(shape.Context),
		"llama.embedding_length":                 uint32(shape.Hidden),
		"llama.feed_forward_length":              uint32(shape.Intermediate),
		"llama.block_count":                      uint32(shape.Layers),
		"llama.attention.head_count":             uint32(shape.Heads),
		"llama.attention.head_count_kv":          uint32(shape.Heads),
		"llama.attention.layer_norm_rms_epsilon": float32(1e-5),
		"llama.rope.dimension_count":             uint32(shape.Hidden / shape.Heads),
		"tokenizer.ggml.model":                   "llama",
		"tokenizer.ggml.tokens":                  vocab.pieces,
		"tokenizer.ggml.scores":                  vocab.scores,
		"tokenizer.ggml.token_type":              vocab.types,
		"tokenizer.ggml.unknown_token_id":        uint32(tokenUnknown),
		"tokenizer.ggml.bos_token_id":            uint32(tokenBOS),
		"tokenizer.ggml.eos_token_id":            uint32(tokenEOS),
		"tokenizer.ggml.add_bos_token":           true,
		"tokenizer.ggml.add_eos_token":           false,
	}
	if shape.Pools {
		kv["llama.pooling_type"] = uint32(1) // the mean
	}
	if err := ggml.WriteGGUF(f, kv, tensors(shape)); err != nil {
		return fmt.Errorf("random LLaMA %s: %w", f.Name(), err)
	}
	return nil
}

// tensors lists the weights. The gains are chosen so that greedy replies vary:
// queries and keys well above unit variance make attention pick single
// positions, so that the next token hangs on the whole text so far.
func tensors(s Shape) []*ggml.Tensor {
	unit := func(width int) func(int) float64 {
		deviation := 1 / math.Sqrt(float64(width))
		return func(int) float64 { return deviation }
	}
	sharp := func(int) float64 { return 2 / math.Sqrt(float64(s.Hidden)) }
	var all []*ggml.Tensor
	matrix := func(name string, in, out int, deviation func(row int) float64) {
		all = append(all, &ggml.Tensor{
			Name: name + ".weight", Kind: uint32(ggml.TensorTypeF16), Shape: []uint64{uint64(in), uint64(out)},
			WriterTo: gaussian{seed: s.Seed, name: name, columns: in, rows: out, deviation: deviation},
		})
	}
	norm := func(name string) {
		all = append(all, &ggml.Tensor{
			Name: name + ".weight", Kind: uint32(ggml.TensorTypeF32), Shape: []uint64{uint64(s.Hidden)},
			WriterTo: ones(s.Hidden),
		})
	}
	matrix("token_embd", s.Hidden, s.Vocab, func(int) float64 { return 1 })
	for i := range s.Layers {
		block := fmt.Sprintf("blk.%d.", i)
		norm(block + "attn_norm")
		matrix(block+"attn_q", s.Hidden, s.Hidden, sharp)
		matrix(block+"attn_k", s.Hidden, s.Hidden, sharp)
		matrix(block+"attn_v", s.Hidden, s.Hidden, unit(s.Hidden))
		matrix(block+"attn_output", s.Hidden, s.Hidden, unit(s.Hidden))
		norm(block + "ffn_norm")
		matrix(block+"ffn_gate", s.Hidden, s.Intermediate, unit(s.Hidden))
		matrix(block+"ffn_up", s.Hidden, s.Intermediate, unit(s.Hidden))
		matrix(block+"ffn_down", s.Intermediate, s.Hidden, unit(s.Intermediate))
	}
	norm("output_norm")
	matrix("output", s.Hidden, s.Vocab, func(token int) float64 {
		return outputGain(token) / math.Sqrt(float64(s.Hidden))
	})
	return all
}

// outputGain scales a token's row of the output matrix, and with it the chance
// that the token wins: never a byte, which alone is no text; the end of the
// text more often than a word, so that some replies stop by themselves.
func outputGain(token int) float64 {
	switch {
	case token == tokenEOS:
		return 1.3
	case token < firstWordPiece:
		return 0
	}
	return 1
}

// gaussian writes a matrix of F16 normal variates, row by row. Every matrix
// draws from its own stream, because tensors are written side by side.
type gaussian struct {
	seed          uint64
	name          string
	columns, rows int
	deviation     func(row int) float64
}

func (g gaussian) WriteTo(w io.Writer) (int64, error) {
	stream := fnv.New64a()
	_, _ = io.WriteString(stream, g.name) // a hash never fails to take bytes
	random := rand.New(rand.NewPCG(g.seed, stream.Sum64()))
	row := make([]byte, 2*g.columns)
	buffered := bufio.NewWriterSize(w, 1<<20)
	for i := range g.rows {
		deviation := g.deviation(i)
		for j := range g.columns {
			weight := float32(deviation * random.NormFloat64())
			binary.LittleEndian.PutUint16(row[2*j:], float16.Fromfloat32(weight).Bits())
		}
		if _, err := buffered.Write(row); err != nil {
			return 0, err
		}
	}
	return int64(g.rows) * int64(len(row)), buffered.Flush()
}

// ones writes that many F32 ones: a norm that changes nothing.
type ones int

func (n ones) WriteTo(w io.Writer) (int64, error) {
	b := make([]byte, 0, 4*n)
	for range n {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(1))
	}
	written, err := w.Write(b)
	return int64(written), err
}
