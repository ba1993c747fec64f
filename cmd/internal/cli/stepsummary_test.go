package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disteval/disteval/reports"
)

// TestStepSummaryLeavesRoom adds a judgement of 6,000 findings to a summary
// that other commands of the step have written to.
func TestStepSummaryLeavesRoom(t *testing.T) {
	j := reports.Judgement{}
	for i := range 6000 {
		j.Checks = append(j.Checks, reports.Check{Model: "student", Measure: "query", Query: fmt.Sprintf("q%04d", i), Expected: "right", Got: "wrong",
			Outcome: reports.Regression, Reason: strings.Repeat("|", 400)})
	}
	r := reports.Report{RunID: "r", Judgement: &j}
	for _, full := range []int{0, 500_000, mostSummary - 5_000, mostSummary - 300} {
		path := filepath.Join(t.TempDir(), "summary.md")
		if err := os.WriteFile(path, []byte(strings.Repeat("x", full)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := stepSummary(path, r); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil || len(data) > mostSummary || len(data) == full {
			t.Errorf("%d bytes before, %d after, %v", full, len(data), err)
		}
		if added := string(data[full:]); full < mostSummary-5_000 && !(strings.Contains(added, "### Gate: regression") && strings.Contains(added, "and 5900 more")) {
			t.Errorf("%d bytes before: the verdict or the number of the others is missing", full)
		}
	}
	path := filepath.Join(t.TempDir(), "full.md")
	if err := os.WriteFile(path, make([]byte, mostSummary), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := stepSummary(path, r); err == nil || hintOf(err) == "" {
		t.Errorf("a full summary: %v", err)
	}
}
