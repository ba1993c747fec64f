package main_test

import (
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

const (
	firstRight = `model = 0 AND query = (SELECT MIN(query) FROM scores WHERE model = 0 AND vals LIKE '{"em":1,%')`
	rightFive  = `model = 0 AND query IN (SELECT query FROM scores WHERE model = 0 AND vals LIKE '{"em":1,%' LIMIT 5)`

	// Without checksums a record passes for one from before there were any.
	unchecked = "INSERT OR REPLACE INTO meta VALUES ('rows without checksums', '1'); "
	wrong     = unchecked + "UPDATE replies SET checksum = NULL, text = ' no idea' WHERE "
	failed    = unchecked + "UPDATE replies SET checksum = NULL, failure_kind = 'timeout', failure_message = '' WHERE "
	noPlanSum = unchecked + "DELETE FROM meta WHERE key = 'run checksum'; "
)

// TestGateCases spoils the record of the built-in run in every way that the
// gate must see: no broken run ends with 0.
func TestGateCases(t *testing.T) {
	dir := t.TempDir()
	disteval := func(args ...string) (string, int) {
		out, err := program(t, dir, []string{"GITHUB_ACTIONS="}, args...).CombinedOutput()
		var exit *exec.ExitError
		switch {
		case err == nil:
			return string(out), 0
		case errors.As(err, &exit):
			return string(out), exit.ExitCode()
		}
		t.Fatal(err)
		return "", 0
	}
	expected, err := filepath.Abs("testdata/builtin-expected.yaml")
	if err != nil {
		t.Fatal(err)
	}
	whole := killAndResume(t, dir, nil, "builtin", 2, func() time.Duration { return 800 * time.Millisecond })
	if out, code := disteval("gate", whole, "--expected", expected); code != 0 {
		t.Fatalf("a run killed and resumed came to %d, want 0 as of any whole run:\n%s", code, out)
	}

	for _, test := range []struct {
		name, edit string
		score      bool // again, after the edit
		want       int
		says       string
	}{
		{name: "nothing", edit: "SELECT 1", want: 0},
		{name: "one fact wrong", edit: wrong + firstRight, score: true, want: 3, says: "regression    mini-teacher query geo-capital-france"},
		{name: "five facts wrong", edit: wrong + rightFive, score: true, want: 3, says: "regression    mini-teacher em:"},
		{name: "one fact wrong, not scored", edit: wrong + firstRight, want: 3, says: "regression    mini-teacher query geo-capital-france"},
		{name: "one fact wrong, its score kept", edit: wrong + firstRight, want: 3, says: "other scores than are stored: 1, the first mini-teacher geo-capital-france"},
		{name: "scores changed", edit: `UPDATE scores SET vals = '{"em":1' || substr(vals, 8) WHERE model = 1`, want: 0, says: "other scores than are stored: 150"},
		{name: "scores changed to hide wrong facts", edit: wrong + rightFive + `; UPDATE scores SET vals = '{"em":1' || substr(vals, 8) WHERE model = 0`, want: 3, says: "regression    mini-teacher em:"},
		{name: "a reply removed", edit: "DELETE FROM replies WHERE model = 2 AND query = 199", want: 4, says: "1 missing"},
		{name: "a failure added", edit: failed + "model = 1 AND query = 3", want: 4, says: "1 timeout"},
		{name: "a wrong fact and a failure", edit: failed + firstRight, want: 4, says: "failed"},
		{name: "a reply damaged", edit: "UPDATE replies SET text = text || 'x' WHERE model = 1 AND query = 3", want: 1, says: "is damaged: the reply of mini-student"},
		{name: "a time damaged", edit: "UPDATE phases SET end_ns = end_ns - 1000000000 WHERE name = 'answer'", want: 1, says: "is damaged: the answer phase"},
		{name: "a query edited", edit: "UPDATE queries SET query = replace(query, 'capital', 'Capital') WHERE idx = 0", want: 1, says: "is damaged: its plan gives the hash"},
		{name: "a query removed", edit: "DELETE FROM queries WHERE idx = 7", want: 1, says: "damaged"},
		{name: "a reply to no query", edit: "UPDATE replies SET query = 777 WHERE model = 0 AND query = 3", want: 1, says: "damaged"},
		{name: "a reply of no model", edit: "UPDATE replies SET model = 7 WHERE model = 0 AND query = 3", want: 4, says: "1 missing"},
		{name: "a model given up", edit: unchecked + "INSERT INTO gave_up VALUES (0, 'the server is gone', NULL)", want: 4, says: "given up"},
		{name: "a model of another name", edit: "UPDATE meta SET value = replace(value, 'mini-baby', 'mini-bab')", want: 1, says: "is damaged: the plan"},
		{name: "a factor changed", edit: noPlanSum + `UPDATE meta SET value = replace(value, '"temperature":0', '"temperature":1')`, want: 1, says: "is damaged: its plan gives the hash"},
		{name: "a score removed", edit: "DELETE FROM scores WHERE model = 0 AND query = 3", want: 4, says: "scoring is not whole"},
		{name: "no scores", edit: "DELETE FROM scores", want: 4, says: "nothing was scored"},
		{name: "no scoring", edit: "DELETE FROM scorings", want: 4, says: "scored in another way"},
		{name: "an interrupted scoring", edit: "UPDATE scorings SET complete = 0", want: 4, says: "scored in another way"},
		{name: "another scoring", edit: "UPDATE scorings SET scoring = replace(scoring, 'false', 'true')", want: 4, says: "scored in another way"},
		{name: "garbled scores", edit: "UPDATE scores SET vals = '{' WHERE model = 0 AND query = 3", want: 1, says: "decode scores"},
		{name: "no replies", edit: "DROP TABLE replies", want: 1},
		{name: "no plan", edit: "DELETE FROM meta", want: 2, says: "has no plan"},
		{name: "a version with its sign flipped", edit: "PRAGMA user_version = -2147483646", want: 1, says: "damaged"},
		{name: "a later version", edit: "PRAGMA user_version = 99", want: 1, says: "newer disteval"},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := filepath.Join(t.TempDir(), "run")
			if err := os.CopyFS(run, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			edit(t, filepath.Join(run, "run.db"), test.edit)
			if test.score {
				if out, code := disteval("score", run); code != 0 {
					t.Fatalf("score came to %d:\n%s", code, out)
				}
			}
			out, code := disteval("gate", run, "--expected", expected)
			if code != test.want || !strings.Contains(out, test.says) || strings.Contains(out, "goroutine") {
				t.Errorf("exit code %d, want %d and %q in\n%s", code, test.want, test.says, out)
			}
		})
	}
}

func edit(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestResumedElsewhere: the times of a run that two machines made are judged
// only where that is asked for.
func TestResumedElsewhere(t *testing.T) {
	dir := t.TempDir()
	must := func(want int, args ...string) string {
		t.Helper()
		cmd := program(t, dir, []string{"GITHUB_ACTIONS="}, args...)
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Fatalf("%q came to %d, want %d:\n%s", args, got, want, out)
		}
		return string(out)
	}
	must(0, "run", "--models", "builtin", "--limit", "5")
	run := onlyRun(t, dir)
	must(0, "gate", run, "--expected", "e.yaml", "--bless", "--bless-time")
	writeFile(t, filepath.Join(dir, "e.yaml"), wide(readFile(t, filepath.Join(dir, "e.yaml"))))

	db := filepath.Join(run, "run.db")
	edit(t, db, noPlanSum+`UPDATE meta SET value = replace(value, '"cpus":', '"cpus":7')`)
	must(0, "run", "--resume", run, "--limit", "5") // nothing is left to ask
	edit(t, db, noPlanSum+`UPDATE meta SET value = replace(value, '"cpus":7', '"cpus":')`)
	must(0, "gate", run, "--expected", "e.yaml")

	edit(t, db, `DELETE FROM replies WHERE model = 1`)
	edit(t, db, noPlanSum+`UPDATE meta SET value = replace(value, '"cpus":', '"cpus":7')`)
	must(0, "run", "--resume", run)
	edit(t, db, noPlanSum+`UPDATE meta SET value = replace(value, '"cpus":7', '"cpus":')`)
	if out := must(4, "gate", run, "--expected", "e.yaml"); !strings.Contains(out, "went on on another machine") {
		t.Errorf("it does not say why:\n%s", out)
	}
	must(0, "gate", run, "--expected", "e.yaml", "--any-host")
	if !strings.Contains(readFile(t, filepath.Join(run, "summary.md")), "those of both") {
		t.Error("the report does not warn")
	}
}

// wide gives the times of an expected file tolerances that no machine leaves.
func wide(expected string) string {
	lines := strings.SplitAfter(expected, "\n")
	for i, line := range lines {
		switch {
		case strings.Contains(line, "duration_s"):
			lines[i] = strings.ReplaceAll(line, "10%", "9000%")
		case strings.Contains(line, "tokens_per_s"):
			lines[i] = strings.ReplaceAll(line, "10%", "99%")
		}
	}
	return strings.Join(lines, "")
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
