package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// summaryFigures is what an older record's summary must go on saying.
type summaryFigures struct {
	Models []struct {
		Name    string
		Replies int
		Tokens  map[string]*int
		Metrics map[string]struct {
			N    int
			Mean *float64
			CI95 []float64
		}
	}
}

func readFigures(t *testing.T, path string) summaryFigures {
	t.Helper()
	var f summaryFigures
	if err := json.Unmarshal([]byte(readFile(t, path)), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestOlderRecord reads, scores again and migrates records of every earlier
// version of run.db. Their summaryFigures stay what they were, to the last digit,
// whatever metrics have been added since.
func TestOlderRecord(t *testing.T) {
	versions, err := filepath.Glob("testdata/records/*")
	if err != nil || len(versions) == 0 {
		t.Fatalf("no records: %v", err)
	}
	for _, kept := range versions {
		t.Run(filepath.Base(kept), func(t *testing.T) {
			run := t.TempDir()
			if err := os.CopyFS(run, os.DirFS(kept)); err != nil {
				t.Fatal(err)
			}
			want := readFigures(t, filepath.Join(kept, "summary.json"))
			same := func(what string) {
				t.Helper()
				if diff := cmp.Diff(want, newMetricsLeftOut(readFigures(t, filepath.Join(run, "summary.json")), want)); diff != "" {
					t.Errorf("%s: summaryFigures changed (-was +is):\n%s", what, diff)
				}
			}
			ended(t, 0, "report", run, "--format", "json")
			same("report")
			if was, is := readFile(t, filepath.Join(kept, "run.db")), readFile(t, filepath.Join(run, "run.db")); !bytes.Equal([]byte(was), []byte(is)) {
				t.Error("report has changed run.db")
			}
			stable(t, kept, run)
			ended(t, 0, "score", run)
			same("score")
			ended(t, 0, "report", run, "--format", "json")
			same("report of the migrated record")
		})
	}
}

// stable wants what docs/compatibility.md promises of the files that a version
// kept: its models.yaml and expected.yaml go on meaning what they meant, and
// its JSON has no key that is gone.
func stable(t *testing.T, kept, run string) {
	t.Helper()
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(kept, name))
		return err == nil
	}
	if has("models.yaml") {
		ended(t, 0, "run", "--models", filepath.Join(run, "models.yaml"), "--dry-run")
	}
	if has("expected.yaml") {
		ended(t, 0, "gate", run, "--expected", filepath.Join(run, "expected.yaml"))
	}
	ended(t, 0, "report", run, "--format", "json,jsonl")
	for _, name := range []string{"summary.json", "replies.jsonl"} {
		if !has(name) {
			continue
		}
		was, _, _ := strings.Cut(readFile(t, filepath.Join(kept, name)), "\n{")
		is, _, _ := strings.Cut(readFile(t, filepath.Join(run, name)), "\n{")
		for key := range keysOf(t, was) {
			if !keysOf(t, is)[key] {
				t.Errorf("%s has no %s any more", name, key)
			}
		}
	}
}

// keysOf lists the paths of a JSON object's keys, a list being its first item.
func keysOf(t *testing.T, text string) map[string]bool {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%.80s: %v", text, err)
	}
	keys := map[string]bool{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for k, below := range v {
				keys[path+"."+k] = true
				walk(path+"."+k, below)
			}
		case []any:
			if len(v) > 0 {
				walk(path+"[]", v[0])
			}
		}
	}
	walk("", value)
	return keys
}

// newMetricsLeftOut drops what the older summary did not have.
func newMetricsLeftOut(f, was summaryFigures) summaryFigures {
	for i := range f.Models {
		for name := range f.Models[i].Metrics {
			if _, known := was.Models[i].Metrics[name]; !known {
				delete(f.Models[i].Metrics, name)
			}
		}
	}
	return f
}

// ended runs the program and fails the test unless it ends with code want.
func ended(t *testing.T, want int, args ...string) string {
	t.Helper()
	cmd := program(t, t.TempDir(), []string{"GITHUB_ACTIONS="}, args...)
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Fatalf("%q came to %d, want %d:\n%s", args, got, want, out)
	}
	return string(out)
}
