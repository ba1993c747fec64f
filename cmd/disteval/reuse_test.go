package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/eval/evaltest"
)

// modelFigures are a model's, as scripts read them.
func modelFigures(t *testing.T, run, name string) map[string]any {
	t.Helper()
	var summary struct{ Models []map[string]any }
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(run, "summary.json"))), &summary); err != nil {
		t.Fatal(err)
	}
	for _, m := range summary.Models {
		if m["name"] == name {
			return m
		}
	}
	t.Fatalf("%s has no model %s", run, name)
	return nil
}

// TestReuse runs a teacher with one student, then with another: the second run
// asks the teacher nothing, and its figures are the same to the last digit.
func TestReuse(t *testing.T) {
	teacher, server := evaltest.NewOllama(t, "teacher:latest"), evaltest.NewOllama(t, "one:latest", "two:latest")
	dir := t.TempDir()
	var queries strings.Builder
	for i := range 30 {
		fmt.Fprintf(&queries, `{"id":"q%d","prompt":"The word number %d is","keyword":"word"}`+"\n", i, i)
	}
	writeFile(t, filepath.Join(dir, "q.jsonl"), queries.String())
	models := func(file, student string) {
		writeFile(t, filepath.Join(dir, file), "version: 1\nqueries: q.jsonl\nmodels:\n  - {name: teacher, provider: ollama, model: teacher, role: reference, host: '"+
			teacher.URL+"'}\n  - {name: student, provider: ollama, model: "+student+", host: '"+server.URL+"'}\n")
	}
	models("one.yaml", "one")
	models("two.yaml", "two")
	disteval := func(want int, args ...string) string {
		t.Helper()
		cmd := program(t, dir, []string{"GITHUB_ACTIONS="}, args...)
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Fatalf("%q came to %d, want %d:\n%s", args, got, want, out)
		}
		return string(out)
	}
	disteval(0, "run", "--models", "one.yaml", "--out", "first/runs")
	first := onlyRun(t, filepath.Join(dir, "first"))
	asked := func() (n int) {
		for i := range 30 {
			n += teacher.AskedFor(fmt.Sprintf("The word number %d is", i))
		}
		return n
	}
	before := asked()

	if out := disteval(0, "run", "--models", "two.yaml", "--reuse", "first/runs", "--dry-run"); !strings.Contains(out, "reuse teacher: 30 of 30 replies; 0 questions are left") ||
		!strings.Contains(out, "reuse student: 0 of 30 replies; 30 questions are left") {
		t.Errorf("the dry run says\n%s", out)
	}
	requests := len(teacher.Bodies())
	disteval(0, "run", "--models", "two.yaml", "--reuse", "first/runs", "--out", "second/runs")
	if more := len(teacher.Bodies()) - requests; more != 0 {
		t.Errorf("the teacher was asked again, loaded or probed: %d requests", more)
	}
	second := onlyRun(t, filepath.Join(dir, "second"))
	was, is := modelFigures(t, first, "teacher"), modelFigures(t, second, "teacher")
	if is["reused"] == nil || is["duration_s"] == nil {
		t.Errorf("not marked, or without its time: %v", is)
	}
	delete(is, "reused")
	if diff := cmp.Diff(was, is); diff != "" {
		t.Errorf("the teacher's figures (-first +second):\n%s", diff)
	}
	lines := bufio.NewScanner(strings.NewReader(readFile(t, filepath.Join(second, "replies.jsonl"))))
	for lines.Scan() {
		var r struct {
			Model      string
			ReusedFrom string `json:"reused_from"`
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil || (r.Model == "teacher") != (r.ReusedFrom == filepath.Base(first)) {
			t.Fatalf("%v: %s", err, lines.Text())
		}
	}

	// Part of a run's replies have no time of their own.
	disteval(0, "run", "--models", "two.yaml", "--limit", "20", "--reuse", "first/runs", "--out", "third/runs")
	part := modelFigures(t, onlyRun(t, filepath.Join(dir, "third")), "teacher")
	if part["duration_s"] != nil || part["tokens_per_s"] != nil || part["replies"] != 20.0 {
		t.Errorf("20 of 30 replies: %v", part)
	}
	// Another option is another answer.
	teacher.Set(func(o *evaltest.Ollama) { o.Digest = func(string) string { return strings.Repeat("e", 64) } })
	disteval(0, "run", "--models", "two.yaml", "--reuse", first, "--out", "fourth/runs")
	if asked() != before+30 {
		t.Errorf("another digest: %d questions were asked, want 30", asked()-before)
	}
	disteval(2, "run", "--models", "two.yaml", "--reuse", "nowhere")
}
