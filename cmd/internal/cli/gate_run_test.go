package cli

import (
	"bytes"
	"context"
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

func TestGateReport(t *testing.T) {
	dir := t.TempDir()
	o := gateOptions{Expected: filepath.Join(dir, "expected.yaml")}
	ctx := context.Background()

	var out, errw bytes.Buffer
	code, _, err := gateReport(ctx, &out, &errw, gated(1, 1), o)
	if code != exitUsage || err == nil || !strings.Contains(hintOf(err), "--bless") {
		t.Fatalf("without a file: code %d, error %v", code, err)
	}

	bless := o
	bless.Bless, bless.BlessRight = true, true
	if code, _, err = gateReport(ctx, &out, &errw, gated(1, 1), bless); code != exitDone || err != nil {
		t.Fatalf("bless: code %d, error %v", code, err)
	}
	if !strings.Contains(out.String(), "+      em: {expected: 1, tolerance: 0.02}") {
		t.Errorf("bless shows no change: %s", out.String())
	}
	out.Reset()
	if code, _, err = gateReport(ctx, &out, &errw, gated(1, 1), bless); code != exitDone || err != nil || !strings.Contains(out.String(), "nothing to write") {
		t.Errorf("bless again: code %d, error %v, %s", code, err, out.String())
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
		out.Reset()
		code, verdict, err := gateReport(ctx, &out, &errw, test.r, o)
		if err != nil || code != test.want || verdict == nil {
			t.Errorf("%s: code %d, want %d, error %v", test.name, code, test.want, err)
		}
		if code == exitRegression && !strings.Contains(out.String(), "geo-spain") {
			t.Errorf("the query that turned wrong is not named: %s", out.String())
		}
		if strings.Contains(out.String(), "\x1b") {
			t.Errorf("%s: a reply's escape reaches the terminal: %q", test.name, out.String())
		}
	}

	if code, _, err = gateReport(ctx, &out, &errw, partial, bless); code == exitDone || err == nil {
		t.Errorf("a partial run was blessed: code %d, error %v", code, err)
	}
	if err := os.WriteFile(o.Expected, []byte("version: 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, o := range []gateOptions{o, bless} {
		if code, _, err = gateReport(ctx, &out, &errw, gated(1, 1), o); code != exitUsage || err == nil || codeOf(err) != exitUsage {
			t.Errorf("a broken file: code %d, error %v", code, err)
		}
	}
}

// The shown change holds names, which must not be commands to a build service.
func TestBlessForgesNoAnnotation(t *testing.T) {
	var out, errw bytes.Buffer
	r := gated(1, 1)
	r.Models[0].Model.Name = "::error::forged"
	o := gateOptions{Expected: filepath.Join(t.TempDir(), "expected.yaml"), Bless: true}
	if code, _, err := gateReport(t.Context(), &out, &errw, r, o); code != exitDone || err != nil {
		t.Fatalf("code %d, error %v", code, err)
	}
	r.Models[0].Metrics[0].Mean = 0.5 // the name is now unchanged beside what changes
	if code, _, err := gateReport(t.Context(), &out, &errw, r, o); code != exitDone || err != nil {
		t.Fatalf("code %d, error %v", code, err)
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

func TestGateOnGitHub(t *testing.T) {
	dir := t.TempDir()
	env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary.md")}
	o := gateOptions{Expected: filepath.Join(dir, "expected.yaml")}
	bless := o
	bless.Bless, bless.BlessRight = true, true
	var out, errw bytes.Buffer
	ctx := context.Background()
	if _, _, err := gateReport(ctx, &out, &errw, gated(1, 1), bless); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	base := gated(1, 1)
	o.Paired = &base
	if code, _, err := gateReport(ctx, &out, &errw, gated(1, 0), o.onGitHub(func(k string) string { return env[k] })); code != exitRegression || err != nil {
		t.Fatalf("code %d, error %v", code, err)
	}
	annotations := 0
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			annotations++
			if !strings.HasPrefix(line, "::error title=regression%3A student ") {
				t.Errorf("a forged annotation: %s", line)
			}
		}
	}
	if annotations != 2 { // em, and the query that turned wrong
		t.Errorf("%d annotations: %s", annotations, out.String())
	}
	summary, err := os.ReadFile(env["GITHUB_STEP_SUMMARY"])
	if err != nil || !strings.Contains(string(summary), "### Gate: regression") || !strings.Contains(string(summary), "geo-spain") {
		t.Errorf("summary %q, error %v", summary, err)
	}
	// The verdict stands where the summary cannot be written.
	env = map[string]string{"GITHUB_ACTIONS": "1", "GITHUB_STEP_SUMMARY": dir}
	errw.Reset()
	code, v, err := gateReport(ctx, &out, &errw, gated(1, 0), o.onGitHub(func(k string) string { return env[k] }))
	if code != exitRegression || v == nil || err != nil || !strings.Contains(errw.String(), "write the step's summary") {
		t.Errorf("code %d, error %v, said %q", code, err, errw.String())
	}
	if o := o.onGitHub(func(string) string { return "" }); o.GitHub {
		t.Error("annotations away from GitHub")
	}
}
