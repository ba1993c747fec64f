package session

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/builtin"
	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/hub/hubtest"
	"github.com/disteval/disteval/eval/ollama/ollamatest"
	"github.com/disteval/disteval/queries"
)

// realPuller is a puller into a real Ollama.
func realPuller(t *testing.T) *Puller {
	t.Helper()
	server := ollamatest.Start(t)
	t.Setenv("OLLAMA_HOST", server.Host)
	quiet := func(string, int64, int64) {}
	return &Puller{Providers: NewProviders(2 * time.Minute), Hub: hub.Config{Cache: t.TempDir()}, Queries: queries.Builtin().Queries, Tell: quiet, Count: quiet}
}

// model writes files into a folder and names it as a models file would.
func model(t *testing.T, name, rope string, files map[string][]byte) eval.Model {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, content := range files {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return eval.Model{Name: name, Provider: eval.ProviderOllama, Model: name, Source: name, Dir: filepath.Dir(dir), Rope: rope}
}

func noBase(string) eval.Model { return eval.Model{} }

// small is the shape of the random models.
var small = hubtest.Model{Hidden: 128, Intermediate: 192, Layers: 4, Heads: 8, KVHeads: 8, Positions: 256}

// TestPullLayouts brings folders of the forms that published students have
// into a real Ollama, and asks each all queries: the replies are those of the
// source in the built-in engine.
func TestPullLayouts(t *testing.T) {
	p := realPuller(t)
	grouped := small
	grouped.KVHeads = 2
	spaced := hubtest.Random(small, 700, 11)
	spaced.Space = true
	bytes := hubtest.RandomBytes(small, 500, 12)
	padded := map[string]any{"pad_token": "<|end|>", "unk_token": "<|end|>"}
	tests := []struct {
		name  string
		files map[string][]byte
		ask   int // queries
	}{
		{"distilllama", spaced.Files(hubtest.Options{}), 200},                                  // float32, tokenizer.model only
		{"baby-llama", bytes.Files(hubtest.Options{Tokenizer: padded}), 200},                   // byte-level BPE, pad and unk of its own
		{"sharded", hubtest.Random(small, 500, 13).Files(hubtest.Options{Shards: 3}), 20},      // with an index
		{"tied", hubtest.Random(small, 500, 14).Files(hubtest.Options{Tied: true}), 20},        // no head
		{"bfloat16", hubtest.Random(small, 500, 15).Files(hubtest.Options{DType: "BF16"}), 20}, // kept as it is
		{"float16", hubtest.Random(grouped, 500, 16).Files(hubtest.Options{DType: "F16"}), 20}, // fewer heads of keys
		{"meta", hubtest.Random(grouped, 500, 17).Files(hubtest.Options{Meta: true}), 20},      // pulled with rope: meta
		{"checkpoint", withCheckpoint(), 0},                                                    // pytorch_model.bin
		{"special", withSpecial(spaced.Files(hubtest.Options{DType: "F16"})), 0},               // at which Ollama's own converter panics
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rope := "hf"
			if tt.name == "meta" {
				rope = "meta"
			}
			m := model(t, tt.name, rope, tt.files)
			said, err := p.Pull(t.Context(), m, noBase)
			if err != nil || !strings.Contains(strings.Join(said, "\n"), "answers 5 prompts as its source does") {
				t.Fatalf("%q, %v", said, err)
			}
			askAll(t, p, m, tt.ask)
		})
	}
	if left, _ := filepath.Glob(filepath.Join(p.Hub.Cache, "converted", "*.gguf")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestPullChat: a chat template goes into the model, and Ollama makes its own of
// one that it knows.
func TestPullChat(t *testing.T) {
	p := realPuller(t)
	files := hubtest.Random(small, 500, 31).Files(hubtest.Options{})
	files["chat_template.jinja"] = []byte(`{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`)
	m := model(t, "chat", "hf", files)
	if _, err := p.Pull(t.Context(), m, noBase); err != nil {
		t.Fatal(err)
	}
	m.Generation = eval.DefaultGeneration()
	m.Generation.Raw = false
	known, err := p.Providers.Resolve(t.Context(), []eval.Model{m})
	if err != nil || !strings.Contains(known[0].Template, "<|im_start|>") {
		t.Errorf("the template is %q, %v", known[0].Template, err)
	}
}

func withCheckpoint() map[string][]byte {
	files := hubtest.Settings()
	files["pytorch_model.bin"] = hubtest.Checkpoint()
	return files
}

func withSpecial(files map[string][]byte) map[string][]byte {
	files["special_tokens_map.json"] = []byte(`{"additional_special_tokens": ["<s>"], "bos_token": "<s>"}`)
	return files
}

// askAll asks a served model and its source n queries.
func askAll(t *testing.T, p *Puller, m eval.Model, n int) {
	t.Helper()
	source := filepath.Join(m.Dir, m.Source)
	w, err := open(t.Context(), p.Hub, source, p.Tell)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	llm, err := original(w, converted{files: make([]hub.File, 1), layout: hub.Layout(m.Rope), rounded: true})
	if err != nil {
		t.Fatal(err)
	}
	m.Generation = eval.DefaultGeneration()
	one := 1
	m.Generation.NumPredict, m.Generation.NumThread = 16, &one
	g, err := p.Providers.Open(m)
	if err != nil {
		t.Fatal(err)
	}
	ties := 0
	for _, q := range p.Queries[:n] {
		tied, err := compareOne(t.Context(), g, llm, q.Prompt, m)
		if err != nil {
			t.Error(err)
		}
		if tied {
			ties++
		}
	}
	t.Logf("%d queries, %d ties", n, ties)
}

// TestCompareFinds: a served model that is not its source is told, with the
// place where they part.
func TestCompareFinds(t *testing.T) {
	p := realPuller(t)
	a, b := model(t, "a", "hf", hubtest.Random(small, 500, 21).Files(hubtest.Options{})), model(t, "b", "hf", hubtest.Random(small, 500, 22).Files(hubtest.Options{}))
	if _, err := p.Pull(t.Context(), a, noBase); err != nil {
		t.Fatal(err)
	}
	w, err := open(t.Context(), p.Hub, filepath.Join(b.Dir, "b"), p.Tell)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	_, err = p.compare(t.Context(), a, w, converted{files: make([]hub.File, 1), layout: hub.LayoutHF, rounded: true})
	var changed *ChangedError
	if !errors.As(err, &changed) || !strings.Contains(err.Error(), "the source goes on with") || !strings.Contains(changed.Hint(), "ollama rm a") {
		t.Errorf("another model passes for the source: %v", err)
	}
}

// TestPullTeacher brings mini-teacher's folder through a real Ollama, and its
// folder in Meta's layout by rope: auto: all replies are those of mini-teacher.
func TestPullTeacher(t *testing.T) {
	p := realPuller(t)
	m := teacher(t)
	sound, meta := m.Files(hubtest.Options{Tokenizer: plain}), m.Files(hubtest.Options{Meta: true, Tokenizer: plain})
	inside, err := builtin.Open("mini-teacher")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, rope string
		files      map[string][]byte
		says       string
		same       bool
	}{
		{"sound", "", sound, "answers 5 prompts as its source does", true},
		{"auto", "auto", meta, "stored in Meta's layout; converted so", true},
		{"taken-for-hf", "", meta, "warning: as stored", false},
	} {
		served := model(t, tt.name, tt.rope, tt.files)
		said, err := p.Pull(t.Context(), served, noBase)
		if err != nil || !strings.Contains(strings.Join(said, "\n"), tt.says) {
			t.Fatalf("%s: %q, %v", tt.name, said, err)
		}
		g, options := generator(t, p, served)
		same := 0
		for _, q := range p.Queries {
			reply, err := g.Generate(t.Context(), eval.Request{Prompt: q.Prompt})
			if err != nil {
				t.Fatal(err)
			}
			want, err := inside.Generate(t.Context(), q.Prompt, options, nil)
			if err != nil {
				t.Fatal(err)
			}
			if reply.Text == want.Text && *reply.Usage.PromptTokens == want.PromptTokens && *reply.Usage.CompletionTokens == want.CompletionTokens {
				same++
			}
		}
		if n := len(p.Queries); tt.same && same != n || !tt.same && same > n/4 {
			t.Errorf("%s: %d of %d replies are mini-teacher's", tt.name, same, n)
		}
	}
}

// generator asks a served model, greedily and on one thread, and gives the same
// options for the built-in engine.
func generator(t *testing.T, p *Puller, m eval.Model) (eval.Generator, builtin.Options) {
	t.Helper()
	one := 1
	m.Generation = eval.DefaultGeneration()
	m.Generation.NumThread = &one
	g, err := p.Providers.Open(m)
	if err != nil {
		t.Fatal(err)
	}
	return g, builtin.Options{NumPredict: m.Generation.NumPredict, NumCtx: m.Generation.NumCtx, RepeatPenalty: 1}
}

// TestPullStep makes a step of a model that is there, and says when it is not.
func TestPullStep(t *testing.T) {
	p := realPuller(t)
	files := hubtest.Random(small, 500, 41).Files(hubtest.Options{Shards: 2})
	const index = "model.safetensors.index.json"
	files[index] = bytes.Replace(files[index], []byte(`"weight_map"`), []byte(`"metadata":{"total_size":7},"weight_map"`), 1)
	base := model(t, "base", "hf", files)
	step := base.Step("q8_0")
	byName := func(string) eval.Model { return base }
	if _, err := p.Pull(t.Context(), step, byName); err == nil || !strings.Contains(err.Error(), "base is not there") {
		t.Errorf("a step without its base: %v", err)
	}
	if said, err := p.Pull(t.Context(), base, byName); err != nil || !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "warning: "+index+": metadata.total_size is 7") }) {
		t.Fatal(said, err)
	}
	for _, want := range []string{"base:q8_0 made of base", "base:q8_0 is there already"} {
		if said, err := p.Pull(t.Context(), step, byName); err != nil || len(said) != 1 || !strings.HasPrefix(said[0], want) {
			t.Errorf("%q, %v; want %q", said, err, want)
		}
	}
}
