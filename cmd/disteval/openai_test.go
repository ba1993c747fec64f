package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval/builtin"
	"github.com/disteval/disteval/eval/ollama/ollamatest"
)

// said is what two ways to one model must agree on.
type said struct {
	Text       string
	DoneReason string
	Prompt     int
	Completion int
}

// sayings reads a run's replies by model and query, and how many of a model's
// have answer bits.
func sayings(t *testing.T, run string) (all map[string]map[string]said, bits map[string]int) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(run, "replies.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	all, bits = map[string]map[string]said{}, map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l struct {
			Model, Text string
			QueryID     string `json:"query_id"`
			DoneReason  string `json:"done_reason"`
			Tokens      struct{ Prompt, Completion int }
			Scores      map[string]*float64
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if all[l.Model] == nil {
			all[l.Model] = map[string]said{}
		}
		all[l.Model][l.QueryID] = said{l.Text, l.DoneReason, l.Tokens.Prompt, l.Tokens.Completion}
		if l.Scores["answer_bits"] != nil {
			bits[l.Model]++
		}
	}
	return all, bits
}

// createTrio makes the built-in models in a real Ollama as its /v1 needs them:
// what no request there can say stands in the model.
func createTrio(t *testing.T, server *ollamatest.Server) {
	t.Helper()
	for _, name := range builtin.Names() {
		path, err := filepath.Abs("../../eval/builtin/models/" + name + ".gguf")
		if err != nil {
			t.Fatal(err)
		}
		server.Create(t, name, path, map[string]any{"num_ctx": 128, "repeat_penalty": 1.0, "num_thread": 1})
	}
}

// TestOneOllamaByTwoAPIs asks the built-in models in a real Ollama by its own
// API and by OpenAI's: 600 of 600 replies are the same. Its /v1 ignores the
// request for log-probabilities without a word; then there are none, and no
// figure is made of that.
func TestOneOllamaByTwoAPIs(t *testing.T) {
	server := ollamatest.Start(t)
	createTrio(t, server)
	var models strings.Builder
	models.WriteString("version: 1\nlikelihood: off\nmodels:\n")
	for _, name := range builtin.Names() {
		fmt.Fprintf(&models, "  - {name: ollama %s, provider: ollama, model: %s, generation: {num_thread: 1}}\n", name, name)
		fmt.Fprintf(&models, "  - {name: openai %s, provider: openai, host: %q, model: %s}\n", name, server.Host, name)
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "models.yaml"), models.String())
	out, err := program(t, dir, []string{"OLLAMA_HOST=" + server.Host}, "run", "--models", "models.yaml").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all, bits := sayings(t, onlyRun(t, dir))
	for _, name := range builtin.Names() {
		theirs, ours := all["openai "+name], all["ollama "+name]
		same := 0
		for query, want := range ours {
			if got := theirs[query]; got == want {
				same++
			} else {
				t.Errorf("%s %s\n  ollama %+v\n  openai %+v", name, query, want, got)
			}
		}
		if t.Logf("%s: %d of %d replies are the same", name, same, len(ours)); len(ours) != 200 || len(theirs) != 200 || bits["openai "+name] > 0 {
			t.Errorf("%s: %d and %d replies, %d with answer bits", name, len(ours), len(theirs), bits["openai "+name])
		}
	}
}

// TestOllamaAsOpenAINamesWhatItIgnores: a model that is not made for it is
// refused with the cure, and so is a demand for log-probabilities.
func TestOllamaAsOpenAINamesWhatItIgnores(t *testing.T) {
	server := ollamatest.Start(t)
	server.CreateRandom(t, "plain", ollamatest.Tiny)
	dir := t.TempDir()
	for _, tt := range []struct{ file, want string }{
		{"version: 1\ngeneration: {num_ctx: 64}\n", "repeat_penalty 1, nor num_ctx 64"},
		{"version: 1\ngeneration: {repeat_penalty: 1.1}\nlikelihood: {answers: true}\n", "log-probabilities"},
	} {
		writeFile(t, filepath.Join(dir, "models.yaml"), tt.file+fmt.Sprintf("models: [{name: m, provider: openai, host: %q, model: plain}]\n", server.Host))
		out, err := program(t, dir, nil, "models", "check", "--models", "models.yaml").CombinedOutput()
		if err == nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("%s: %v\n%s", tt.file, err, out)
		}
	}
}

// TestChatEndToEnd asks a chat model with a system message and three examples,
// by both APIs.
func TestChatEndToEnd(t *testing.T) {
	server := ollamatest.Start(t)
	createTrio(t, server)
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "models.yaml"), fmt.Sprintf(`version: 1
likelihood: off
generation: {raw: false, num_predict: 4}
prompt: {system: "Be brief.", shots: 3, template: "Q: {{prompt}}"}
models:
  - {name: ollama, provider: ollama, model: mini-teacher, generation: {num_thread: 1}}
  - {name: openai, provider: openai, host: %q, model: mini-teacher}
`, server.Host))
	out, err := program(t, dir, []string{"OLLAMA_HOST=" + server.Host}, "run", "--models", "models.yaml", "--limit", "20").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all, _ := sayings(t, onlyRun(t, dir))
	for query, want := range all["ollama"] {
		if got := all["openai"][query]; got != want || want.Prompt < 30 {
			t.Errorf("%s: ollama %+v, openai %+v", query, want, got)
		}
	}
	if len(all["ollama"]) != 20 {
		t.Errorf("%d replies", len(all["ollama"]))
	}
}
