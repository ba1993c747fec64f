package session

import (
	"encoding/binary"
	"github.com/disteval/disteval/eval/builtin"
	"github.com/disteval/disteval/eval/hub/hubtest"
	"github.com/x448/float16"
	"math"
	"os"
	"strings"
	"testing"
)

const teacherFile = "../builtin/models/mini-teacher.gguf"

// teacher is mini-teacher as Hugging Face's library would have it.
func teacher(t testing.TB) hubtest.Model {
	t.Helper()
	raw, err := os.ReadFile(teacherFile)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(teacherFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := builtin.ReadDirectory(f, int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	number := func(key string) int { return int(d.Metadata["llama."+key].(uint64)) }
	m := hubtest.Model{Hidden: number("embedding_length"), Intermediate: number("feed_forward_length"), Layers: number("block_count"),
		Heads: number("attention.head_count"), Positions: number("context_length"), Weights: make(map[string][]float32)}
	m.KVHeads = m.Heads
	for i, text := range d.Metadata["tokenizer.ggml.tokens"].([]string) {
		m.Pieces = append(m.Pieces, hubtest.Piece{Text: text, Score: d.Metadata["tokenizer.ggml.scores"].([]float32)[i], Type: d.Metadata["tokenizer.ggml.token_type"].([]int32)[i]})
	}
	names := map[string]string{"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
		"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
	for _, e := range d.Entries {
		count := 1
		for _, n := range e.Shape {
			count *= n
		}
		w := make([]float32, count)
		for i := range w {
			if at := raw[e.Offset:]; e.Type == "F16" {
				w[i] = float16.Frombits(binary.LittleEndian.Uint16(at[2*i:])).Float32()
			} else {
				w[i] = math.Float32frombits(binary.LittleEndian.Uint32(at[4*i:]))
			}
		}
		name := map[string]string{"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}[e.Name]
		if parts := strings.Split(e.Name, "."); parts[0] == "blk" {
			name = "model.layers." + parts[1] + "." + names[parts[2]] + ".weight"
			if parts[2] == "attn_q" || parts[2] == "attn_k" {
				w = halves(w, m.Hidden, m.Hidden/m.Heads)
			}
		}
		m.Weights[name] = w
	}
	return m
}

// halves turns rows from Meta's layout to Hugging Face's.
func halves(w []float32, columns, size int) []float32 {
	out := make([]float32, len(w))
	for row := range len(w) / columns {
		head, i := row/size*size, row%size
		to := head + i%2*(size/2) + i/2
		copy(out[to*columns:(to+1)*columns], w[row*columns:(row+1)*columns])
	}
	return out
}
