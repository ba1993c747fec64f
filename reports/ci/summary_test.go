package ci_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disteval/disteval/reports/ci"
)

// TestAppendSummary adds to a summary that other commands of the step have
// written to: never so much that GitHub would show nothing.
func TestAppendSummary(t *testing.T) {
	fill := func(room int) string { return strings.Repeat("y", min(room, 900_000)) }
	for _, tt := range []struct {
		before int
		write  func(int) string
		added  int
		fails  bool
	}{
		{0, fill, 900_000, false},
		{500_000, fill, ci.MostSummary - 500_000, false},
		{ci.MostSummary - 1, fill, 1, false},
		{ci.MostSummary, fill, 0, true},
		{2 * ci.MostSummary, fill, 0, true},
		{ci.MostSummary - 10, func(int) string { return "more than there is room for" }, 0, true},
	} {
		path := filepath.Join(t.TempDir(), "summary.md")
		if err := os.WriteFile(path, make([]byte, tt.before), 0o600); err != nil {
			t.Fatal(err)
		}
		err := ci.AppendSummary(path, tt.write)
		info, statErr := os.Stat(path)
		if statErr != nil || int(info.Size()) != tt.before+tt.added {
			t.Errorf("%d bytes before, %d after, want %d more", tt.before, info.Size(), tt.added)
		}
		var hint interface{ Hint() string }
		if (err != nil) != tt.fails || tt.fails && !errors.As(err, &hint) {
			t.Errorf("%d bytes before: %v", tt.before, err)
		}
	}
	if err := ci.AppendSummary("", fill); err != nil {
		t.Errorf("no file: %v", err)
	}
	if err := ci.AppendSummary(filepath.Join(t.TempDir(), "no", "folder"), fill); err == nil {
		t.Error("a summary was written where there is no folder")
	}
}

func TestJobURL(t *testing.T) {
	for want, env := range map[string]map[string]string{
		"https://github.com/owner/name/actions/runs/77": {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "owner/name", "GITHUB_RUN_ID": "77"},
		"https://gitlab.example/a/-/jobs/5":             {"CI_JOB_URL": "https://gitlab.example/a/-/jobs/5"},
		"":                                              {"CI_JOB_URL": "https://gitlab.example/a) [x](y"},
	} {
		if got := ci.JobURL(func(name string) string { return env[name] }); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
