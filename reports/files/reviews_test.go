package files

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/xlsx"
)

// storedReviews is a run's record that keeps reviews in memory.
type storedReviews struct {
	record  eval.RunRecord
	queued  []eval.Review
	flushed int
	closed  bool
}

func (s *storedReviews) Record() eval.RunRecord { return s.record }
func (s *storedReviews) Reply(_ context.Context, id eval.JobID) (eval.ScoredReply, bool, error) {
	return eval.ScoredReply{Reply: eval.Reply{JobID: id, Text: "a\n reply"}}, id.Query != "failed", nil
}
func (s *storedReviews) PutReview(_ context.Context, r eval.Review) error {
	s.queued = append(s.queued, r)
	return nil
}
func (s *storedReviews) Flush(context.Context) error { s.flushed = len(s.queued); return nil }
func (s *storedReviews) Close() error                { s.closed = true; return nil }

// reviewedRun is a run of one model and three queries, one with a hostile name and one
// without an answer.
func reviewedRun() eval.RunRecord {
	var p eval.Plan
	p.Models = []eval.Model{{Name: "small"}}
	p.Queries.Queries = []queries.Query{{ID: "q1"}, {ID: "=q\x00"}, {ID: "failed"}}
	return eval.RunRecord{ID: "run-1", PlanHash: strings.Repeat("ab", 32), Plan: p}
}

// workbookOf writes rec's report and changes cells of its Review sheet.
func workbookOf(t *testing.T, rec eval.RunRecord, cells map[string]string) string {
	t.Helper()
	r := reports.Report{RunID: rec.ID, PlanHash: rec.PlanHash, Plan: rec.Plan,
		Replies: func(context.Context) iter.Seq2[eval.ScoredReply, error] {
			return func(yield func(eval.ScoredReply, error) bool) {
				for _, q := range rec.Plan.Queries.Queries {
					id := eval.JobID{Model: "small", Query: q.ID}
					if !yield(eval.ScoredReply{Query: q, Reply: eval.Reply{JobID: id, Text: "a\n reply"}}, nil) {
						return
					}
				}
			}
		}}
	var b bytes.Buffer
	if err := xlsx.Write(t.Context(), &b, r); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for at, v := range cells {
		if err := f.SetCellStr("Review", at, v); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "report.xlsx")
	if err := f.SaveAs(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReviewImport(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	path := workbookOf(t, reviewedRun(), map[string]string{"B3": "ann", "I5": "right", "I6": "WRONG ", "J6": "not so", "H6": "bob"})
	store := &storedReviews{record: reviewedRun()}
	var opened string
	imp := ReviewImport{Workbook: path, Now: func() time.Time { return now },
		Open: func(_ context.Context, dir string) (ReviewStore, error) { opened = dir; return store, nil }}
	stored, err := imp.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []eval.Review{
		{JobID: eval.JobID{Model: "small", Query: "q1"}, Reviewer: "ann", Verdict: "right", Imported: now},
		{JobID: eval.JobID{Model: "small", Query: "=q\x00"}, Reviewer: "bob", Verdict: "wrong", Comment: "not so", Imported: now},
	}
	if diff := cmp.Diff(want, store.queued); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if store.flushed != 2 || !store.closed {
		t.Errorf("flushed %d of 2, closed %v", store.flushed, store.closed)
	}
	if opened != filepath.Dir(path) {
		t.Errorf("opened %s, want the workbook's folder", opened)
	}
	if got := stored.String(); !strings.Contains(got, "2 verdicts") || !strings.Contains(got, "1 right, 1 wrong, 0 unsure") {
		t.Errorf("told %q", got)
	}
	imp.Run = "elsewhere"
	if _, err := imp.Store(t.Context()); err != nil || opened != "elsewhere" {
		t.Errorf("--run elsewhere opened %s, error %v", opened, err)
	}
}

func TestReviewImportRefuses(t *testing.T) {
	otherRun, otherPlan := reviewedRun(), reviewedRun()
	otherRun.ID, otherPlan.PlanHash = "run-2", strings.Repeat("cd", 32)
	for _, tc := range []struct {
		name  string
		cells map[string]string
		in    eval.RunRecord
		want  string
	}{
		{"another run", map[string]string{"I5": "right", "H5": "ann"}, otherRun, "run run-1, the folder holds run run-2"},
		{"another plan", map[string]string{"I5": "right", "H5": "ann"}, otherPlan, "hash abababababab"},
		{"unknown query", map[string]string{"I5": "right", "H5": "ann", "B5": "q9"}, reviewedRun(), `Review!I5: the run has no reply of model "small" to query "q9"`},
		{"another reply", map[string]string{"I5": "right", "H5": "ann", "E5": "another"}, reviewedRun(), `Review!I5: the reply in the row is not what model "small" replied to query "q1"`},
		{"a failure", map[string]string{"I7": "right", "H7": "ann"}, reviewedRun(), `Review!I7: the run has no reply of model "small" to query "failed"`},
		{"no verdict", nil, reviewedRun(), "no row has a verdict"},
		{"bad verdict after a good one", map[string]string{"B3": "ann", "I5": "right", "I6": "yes"}, reviewedRun(), "Review!I6"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			store := &storedReviews{record: tc.in}
			_, err := ReviewImport{Workbook: workbookOf(t, reviewedRun(), tc.cells), Now: time.Now,
				Open: func(context.Context, string) (ReviewStore, error) { return store, nil }}.Store(t.Context())
			var usage interface{ BadInput() }
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want an input error with %q", err, tc.want)
			}
			if len(store.queued) > 0 {
				t.Errorf("stored %d reviews of a refused workbook", len(store.queued))
			}
		})
	}
	_, err := ReviewImport{Workbook: filepath.Join(t.TempDir(), "none.xlsx")}.Store(t.Context())
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing workbook gave %v", err)
	}
}
