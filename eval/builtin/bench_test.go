package builtin

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// writeMedium writes a LLaMA of 87 million random weights, of the shape of a
// distilled model: hidden size 512, feed-forward 1536, 16 layers, 8 heads,
// 32,000 tokens. It returns the path.
func writeMedium(tb testing.TB, kind tensorKind) string {
	tb.Helper()
	const vocab, dim, hidden, layers, context = 32000, 512, 1536, 16, 1024
	tokens, scores, types := make([]string, vocab), make([]float32, vocab), make([]int32, vocab)
	for i := range tokens {
		tokens[i], scores[i], types[i] = fmt.Sprintf("t%d", i), float32(-i), 1
		if i >= 3 && i < 259 {
			tokens[i], types[i] = fmt.Sprintf("<0x%02X>", i-3), 6
		}
	}
	copy(tokens, []string{"<unk>", "<s>", "</s>"})
	copy(types, []int32{2, 3, 3})
	m := &tiny{keys: []key{
		{"general.architecture", "llama"},
		{"llama.context_length", uint32(context)},
		{"llama.embedding_length", uint32(dim)},
		{"llama.block_count", uint32(layers)},
		{"llama.feed_forward_length", uint32(hidden)},
		{"llama.attention.head_count", uint32(8)},
		{"llama.attention.layer_norm_rms_epsilon", float32(1e-5)},
		{"llama.rope.dimension_count", uint32(dim / 8)},
		{"tokenizer.ggml.model", "llama"},
		{"tokenizer.ggml.tokens", tokens},
		{"tokenizer.ggml.scores", scores},
		{"tokenizer.ggml.token_type", types},
		{"tokenizer.ggml.bos_token_id", uint32(1)},
		{"tokenizer.ggml.eos_token_id", uint32(2)},
	}}
	rng := rand.New(rand.NewPCG(1, 2))
	matrix := func(name string, cols, rows int) {
		m.tensors = append(m.tensors, tensor{name, []uint64{uint64(cols), uint64(rows)}, uint32(kind), randomWeights(rng, kind, rows*cols), -1})
	}
	norm := func(name string) {
		m.tensors = append(m.tensors, tensor{name, []uint64{dim}, uint32(kindF32), randomWeights(rng, kindF32, dim), -1})
	}
	matrix("token_embd.weight", dim, vocab)
	norm("output_norm.weight")
	matrix("output.weight", dim, vocab)
	for i := range layers {
		norm(blockName(i, "attn_norm"))
		norm(blockName(i, "ffn_norm"))
		for _, name := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
			matrix(blockName(i, name), dim, dim)
		}
		matrix(blockName(i, "ffn_gate"), dim, hidden)
		matrix(blockName(i, "ffn_up"), dim, hidden)
		matrix(blockName(i, "ffn_down"), hidden, dim)
	}
	path := filepath.Join(tb.TempDir(), "medium.gguf")
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	m.write(w)
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

// randomWeights are n numbers between -0.1 and 0.1.
func randomWeights(rng *rand.Rand, kind tensorKind, n int) []byte {
	var out []byte
	for i := range n {
		v := rng.Float32()*0.2 - 0.1
		switch kind {
		case kindF32:
			out = binary.LittleEndian.AppendUint32(out, f32bits(v))
		case kindF16:
			out = binary.LittleEndian.AppendUint16(out, floatToHalf(v))
		case kindBF16:
			out = binary.LittleEndian.AppendUint16(out, uint16(f32bits(v)>>16))
		case kindQ8_0:
			if i%q8Block == 0 {
				out = binary.LittleEndian.AppendUint16(out, floatToHalf(0.1/127))
			}
			out = append(out, byte(int8(v*1270)))
		}
	}
	return out
}
