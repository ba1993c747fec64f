package main_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports/gate"
)

// TestBuiltinRun is what `make run` does, twice: complete, the same to the
// byte whatever the number of threads, and within the scores it is gated by.
func TestBuiltinRun(t *testing.T) {
	expected, err := filepath.Abs("testdata/builtin-expected.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var runs []map[string]string
	for _, threads := range []string{"1", "2"} {
		dir := t.TempDir()
		out, err := program(t, dir, []string{"GOMAXPROCS=" + threads}, "run", "--models", "builtin", "--expected", expected).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		run := onlyRun(t, dir)
		summary, err := os.ReadFile(filepath.Join(run, "summary.json"))
		if err != nil || !strings.Contains(string(summary), `"status": "complete"`) {
			t.Errorf("summary.json: %v\n%.200s", err, summary)
		}
		runs = append(runs, outcomes(t, run))
	}
	if len(runs[0]) != 600 || !maps.Equal(runs[0], runs[1]) {
		t.Errorf("%d and %d outcomes, %d the same; want 600 the same", len(runs[0]), len(runs[1]), same(runs[0], runs[1]))
	}
}

// TestExpectedFiles keeps the expected files bound to the set inside the
// program.
func TestExpectedFiles(t *testing.T) {
	for _, file := range []string{"../../expected.yaml", "testdata/builtin-expected.yaml"} {
		e, err := gate.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		if e.Queries.SHA256 != queries.Builtin().SHA256() {
			t.Errorf("%s expects the queries %s, the program has %s", file, e.Queries.SHA256, queries.Builtin().SHA256())
		}
	}
}
