package session_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/evaltest"
	"github.com/disteval/disteval/eval/session"
	"github.com/disteval/disteval/eval/spec"
)

// draft finds what is in dir and at OLLAMA_HOST, and returns the models file
// that is written of it and the plan that it makes.
func draft(t *testing.T, dir string) (string, eval.Plan) {
	t.Helper()
	s := &session.Session{Providers: session.NewProviders(time.Minute), Now: time.Now, Say: func(string) {}}
	var b strings.Builder
	path := filepath.Join(dir, "models.yaml")
	if err := s.Find(t.Context(), dir).Draft(path).Write(&b); err != nil {
		t.Fatal(err)
	}
	plan, err := spec.Parse([]byte(b.String()), path, spec.Defaults{})
	if err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	if !strings.HasPrefix(b.String(), "# yaml-language-server: $schema="+spec.SchemaURL+"\n") {
		t.Errorf("the schema is not named:\n%s", b.String())
	}
	if plan, err = s.Resolve(t.Context(), plan); err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	return b.String(), plan
}

func names(p eval.Plan) string {
	var list []string
	for _, m := range p.Models {
		list = append(list, m.Name+"="+m.Provider+":"+m.Model)
	}
	return strings.Join(list, " ")
}

// TestDraftOfNothing asks what is inside the program.
func TestDraftOfNothing(t *testing.T) {
	t.Setenv("OLLAMA_HOST", "127.0.0.1:1")
	text, plan := draft(t, t.TempDir())
	if got := names(plan); got != "mini-teacher=builtin:mini-teacher mini-student=builtin:mini-student mini-baby=builtin:mini-baby" || plan.Models[0].Role != eval.RoleReference {
		t.Errorf("models: %s", got)
	}
	for _, want := range []string{"no Ollama: ", "ollama pull MODEL", "no .gguf file"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestDraft has a server with names that YAML would take for something else, and
// files that the engine in this process can run and cannot.
func TestDraft(t *testing.T) {
	odd := `a: {b}, "c" #d`
	f := evaltest.NewOllama(t, "teacher:latest", "student:7b", "nomic-embed-text:latest", odd, "line\n- {name: forged}", "mini-baby:latest")
	f.Set(func(o *evaltest.Ollama) { o.Context = 64; o.Embeds = []string{"nomic-embed-text:latest"} })
	t.Setenv("OLLAMA_HOST", f.URL)
	dir := t.TempDir()
	mini, err := os.ReadFile("../builtin/models/mini-baby.gguf")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"mini-baby.gguf": mini, "broken.gguf": []byte("GGUF, or so it says"), "notes.txt": nil, "big-00002-of-00003.gguf": mini,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	large, err := os.Create(filepath.Join(dir, "Large Model.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := large.Truncate(5 << 30); err != nil { // a hole, which takes no room
		t.Fatal(err)
	}
	if err := large.Close(); err != nil {
		t.Fatal(err)
	}
	text, plan := draft(t, dir)
	for _, want := range []string{"=ollama:teacher:latest", "student:7b=ollama:student:7b", odd + "=ollama:" + odd, "mini-baby=ollama:mini-baby:latest", "mini-baby 2=builtin:"} {
		if !strings.Contains(names(plan), want) {
			t.Errorf("no %q among %s in\n%s", want, names(plan), text)
		}
	}
	if strings.Contains(names(plan), "embed") || strings.Contains(names(plan), "forged") || len(plan.Models) != 5 {
		t.Errorf("models: %s", names(plan))
	}
	for _, m := range plan.Models {
		if served := m.Provider == eval.ProviderOllama; served && m.Generation.NumCtx != 64 {
			t.Errorf("%s has %d positions and is given %d", m.Name, m.ContextLength, m.Generation.NumCtx)
		}
		if (m.Role == eval.RoleReference) != (m.Name == plan.Models[0].Name) {
			t.Errorf("%s is %s", m.Name, m.Role)
		}
	}
	for _, want := range []string{
		"# Your Ollama has one: embedding: {ollama: 'nomic-embed-text:latest'}", "Ollama 0.17.4 at " + f.URL,
		`# - {name: Large Model, provider: ollama, model: large-model, source: ./Large Model.gguf}`, "5.4 GB are for a server", "model: broken, source: ./broken.gguf}",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "00002") {
		t.Errorf("a part of a model is listed as one:\n%s", text)
	}
}
