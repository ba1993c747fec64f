package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval/evaltest"
	"github.com/disteval/disteval/eval/ollama/ollamatest"
)

// do runs a command line in this process and returns what it says.
func do(t *testing.T, code int, args ...string) (out, messages string) {
	t.Helper()
	var outw, errw bytes.Buffer
	if got := run(t.Context(), args, strings.NewReader(""), &outw, &errw); got != code {
		t.Fatalf("disteval %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, &outw, &errw)
	}
	return outw.String(), errw.String()
}

// emptyPlace is a working folder with nothing of the user's around it.
func emptyPlace(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv("DISTEVAL_LOCK_DIR", dir)
}

// initThenRun asks what init has written, as it stands.
func initThenRun(t *testing.T, models int) {
	t.Helper()
	out, _ := do(t, exitDone, "init")
	if want := fmt.Sprintf("wrote models.yaml (models: %d); next: disteval run --models models.yaml", models); !strings.Contains(out, want) {
		t.Errorf("no %q in %s", want, out)
	}
	do(t, exitDone, "models", "check")
	out, messages := do(t, exitDone, "run", "--models", "models.yaml", "--limit", "2")
	if summaries, err := filepath.Glob("runs/*/summary.json"); err != nil || len(summaries) != 1 || !strings.Contains(out, "report: ") {
		t.Errorf("the run leaves %v, %v\n%s%s", summaries, err, out, messages)
	}
}

func TestInitNothing(t *testing.T) {
	emptyPlace(t)
	t.Setenv("OLLAMA_HOST", "127.0.0.1:1")
	initThenRun(t, 3)
	do(t, exitUsage, "init")
	if _, messages := do(t, exitUsage, "init"); !strings.Contains(messages, "is there already") || !strings.Contains(messages, "--force") {
		t.Errorf("a second init says %s", messages)
	}
	if err := os.WriteFile("models.yaml", []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	do(t, exitDone, "init", "--force")
	out, _ := do(t, exitDone, "init", "--out", "-")
	if file, err := os.ReadFile("models.yaml"); err != nil || !strings.HasPrefix(out, "# yaml-language-server: ") || !strings.Contains(string(file), "mini-teacher") {
		t.Errorf("error %v, standard output\n%s\nfile\n%s", err, out, file)
	}
	if err := os.WriteFile("file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	do(t, exitFailed, "init", "--out", "file/models.yaml")
}

func TestInitBesideServer(t *testing.T) {
	emptyPlace(t)
	f := evaltest.NewOllama(t, "teacher:latest", "student:latest", "vectors:latest")
	f.Set(func(o *evaltest.Ollama) { o.Embeds = []string{"vectors:latest"} })
	t.Setenv("OLLAMA_HOST", f.URL)
	initThenRun(t, 2)
}

// TestInitBesideOllama runs what init writes for a real server.
func TestInitBesideOllama(t *testing.T) {
	server := ollamatest.Start(t)
	emptyPlace(t)
	vectors := ollamatest.Tiny
	vectors.Pools = true
	server.CreateRandom(t, "vectors", vectors)
	server.CreateRandom(t, "tiny", ollamatest.Tiny)
	t.Setenv("OLLAMA_HOST", server.Host)
	initThenRun(t, 1)
	file, err := os.ReadFile("models.yaml")
	if err != nil || !strings.Contains(string(file), "embedding: {ollama: 'vectors:latest'}") || strings.Contains(string(file), "name: vectors") {
		t.Errorf("%v\n%s", err, file)
	}
}
