package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/evaltest"
	"github.com/disteval/disteval/eval/hub/hubtest"
	"github.com/disteval/disteval/eval/ollama/ollamatest"
)

// pullApp is a program whose output a test reads.
func pullApp(t *testing.T, ollamaURL, hubURL string) (a *app, out, messages *bytes.Buffer) {
	t.Helper()
	t.Setenv("OLLAMA_HOST", ollamaURL)
	t.Setenv("HF_ENDPOINT", hubURL)
	t.Setenv("HF_TOKEN", "")
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	t.Setenv("LocalAppData", cache)
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	addSettingFlags(flags)
	s, err := loadSettings(flags)
	if err != nil {
		t.Fatal(err)
	}
	out, messages = new(bytes.Buffer), new(bytes.Buffer)
	return &app{out: out, err: messages, settings: s, log: slog.New(slog.NewTextHandler(io.Discard, nil)), drain: t.Context()}, out, messages
}

// modelsFile writes a models file with these entries.
func modelsFile(t *testing.T, dir string, models ...string) string {
	t.Helper()
	path := filepath.Join(dir, "models.yaml")
	text := "version: 1\nqueries: builtin\nmodels:\n  - " + strings.Join(models, "\n  - ") + "\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeFiles(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPullIntoOllama gets one model from every kind of source and asks each.
func TestPullIntoOllama(t *testing.T) {
	server := ollamatest.Start(t)
	old := hubtest.Settings()
	old["pytorch_model.bin"] = hubtest.Checkpoint()
	h := hubtest.New(t, map[string]map[string][]byte{"own/tiny": hubtest.TinyLLaMA(), "own/old": old, "own/early": hubtest.EarlyLLaMA()})
	a, out, messages := pullApp(t, server.URL, h.URL)
	dir := t.TempDir()
	writeFiles(t, filepath.Join(dir, "folder"), hubtest.TinyLLaMA())
	gguf, err := os.ReadFile(ollamatest.WriteModel(t, ollamatest.Tiny))
	if err != nil {
		t.Fatal(err)
	}
	writeFiles(t, dir, map[string][]byte{"own.gguf": gguf})
	file := modelsFile(t, dir,
		`{name: inside, provider: builtin, model: mini-baby, role: reference}`,
		`{name: tensors, provider: ollama, model: tensors, source: "hf://own/tiny"}`,
		`{name: old, provider: ollama, model: old, source: "hf://own/old@main"}`,
		`{name: early, provider: ollama, model: early, source: "hf://own/early"}`,
		`{name: folder, provider: ollama, model: folder, source: folder}`,
		`{name: gguf, provider: ollama, model: gguf, source: ./own.gguf}`,
		`{name: second, provider: ollama, model: second, source: "ollama://gguf"}`)
	if err := a.pullModels(t.Context(), file); err != nil {
		t.Fatalf("%v\n%s", err, messages)
	}
	if got := strings.Count(out.String(), "\n"); got != 12 || !strings.Contains(out.String(), "old: answers 5 prompts as its source does") {
		t.Errorf("pull says:\n%s", out)
	}
	askEach(t, a, file)
	for _, name := range []string{"tensors", "old", "early", "folder", "gguf", "second"} {
		resp, err := http.Post(server.URL+"/api/show", "application/json", strings.NewReader(`{"model":"`+name+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		var show struct{ Template, Parameters string }
		err = json.NewDecoder(resp.Body).Decode(&show)
		resp.Body.Close()
		if parameters := strings.Join(strings.Fields(show.Parameters), " "); err != nil || show.Template != "{{ .Prompt }}" || !strings.Contains(parameters, "num_ctx 128") {
			t.Errorf("%s has template %q and parameters %q, %v", name, show.Template, parameters, err)
		}
	}

	out.Reset()
	before := len(h.Ranges())
	if err := a.pullModels(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "is there already"); got != 6 || len(h.Ranges()) != before {
		t.Errorf("the second pull says, after %d downloads:\n%s", len(h.Ranges())-before, out)
	}
}

// askEach loads every served model of a models file and asks it once.
func askEach(t *testing.T, a *app, file string) {
	t.Helper()
	plan, err := a.loadPlan(file)
	if err != nil {
		t.Fatal(err)
	}
	ps := a.session().Providers
	for _, m := range plan.Models {
		if m.Provider != eval.ProviderOllama {
			continue
		}
		m.Generation.NumPredict = 8
		known, err := ps.Resolve(t.Context(), []eval.Model{m})
		if err != nil {
			t.Fatal(err)
		}
		if known[0].ContextLength != hubtest.Positions {
			t.Errorf("%s has %d positions, want %d", m.Name, known[0].ContextLength, hubtest.Positions)
		}
		g, err := ps.Open(known[0])
		if err != nil {
			t.Fatal(err)
		}
		if reply, err := g.Generate(t.Context(), eval.Request{Prompt: "The capital of France is"}); err != nil || reply.Usage.PromptTokens == nil {
			t.Errorf("%s: %+v, %v", m.Name, reply, err)
		}
		if err := g.Unload(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestPullBadTokenizer says what is wrong with a tokenizer, before anything is
// sent to a server.
func TestPullBadTokenizer(t *testing.T) {
	server := evaltest.NewOllama(t)
	files := hubtest.TinyLLaMA()
	files["tokenizer.json"] = []byte(`{"model": {"type": "BPE", "vocab": {}, "merges": 7}}`)
	h := hubtest.New(t, map[string]map[string][]byte{"own/tiny": files})
	a, _, messages := pullApp(t, server.URL, h.URL)
	file := modelsFile(t, t.TempDir(), `{name: M, provider: ollama, model: m, role: reference, source: "hf://own/tiny"}`)
	err := a.pullModels(t.Context(), file)
	if codeOfExit(err) != exitUsage || !strings.Contains(messages.String(), "neither texts nor pairs") || !strings.Contains(messages.String(), "models doctor hf://own/tiny") {
		t.Errorf("%v\n%s", err, messages)
	}
}

func codeOfExit(err error) int {
	if code, ok := err.(exitError); ok {
		return int(code)
	}
	return exitDone
}

// TestPullGoesOn shows that a model that cannot be got is told with its next
// step and keeps no other from being tried.
func TestPullGoesOn(t *testing.T) {
	f := evaltest.NewOllama(t, "here:latest")
	h := hubtest.New(t, nil)
	a, out, messages := pullApp(t, f.URL, h.URL)
	file := modelsFile(t, t.TempDir(),
		`{name: gone, provider: ollama, model: gone, role: reference, source: "hf://own/gone"}`,
		`{name: odd, provider: ollama, model: odd, source: "s3://bucket/odd"}`,
		`{name: nowhere, provider: ollama, model: nowhere, source: ./nowhere.gguf}`,
		`{name: here, provider: ollama, model: here}`)
	err := a.pullModels(t.Context(), file)
	if codeOfExit(err) != exitUsage {
		t.Errorf("pull ends with %v, want the code of the worst error", err)
	}
	for _, want := range []string{"pull gone: ", "HTTP 404", "check owner, repository", "unknown kind", "hf://OWNER/REPO", "nowhere.gguf"} {
		if !strings.Contains(messages.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, messages)
		}
	}
	if !strings.Contains(out.String(), "here: here is there already") {
		t.Errorf("pull says:\n%s", out)
	}
}

func TestPullInterrupted(t *testing.T) {
	f := evaltest.NewOllama(t)
	h := hubtest.New(t, map[string]map[string][]byte{"own/tiny": hubtest.TinyLLaMA()})
	ctx, cancel := context.WithCancel(t.Context())
	h.Answer = func(http.ResponseWriter, *http.Request, []byte) bool { cancel(); return false }
	a, _, _ := pullApp(t, f.URL, h.URL)
	file := modelsFile(t, t.TempDir(), `{name: M, provider: ollama, model: m, role: reference, source: "hf://own/tiny"}`)
	if err := a.pullModels(ctx, file); codeOf(err) != exitInterrupted || !strings.Contains(hintOf(err), "again") {
		t.Errorf("an interrupt gives %v", err)
	}
}

// TestPullWithoutServer says once that a server is not there, and goes on with
// the models of another.
func TestPullWithoutServer(t *testing.T) {
	f := evaltest.NewOllama(t, "here:latest")
	a, out, messages := pullApp(t, "http://127.0.0.1:1", "")
	file := modelsFile(t, t.TempDir(),
		`{name: M, provider: ollama, model: m, role: reference}`,
		`{name: N, provider: ollama, model: n}`,
		`{name: here, provider: ollama, model: here, host: "`+f.URL+`"}`)
	err := a.pullModels(t.Context(), file)
	if codeOfExit(err) != exitFailed || strings.Count(messages.String(), "ollama serve") != 1 {
		t.Errorf("without a server: %v\n%s", err, messages)
	}
	if !strings.Contains(out.String(), "here: here is there already") {
		t.Errorf("the other server's model: %q", out)
	}
}

// TestPullInside has nothing to pull for models of this process, but says when
// one is not there.
func TestPullInside(t *testing.T) {
	a, out, messages := pullApp(t, "http://127.0.0.1:1", "")
	file := modelsFile(t, t.TempDir(),
		`{name: M, provider: builtin, model: mini-baby, role: reference}`,
		`{name: N, provider: builtin, model: ./none.gguf}`)
	if err := a.pullModels(t.Context(), file); codeOfExit(err) != exitUsage {
		t.Errorf("a file that is not there ends pull with %v", err)
	}
	if got := out.String(); got != "M: mini-baby runs inside the program, nothing to pull\n" || !strings.Contains(messages.String(), "none.gguf") {
		t.Errorf("pull says %q and\n%s", got, messages)
	}
}
