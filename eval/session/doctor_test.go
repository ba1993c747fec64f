package session

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/hub/hubtest"
	"github.com/disteval/disteval/eval/ollama/ollamatest"
)

func quiet(string, int64, int64) {}

// folder writes files into a new folder of the test.
func folder(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// examine reads twenty sentences: enough to decide, and soon over.
func examine(t testing.TB, source string) (*hub.Diagnosis, error) {
	t.Helper()
	return Doctor(t.Context(), hub.Config{Cache: t.TempDir()}, source, Facts()[:20], quiet, quiet)
}

// plain has no dummy prefix, as mini-teacher was trained.
var plain = map[string]any{"add_prefix_space": false}

func TestDoctorSound(t *testing.T) {
	m := teacher(t)
	sound := folder(t, m.Files(hubtest.Options{Tokenizer: plain}))
	d, err := Doctor(t.Context(), hub.Config{Cache: t.TempDir()}, sound, nil, quiet, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if !d.Sound || d.Parameters != 2_003_680 || d.Rotary == nil || d.Rotary.Best != "Hugging Face's layout" || len(d.NotDone) != 0 {
		t.Errorf("%+v", d)
	}
	if d.Context[0].From != 1 || d.Context[len(d.Context)-1].To != m.Positions-1 {
		t.Errorf("by position: %+v", d.Context)
	}
	if d, err = examine(t, teacherFile); err != nil || !d.Sound || d.Format != "gguf" || d.Types["F16"] != 37 || d.Rotary.Best == "" {
		t.Errorf("as GGUF: %+v, %v", d, err)
	}
}

// TestDoctorFaults plants one fault of each kind into a sound checkpoint.
func TestDoctorFaults(t *testing.T) {
	m := teacher(t)
	const q1, down2 = "model.layers.1.self_attn.q_proj.weight", "model.layers.2.mlp.down_proj.weight"
	weights := func(change func(w map[string][]float32)) map[string][]byte {
		changed := m.Clone()
		change(changed.Weights)
		return changed.Files(hubtest.Options{Tokenizer: plain})
	}
	config := func(changes map[string]any) map[string][]byte {
		return m.Files(hubtest.Options{Tokenizer: plain, Config: changes})
	}
	settings := func(changes map[string]any) map[string][]byte {
		return m.Files(hubtest.Options{Tokenizer: changes})
	}
	words := func(change func(p []hubtest.Piece) []hubtest.Piece) map[string][]byte {
		changed := m.Clone()
		changed.Pieces = change(changed.Pieces)
		return changed.Files(hubtest.Options{Tokenizer: plain})
	}
	tests := []struct {
		name, check, what string
		files             map[string][]byte
	}{
		{"layout", "rotary", "stored in Meta's layout", m.Files(hubtest.Options{Meta: true, Tokenizer: plain})},
		{"NaN", "numbers", "1 of 25600 numbers are NaN", weights(func(w map[string][]float32) { w[q1][7] = float32(math.NaN()) })},
		{"Inf", "numbers", "are infinite", weights(func(w map[string][]float32) { w[down2][3] = float32(math.Inf(-1)) })},
		{"zero", "numbers", "all numbers are 0", weights(func(w map[string][]float32) { clear(w[down2]) })},
		{"zero norm", "numbers", "all numbers are 0", weights(func(w map[string][]float32) { clear(w["model.norm.weight"]) })},
		{"constant", "numbers", "all numbers are the same", weights(func(w map[string][]float32) { fill(w[down2], 0.25) })},
		{"duplicated", "numbers", "the same numbers as model.layers.0", weights(func(w map[string][]float32) { copy(w[q1], w["model.layers.0.self_attn.q_proj.weight"]) })},
		{"scaled", "norms", "times as large", weights(func(w map[string][]float32) { scale(w[down2], 100) })},
		{"shrunk", "norms", "0.01", weights(func(w map[string][]float32) { scale(w[q1], 0.01) })},
		{"missing", "tensors", "1 tensors are missing", weights(func(w map[string][]float32) { delete(w, down2) })},
		{"unexpected", "tensors", "no part of a LLaMA", weights(func(w map[string][]float32) { w["model.layers.0.wq.weight"] = []float32{1, 2} })},
		{"head missing", "tensors", "gets a random head", weights(func(w map[string][]float32) { delete(w, "lm_head.weight") })},
		{"head not the embedding", "tensors", "throws the head away", config(map[string]any{"tie_word_embeddings": true})},
		{"hidden", "tensors", "where the configuration asks for", config(map[string]any{"hidden_size": 128})},
		{"more layers", "tensors", "tensors are missing", config(map[string]any{"num_hidden_layers": 40})},
		{"fewer layers", "tensors", "no part of a LLaMA", config(map[string]any{"num_hidden_layers": 2})},
		{"layers that cannot be", "config", "num_hidden_layers is 1e+09", config(map[string]any{"num_hidden_layers": 1_000_000_000})},
		{"heads that do not divide", "config", "heads must divide", config(map[string]any{"num_key_value_heads": 3})},
		{"vocabulary", "tensors", "where the configuration asks for", config(map[string]any{"vocab_size": 32000})},
		{"too many tokens", "tokenizer", "the last ones have no numbers", words(func(p []hubtest.Piece) []hubtest.Piece {
			return append(p, hubtest.Piece{Text: "extra", Score: -9999, Type: 1})
		})},
		{"vocabulary of 2", "tokenizer", "2 tokens", smallWords(m)},
		{"token twice", "tokenizer", "appears twice", words(func(p []hubtest.Piece) []hubtest.Piece { p[300].Text = p[299].Text; return p })},
		{"bytes missing", "tokenizer", "of 256 byte tokens", words(func(p []hubtest.Piece) []hubtest.Piece { p[100] = hubtest.Piece{Text: "gone", Type: 1}; return p })},
		{"eos of two kinds", "tokenizer", "config.json has the eos token number 7", config(map[string]any{"eos_token_id": 7})},
		{"bos unknown", "tokenizer", `its bos token "<|start|>" is not in the vocabulary`, settings(map[string]any{"bos_token": "<|start|>", "add_prefix_space": false})},
		{"no tokenizer", "tokenizer", "tokenizer.model", func() map[string][]byte {
			files := config(nil)
			files["tokenizer.model"] = []byte("<html>")
			return files
		}()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := examine(t, folder(t, tt.files))
			if err != nil {
				t.Fatal(err)
			}
			found := slices.ContainsFunc(d.Findings, func(f hub.Finding) bool {
				return f.Level == hub.Fault && f.Check == tt.check && strings.Contains(f.What, tt.what) && f.Mend != ""
			})
			if d.Sound || !found {
				t.Errorf("want a fault of %s with %q, got %+v", tt.check, tt.what, d.Findings)
			}
		})
	}
}

func smallWords(m hubtest.Model) map[string][]byte {
	changed := m.Clone()
	changed.Pieces = changed.Pieces[:2]
	for _, name := range []string{"model.embed_tokens.weight", "lm_head.weight"} {
		changed.Weights[name] = changed.Weights[name][:2*m.Hidden]
	}
	return changed.Files(hubtest.Options{Tokenizer: plain})
}

func fill(w []float32, v float32) {
	for i := range w {
		w[i] = v
	}
}

func scale(w []float32, by float32) {
	for i := range w {
		w[i] *= by
	}
}

// TestDoctorRemarks: what may be so on purpose is told, and the model is sound.
func TestDoctorRemarks(t *testing.T) {
	m := teacher(t)
	short := m.Clone()
	short.Positions = 4096
	tests := []struct {
		name, check, what string
		files             map[string][]byte
	}{
		{"type", "types", "config.json states BF16, the matrices are stored as F32", m.Files(hubtest.Options{Tokenizer: plain, Config: map[string]any{"torch_dtype": "bfloat16"}})},
		{"knows nothing", "rotary", "undecided", hubtest.Random(hubtest.Model{Hidden: 64, Intermediate: 96, Layers: 2, Heads: 4, KVHeads: 2, Positions: 128}, 600, 1).Files(hubtest.Options{})},
		{"longer than trained", "context", "max_position_embeddings is 4096", short.Files(hubtest.Options{Tokenizer: plain})},
		{"two models", "files", "1 other files of weights lie beside", two(m)},
		{"two lengths", "context", "tokenizer_config.json 64 (model_max_length)", m.Files(hubtest.Options{Tokenizer: map[string]any{"add_prefix_space": false, "model_max_length": 64}})},
		{"template of other tokens", "tokenizer", `the chat template writes "<|user|>"`, m.Files(hubtest.Options{Tokenizer: map[string]any{"add_prefix_space": false, "chat_template": "<|user|>{{ messages }}"}})},
		{"no bytes", "tokenizer", "no byte fallback", func() map[string][]byte {
			bare := m.Clone()
			for i := range bare.Pieces {
				if bare.Pieces[i].Type == 6 {
					bare.Pieces[i].Type = 1
				}
			}
			return bare.Files(hubtest.Options{Tokenizer: plain})
		}()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := examine(t, folder(t, tt.files))
			if err != nil {
				t.Fatal(err)
			}
			found := slices.ContainsFunc(d.Findings, func(f hub.Finding) bool {
				return f.Level == hub.Remark && f.Check == tt.check && strings.Contains(f.What, tt.what)
			})
			if !d.Sound || !found {
				t.Errorf("want a remark of %s with %q, got %+v", tt.check, tt.what, d.Findings)
			}
		})
	}
}

// two has a second model in the folder.
func two(m hubtest.Model) map[string][]byte {
	files := m.Files(hubtest.Options{Tokenizer: plain})
	files["pytorch_model.bin"] = hubtest.Checkpoint()
	return files
}

// TestDoctorRaisesNothing examines twenty sound checkpoints of various shapes.
func TestDoctorRaisesNothing(t *testing.T) {
	n := 0
	for _, kind := range []string{"F32", "F16", "BF16"} {
		for _, m := range []hubtest.Model{
			{Hidden: 32, Intermediate: 64, Layers: 1, Heads: 2, KVHeads: 2, Positions: 64},
			{Hidden: 48, Intermediate: 40, Layers: 2, Heads: 4, KVHeads: 1, Positions: 128},
			{Hidden: 64, Intermediate: 160, Layers: 3, Heads: 4, KVHeads: 2, Positions: 256},
			{Hidden: 96, Intermediate: 96, Layers: 5, Heads: 6, KVHeads: 3, Positions: 2048},
			{Hidden: 128, Intermediate: 64, Layers: 2, Heads: 8, KVHeads: 8, Positions: 32},
			{Hidden: 40, Intermediate: 120, Layers: 12, Heads: 5, KVHeads: 5, Positions: 512},
		} {
			n++
			o := hubtest.Options{DType: kind, Shards: n % 4, Tied: n%3 == 0}
			if n%5 == 0 {
				m = hubtest.RandomBytes(m, 40*n, uint64(n))
			} else {
				m = hubtest.Random(m, 400+n, uint64(n))
			}
			m.Space = n%2 == 0
			d, err := examine(t, folder(t, m.Files(o)))
			if err != nil || !d.Sound || d.Rotary == nil {
				t.Errorf("checkpoint %d (%s, %+v): %+v, %v", n, kind, o, d, err)
			}
		}
	}
	for _, shape := range []ollamatest.Shape{ollamatest.Tiny, {Hidden: 96, Intermediate: 64, Layers: 4, Heads: 3, Vocab: 700, Context: 64, Seed: 9}} {
		n++
		d, err := examine(t, ollamatest.WriteModel(t, shape))
		if err != nil || !d.Sound || d.Rotary == nil {
			t.Errorf("checkpoint %d: %+v, %v", n, d, err)
		}
	}
	if n != 20 {
		t.Errorf("%d checkpoints", n)
	}
}
