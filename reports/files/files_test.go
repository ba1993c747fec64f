package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

// storedRun is a run of one model on two queries.
type storedRun struct {
	dir     string
	text    string // of the second reply
	em      float64
	planned string // its hash
	by      eval.Scoring
}

func (r storedRun) Record() eval.RunRecord {
	var p eval.Plan
	p.Models = []eval.Model{{Name: "student", Role: eval.RoleReference}}
	p.Queries.Queries = []queries.Query{{ID: "q1", Keyword: "Paris"}, {ID: "q2", Keyword: "Rome"}}
	return eval.RunRecord{ID: "run-1", Dir: r.dir, Plan: p, PlanHash: r.planned, Scoring: &eval.ScoringRecord{Scoring: r.by}}
}

func (r storedRun) Replies(context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		for i, q := range r.Record().Plan.Queries.Queries {
			s := eval.ScoredReply{Query: q, Reply: eval.Reply{JobID: eval.JobID{Model: "student", Query: q.ID}, Text: " Paris"},
				Scores: []metrics.Score{{Metric: metrics.EM, Value: 1, Status: metrics.Scored}}}
			if i == 1 {
				s.Reply.Text, s.Scores[0].Value = r.text, r.em
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

func (storedRun) Reviews(context.Context) ([]eval.Review, error) { return nil, nil }

func built(t *testing.T, run eval.Run) reports.Report {
	t.Helper()
	r, err := Build(t.Context(), run, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// TestJudgementIsKept: it belongs to the outcomes that were judged, and to no
// others.
func TestJudgementIsKept(t *testing.T) {
	run := storedRun{dir: t.TempDir(), text: " Rome\u202e", em: 1, planned: "aa", by: eval.Scoring{Embedding: "builtin"}}
	r := built(t, run)
	if r.Judgement != nil {
		t.Fatal("a run that nobody judged has a judgement")
	}
	r.Judgement = &reports.Judgement{RunID: r.RunID, Checks: []reports.Check{
		{Model: "student", Measure: "em", Expected: "1 ± 0", Got: "1", Outcome: reports.Pass}},
		Paired: []reports.Paired{{Model: "student", NewlyWrong: []reports.Change{{Query: "q2", Reply: " Rome\u202e"}}}}}
	if _, err := Write(t.Context(), r, Judged(), run.dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"judgement.json", "junit.xml", "report.html", "summary.json", "summary.md"}, names(t, run.dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	data, err := os.ReadFile(filepath.Join(run.dir, judgementFile))
	if err != nil || strings.ContainsFunc(string(data), func(c rune) bool { return c != '\n' && reports.Hidden(c) }) {
		t.Errorf("error %v, or something invisible in %q", err, data)
	}
	if diff := cmp.Diff(r.Judgement, built(t, run).Judgement); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	for what, change := range map[string]func(*storedRun){
		"reply":   func(r *storedRun) { r.text = " Rome, I think" },
		"score":   func(r *storedRun) { r.em = 0 },
		"plan":    func(r *storedRun) { r.planned = "bb" },
		"scoring": func(r *storedRun) { r.by.IncludePrompt = true },
	} {
		other := run
		change(&other)
		if r := built(t, other); r.Judgement != nil || len(r.Warnings) != len(built(t, run).Warnings) {
			t.Errorf("another %s was judged: %+v", what, r.Judgement)
		}
	}
	if err := os.WriteFile(filepath.Join(run.dir, judgementFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := built(t, run); r.Judgement != nil || !strings.Contains(fmt.Sprint(r.Warnings), "disteval gate") {
		t.Errorf("a damaged file gave %+v and %q", r.Judgement, r.Warnings)
	}
}

func TestWrite(t *testing.T) {
	run := storedRun{dir: t.TempDir(), text: " no", planned: "aa"}
	formats, err := Named([]string{"junit", "csv", "junit"})
	if err != nil {
		t.Fatal(err)
	}
	written, err := Write(t.Context(), built(t, run), formats, run.dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(run.dir, "junit-replies.xml"), filepath.Join(run.dir, "replies.csv")}
	if diff := cmp.Diff(want, written); diff != "" {
		t.Errorf("said to be written (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"junit-replies.xml", "replies.csv"}, names(t, run.dir)); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	for _, name := range []string{"pdf", "judgement", ""} {
		if _, err := Named([]string{name}); err == nil {
			t.Errorf("there is a format %q", name)
		}
	}
}

func TestAtomic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "file")
	broken := errors.New("broken")
	put := func(s string, err error) error {
		return Atomic(path, func(w io.Writer) error {
			_, writing := io.WriteString(w, s)
			return errors.Join(writing, err)
		})
	}
	if err := put("first", nil); err != nil {
		t.Fatal(err)
	}
	if err := put("half of the sec", broken); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "first" {
		t.Errorf("the file holds %q, error %v", data, err)
	}
	if left := names(t, filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}
