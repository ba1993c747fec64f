package main_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval/builtin"
	"github.com/disteval/disteval/eval/ollama/ollamatest"
)

// TestConformance runs the three built-in files through both providers: this
// process, and a real Ollama that models pull has given them to. Every reply,
// its end, its token counts and its scores must be the same; what differs is
// listed.
func TestConformance(t *testing.T) {
	server := ollamatest.Start(t)
	env := []string{"OLLAMA_HOST=" + server.Host}
	files, err := filepath.Abs("../../eval/builtin/models")
	if err != nil {
		t.Fatal(err)
	}
	var models strings.Builder
	models.WriteString("version: 1\ngeneration: {num_thread: 1}\nlikelihood: off\nmodels:\n") // walked and exact probabilities differ in the last digits
	for _, name := range builtin.Names() {
		fmt.Fprintf(&models, "  - {name: here %s, provider: builtin, model: %s}\n", name, name)
		fmt.Fprintf(&models, "  - {name: Ollama %s, provider: ollama, model: %s, source: %q}\n", name, name, filepath.Join(files, name+".gguf"))
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "models.yaml"), models.String())
	for _, args := range [][]string{{"models", "pull", "--models", "models.yaml"}, {"run", "--models", "models.yaml"}} {
		if out, err := program(t, dir, env, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	got := outcomes(t, onlyRun(t, dir))
	for _, name := range builtin.Names() {
		n, differ := 0, 0
		for key, here := range got {
			query, ours := strings.CutPrefix(key, "here "+name+" ")
			if !ours {
				continue
			}
			n++
			if there := got["Ollama "+name+" "+query]; there != here {
				differ++
				t.Errorf("%s %s\n  here   %s\n  Ollama %s", name, query, here, there)
			}
		}
		if t.Logf("%s: %d of %d replies are identical", name, n-differ, n); n != 200 {
			t.Errorf("%s: %d replies, want 200", name, n)
		}
	}
}
