package text

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/disteval/disteval/reports"
)

// manyChecks is a judgement of n checks of each outcome that is told.
func manyChecks(n int, reason string) reports.Judgement {
	var j reports.Judgement
	for _, o := range []reports.Outcome{reports.Improved, reports.Regression, reports.Inconclusive} {
		for i := range n {
			j.Checks = append(j.Checks, reports.Check{Model: "student", Measure: "query", Query: fmt.Sprintf("q%03d", i), Expected: "right", Got: "wrong", Outcome: o, Reason: reason})
		}
	}
	return j
}

func TestAnnotationsKeepWithinGitHubsLimit(t *testing.T) {
	for _, test := range []struct {
		n               int
		errors, notices int
		last            string
	}{{5, 10, 5, "regression%3A student query q004"}, {6, 10, 6, "and 3 more"}, {200, 10, 10, "and 391 more"}} {
		out := written(t, func(w io.Writer) error { return WriteAnnotations(w, manyChecks(test.n, "")) })
		var errors []string
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "::error ") {
				errors = append(errors, line)
			}
		}
		if n := strings.Count(out, "::notice "); len(errors) != test.errors || n != test.notices {
			t.Errorf("of %d each: %d errors, %d notices", test.n, len(errors), n)
		}
		if last := errors[len(errors)-1]; !strings.Contains(last, test.last) {
			t.Errorf("of %d each the last error is %s", test.n, last)
		}
	}
}

// TestSummaryKeepsWithinGitHubsLimit has as much to say as can be.
func TestSummaryKeepsWithinGitHubsLimit(t *testing.T) {
	r := sample()
	j := manyChecks(200, strings.Repeat("&|\u202e", 300))
	var changes []reports.Change
	for range 60 {
		changes = append(changes, reports.Change{Query: "q", Prompt: strings.Repeat("*", 900), Reply: strings.Repeat("\x1b", 900)})
	}
	for range 8 {
		j.Paired = append(j.Paired, reports.Paired{Model: "student", NewlyWrong: changes, NewlyRight: changes})
	}
	r.Judgement = &j
	for i := range 400 {
		r.Warnings = append(r.Warnings, fmt.Sprint("warning ", i, strings.Repeat("<", 900)))
		r.Headlines = append(r.Headlines, fmt.Sprint("headline ", i, strings.Repeat("<", 900)))
		r.Comparisons = append(r.Comparisons, r.Comparisons[0])
	}
	out := written(t, func(w io.Writer) error { return WriteMarkdown(t.Context(), w, r) })
	if len(out) > 1<<20 {
		t.Errorf("the summary has %d bytes", len(out))
	}
	if !strings.Contains(out, "is left out") || !strings.Contains(out, "Run <code>20260301-120000-abcdef</code>") {
		t.Error("the summary does not say what is left out, or lacks its end")
	}
	if strings.Count(out, "<details>") != strings.Count(out, "</details>") {
		t.Error("a fold is not closed")
	}
}

// TestMarkdownKeepsWithinAnyLimit has 6,000 findings, as short and as long as
// they can be, and the room that a step's summary or a comment leaves.
func TestMarkdownKeepsWithinAnyLimit(t *testing.T) {
	for _, reason := range []string{"", "0.70 is below 0.72", strings.Repeat("&|\u202e", 300)} {
		for _, most := range []int{1_500, 5_000, 60_000, mostMarkdown} {
			r := sample()
			j := manyChecks(2000, reason)
			r.Judgement = &j
			out := Summary(r, most)
			if len(out) > most {
				t.Errorf("%d bytes, at most %d", len(out), most)
			}
			rows := strings.Count(out, "| **")
			if want := fmt.Sprintf("\nand %d more\n", 6000-rows); !strings.Contains(out, "### Gate: inconclusive") || !strings.Contains(out, want) {
				t.Errorf("in %d bytes with %d rows there is no verdict, or no %q", most, rows, want)
			}
			if rows == 0 && most >= 60_000 {
				t.Errorf("%d bytes show no finding", most)
			}
		}
	}
}

func TestListsSayHowManyMore(t *testing.T) {
	r := sample()
	j := manyChecks(60, "")
	j.Paired = []reports.Paired{{Model: "student", NewlyWrong: make([]reports.Change, 51)}}
	r.Judgement = &j
	r.Warnings = make([]string, 101)
	md := written(t, func(w io.Writer) error { return WriteMarkdown(t.Context(), w, r) })
	for _, want := range []string{"and 80 more", "and 1 more"} { // of 180 checks; of 51 changes, and of 101 warnings
		if !strings.Contains(md, want) {
			t.Errorf("the summary does not say %q", want)
		}
	}
	screen := written(t, func(w io.Writer) error { return WriteJudgement(w, j, false) })
	if !strings.Contains(screen, "and 1 more") {
		t.Error("the screen does not say how many more")
	}
}
