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

// checked is a checkup by names.
func checked(t *testing.T, models, runs string, d spec.Defaults) map[string]eval.Condition {
	t.Helper()
	s := &session.Session{Providers: session.NewProviders(time.Minute), Now: time.Now, Say: func(string) {}}
	out := make(map[string]eval.Condition)
	for _, c := range s.Checkup(t.Context(), models, runs, d) {
		if c.Found == "" || (c.State == eval.Works) != (c.Cure == "") {
			t.Errorf("what works needs no cure, and what does not has one: %+v", c)
		}
		out[c.Name] = c
	}
	return out
}

// wantCondition compares a state, and what is said, found and cure alike.
func wantCondition(t *testing.T, all map[string]eval.Condition, name string, state eval.State, says string) {
	t.Helper()
	if c := all[name]; c.State != state || !strings.Contains(c.Found+"\n"+c.Cure, says) {
		t.Errorf("%s is %+v, want %s and %q", name, c, state, says)
	}
}

func TestCheckupOfNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("OLLAMA_HOST", "127.0.0.1:1")
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "file", "cache"))
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	all := checked(t, filepath.Join(dir, "models.yaml"), filepath.Join(dir, "file"), spec.Defaults{Sysfs: dir, Procfs: dir, Country: "Atlantis"})
	wantCondition(t, all, "Ollama", eval.Fails, "ollama serve")
	wantCondition(t, all, "its models", eval.Fails, "not known")
	wantCondition(t, all, "models in the program", eval.Works, "mini-teacher")
	wantCondition(t, all, "models.yaml", eval.Fails, "disteval init")
	wantCondition(t, all, "energy", eval.Fails, "powercap")
	wantCondition(t, all, "carbon factor", eval.Fails, "Atlantis")
	wantCondition(t, all, "folder of runs", eval.Fails, "is not a folder")
	wantCondition(t, all, "cache of weights", eval.Fails, "XDG_CACHE_HOME")
	if !all["folder of runs"].Needed {
		t.Error("runs do not need their folder")
	}
}

func TestCheckup(t *testing.T) {
	f := evaltest.NewOllama(t, "a:latest", "b:latest", "c:latest", "d:latest", "e:latest", "f:latest", "vectors:latest")
	f.Set(func(o *evaltest.Ollama) { o.Embeds = []string{"vectors:latest"} })
	dir := t.TempDir()
	t.Setenv("OLLAMA_HOST", f.URL)
	t.Setenv("XDG_CACHE_HOME", dir)
	models := filepath.Join(dir, "models.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(models, []byte("version: 1\nemissions: {country: FRA}\nmodels:\n"+text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	here, gone := "- {name: a, provider: ollama, model: a}\n", "- {name: gone, provider: ollama, model: gone}\n"
	write(here)
	runs := filepath.Join(dir, "not", "yet", "there")
	all := checked(t, models, runs, spec.Defaults{})
	wantCondition(t, all, "Ollama", eval.Works, "0.17.4 at "+f.URL)
	wantCondition(t, all, "its models", eval.Works, "e:latest and 1 more; for scoring: vectors:latest")
	wantCondition(t, all, "models.yaml", eval.Works, "1 model")
	wantCondition(t, all, "carbon factor", eval.Works, "France")
	wantCondition(t, all, "folder of runs", eval.Works, runs)
	wantCondition(t, all, "cache of weights", eval.Works, filepath.Join(dir, "disteval"))
	write(here + gone)
	wantCondition(t, checked(t, models, runs, spec.Defaults{}), "models.yaml", eval.Partly, "gone")
	write(gone)
	wantCondition(t, checked(t, models, runs, spec.Defaults{}), "models.yaml", eval.Fails, "disteval models check --models "+models)
	write("- {nmae: a}")
	wantCondition(t, checked(t, models, runs, spec.Defaults{}), "models.yaml", eval.Fails, `did you mean "name"?`)
	if left, err := filepath.Glob(filepath.Join(dir, ".disteval-*")); err != nil || len(left) > 0 {
		t.Errorf("trying the folders leaves %v, %v", left, err)
	}
}
