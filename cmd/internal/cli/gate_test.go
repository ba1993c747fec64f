package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/gate"
)

// gated is a run of one model on two queries, with these em.
func gated(first, second float64) reports.Report {
	ems := []float64{first, second}
	m := reports.Model{Model: eval.Model{Name: "student"}, Replies: 2}
	for _, metric := range metrics.All() {
		m.Metrics = append(m.Metrics, reports.Metric{Name: metric.Name})
	}
	m.Metrics[0].Summary = stat.MeanBinary(ems)
	return reports.Report{
		RunID: "run-1", Status: reports.Complete, Models: []reports.Model{m},
		Queries: reports.QuerySet{Name: "two", N: 2, SHA256: strings.Repeat("0a", 32)},
		Scoring: &eval.ScoringRecord{Scoring: eval.Scoring{Embedding: eval.EmbeddingBuiltin}},
		Replies: func(context.Context) iter.Seq2[eval.ScoredReply, error] {
			return func(yield func(eval.ScoredReply, error) bool) {
				for i, id := range []string{"geo-france", "geo-spain"} {
					reply := "::error::x\x1b[31m"
					if ems[i] == 1 {
						reply += " Paris"
					}
					s := eval.ScoredReply{Reply: eval.Reply{JobID: eval.JobID{Model: "student", Query: id}, Text: reply},
						Query:  queries.Query{ID: id, Prompt: "The capital is", Keyword: "Paris"},
						Scores: []metrics.Score{{Metric: metrics.EM, Value: ems[i], Status: metrics.Scored}}}
					if !yield(s, nil) {
						return
					}
				}
			}
		},
	}
}

// judged judges a report as disteval gate does and returns what is printed.
func judged(t *testing.T, r reports.Report, o gateOptions, baseline *reports.Report) (out, messages string, err error) {
	t.Helper()
	expected, err := loadExpected(o.Expected)
	if err != nil {
		return "", "", err
	}
	judgement, err := gate.Check(t.Context(), r, expected, gate.Options{Baseline: baseline})
	if err != nil {
		t.Fatal(err)
	}
	r.Judgement = &judgement
	var outw, errw bytes.Buffer
	a := app{out: &outw, err: &errw, settings: &settings{}}
	err = a.printJudgement(r)
	return outw.String(), errw.String(), err
}

// blessRun blesses a report as disteval gate --bless does.
func blessRun(ctx context.Context, out, errw io.Writer, r reports.Report, o gateOptions) error {
	return (&app{out: out, err: errw}).bless(ctx, r, o)
}

func code(err error) int {
	var c exitError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &c):
		return int(c)
	}
	return codeOf(err)
}

func TestJudge(t *testing.T) {
	o := gateOptions{Expected: filepath.Join(t.TempDir(), "expected.yaml"), BlessRight: true}
	if _, _, err := judged(t, gated(1, 1), o, nil); code(err) != exitUsage || !strings.Contains(hintOf(err), "--bless") {
		t.Fatalf("without a file: %v", err)
	}
	var out, errw bytes.Buffer
	if err := blessRun(t.Context(), &out, &errw, gated(1, 1), o); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "+      em: {expected: 1, tolerance: 0.02}") {
		t.Errorf("bless shows no change: %s", out.String())
	}
	out.Reset()
	if err := blessRun(t.Context(), &out, &errw, gated(1, 1), o); err != nil || !strings.Contains(out.String(), "nothing to write") {
		t.Errorf("bless again: error %v, %s", err, out.String())
	}

	partial := gated(1, 1)
	partial.Status = reports.Partial
	for _, test := range []struct {
		name string
		r    reports.Report
		want int
	}{
		{"the same", gated(1, 1), exitDone},
		{"one turned wrong", gated(1, 0), exitRegression},
		{"partial", partial, exitInconclusive},
	} {
		out, _, err := judged(t, test.r, o, nil)
		if code(err) != test.want {
			t.Errorf("%s: %v, want code %d", test.name, err, test.want)
		}
		if test.want == exitRegression && !strings.Contains(out, "geo-spain") {
			t.Errorf("the query that turned wrong is not named: %s", out)
		}
		if strings.Contains(out, "\x1b") {
			t.Errorf("%s: a reply's escape reaches the terminal: %q", test.name, out)
		}
	}

	if err := blessRun(t.Context(), &out, &errw, partial, o); err == nil {
		t.Error("a partial run was blessed")
	}
	if err := os.WriteFile(o.Expected, []byte("version: 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := judged(t, gated(1, 1), o, nil); code(err) != exitUsage {
		t.Errorf("a broken file: %v", err)
	}
	if err := blessRun(t.Context(), &out, &errw, gated(1, 1), o); code(err) != exitUsage {
		t.Errorf("a broken file blessed: %v", err)
	}
}

// The shown change holds names, which must not be commands to a build service.
func TestBlessForgesNoAnnotation(t *testing.T) {
	var out, errw bytes.Buffer
	r := gated(1, 1)
	r.Models[0].Model.Name = "::error::forged"
	o := gateOptions{Expected: filepath.Join(t.TempDir(), "expected.yaml")}
	if err := blessRun(t.Context(), &out, &errw, r, o); err != nil {
		t.Fatal(err)
	}
	r.Models[0].Metrics[0].Mean = 0.5 // the name is now unchanged beside what changes
	if err := blessRun(t.Context(), &out, &errw, r, o); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String() + errw.String()) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			t.Errorf("a forged annotation: %q", line)
		}
	}
	if strings.Count(out.String(), `error::forged`) < 2 {
		t.Errorf("the name is not shown: %s", out.String())
	}
}

func TestJudgeOnGitHub(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "summary.md")
	t.Setenv("GITHUB_ACTIONS", "true")
	t.Setenv("GITHUB_STEP_SUMMARY", file)
	o := gateOptions{Expected: filepath.Join(dir, "expected.yaml"), BlessRight: true}
	var out, errw bytes.Buffer
	if err := blessRun(t.Context(), &out, &errw, gated(1, 1), o); err != nil {
		t.Fatal(err)
	}
	base := gated(1, 1)
	shown, _, err := judged(t, gated(1, 0), o, &base)
	if code(err) != exitRegression {
		t.Fatal(err)
	}
	annotations := 0
	for line := range strings.Lines(shown) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			annotations++
			if !strings.HasPrefix(line, "::error title=regression%3A student ") {
				t.Errorf("a forged annotation: %s", line)
			}
		}
	}
	if annotations != 2 { // em, and the query that turned wrong
		t.Errorf("%d annotations: %s", annotations, shown)
	}
	summary, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(summary), "### Gate: regression") || !strings.Contains(string(summary), "geo-spain") {
		t.Errorf("summary %q, error %v", summary, err)
	}
	// The judgement holds where the summary cannot be written.
	t.Setenv("GITHUB_STEP_SUMMARY", dir)
	if _, messages, err := judged(t, gated(1, 0), o, nil); code(err) != exitRegression || !strings.Contains(messages, "write the step's summary") {
		t.Errorf("%v, said %q", err, messages)
	}
	t.Setenv("GITHUB_ACTIONS", "")
	if shown, _, _ := judged(t, gated(1, 0), o, nil); strings.Contains(shown, "\n::error") {
		t.Error("annotations away from GitHub")
	}
}
