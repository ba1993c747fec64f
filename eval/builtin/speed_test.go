//go:build unix

package builtin

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/disteval/disteval/queries"
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

// BenchmarkLlamaCPP lets the engine and llama.cpp take turns on the same file
// with one thread each. prompt-ratio and reply-ratio are llama.cpp's time over
// the engine's, the median of nine rounds: 1 is as fast, the target is 0.5.
// Time is the processor's, which other work on the machine disturbs less.
func BenchmarkLlamaCPP(b *testing.B) {
	const prompt, reply = 100, 24
	for _, c := range []struct {
		name string
		path func() string
	}{
		{"mini-teacher", func() string { return filepath.Join("models", "mini-teacher.gguf") }},
		{"87M-F32", func() string { return writeMedium(b, kindF32) }},
		{"87M-F16", func() string { return writeMedium(b, kindF16) }},
		{"87M-Q8_0", func() string { return writeMedium(b, kindQ8_0) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			path, err := filepath.Abs(c.path())
			if err != nil {
				b.Fatal(err)
			}
			other := startLlamaCPP(b, "speed.mjs", path, strconv.Itoa(prompt), strconv.Itoa(reply))
			m := loaded(b, path)
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			var ours, theirs rounds
			for b.Loop() {
				for range 9 {
					ours = append(ours, clock(b, m, prompt, reply))
					var r round
					other.exchange(b, "go", &r)
					theirs = append(theirs, r)
				}
			}
			report(b, "prompt", ours, theirs, prompt, func(r round) float64 { return r.Prompt })
			report(b, "reply", ours, theirs, 1, func(r round) float64 { return r.Reply })
		})
	}
}

// round is what a prompt took, and each token of a reply, in milliseconds.
type round struct{ Prompt, Reply float64 }

type rounds []round

// clock computes a prompt, and a reply to another of one token.
func clock(b *testing.B, m *model, prompt, reply int) round {
	ids := make([]int32, prompt)
	for i := range ids {
		ids[i] = int32(10 + i*7%500)
	}
	start := processorTime(b)
	s := m.newSession()
	if err := s.prefill(b.Context(), ids, nil); err != nil {
		b.Fatal(err)
	}
	s.predict()
	read := processorTime(b) - start
	start = processorTime(b)
	s = m.newSession()
	id := ids[0]
	for range reply {
		s.step(id)
		id = argmax(s.predict())
	}
	return round{read, (processorTime(b) - start) / float64(reply)}
}

// processorTime is what this process has used so far, in milliseconds.
func processorTime(b *testing.B) float64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e6
}

// report gives the median ratio and the median speeds, in tokens a second.
func report(b *testing.B, what string, ours, theirs rounds, tokens int, of func(round) float64) {
	var ratios, mine, other []float64
	for i := range ours {
		a, b := of(ours[i]), of(theirs[i])
		ratios, mine, other = append(ratios, b/a), append(mine, a), append(other, b)
	}
	b.ReportMetric(median(ratios), what+"-ratio")
	b.ReportMetric(float64(tokens)*1e3/median(mine), what+"-tokens/s")
	b.ReportMetric(float64(tokens)*1e3/median(other), "llama.cpp-"+what+"-tokens/s")
	if r := median(ratios); r < failsBelow {
		b.Errorf("%s: %.2f of llama.cpp's speed", what, r)
	}
}

// failsBelow leaves room below the target for machines that are busy, or have
// wider vectors than the engine uses.
const failsBelow = 0.25

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}

// BenchmarkLayouts scores the facts of the query set in both rotary layouts
// with the model of 87 million weights, as models doctor does.
func BenchmarkLayouts(b *testing.B) {
	l := open(b, writeMedium(b, kindF32))
	var texts [][]int32
	for _, q := range queries.Builtin().Queries {
		text := q.Prompt + " " + q.Keyword + "."
		ids := []int32{1}
		for i := range len(text) / 4 { // as many tokens as English usually has
			ids = append(ids, 259+int32(text[4*i])*120+int32(i))
		}
		texts = append(texts, ids)
	}
	for b.Loop() {
		for _, layout := range []Rotary{RotaryHalves, RotaryPairs} {
			for _, ids := range texts {
				if _, err := l.WithRotary(layout).Score(b.Context(), ids); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}
