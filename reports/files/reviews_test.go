package files

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	return eval.ScoredReply{Query: reviewedQuery(id.Query), Reply: eval.Reply{JobID: id, Text: "a\n reply"}}, id.Query != "failed", nil
}
func (s *storedReviews) Replies(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		for _, q := range s.record.Plan.Queries.Queries {
			r, _, err := s.Reply(ctx, eval.JobID{Model: "small", Query: q.ID})
			if !yield(r, err) {
				return
			}
		}
	}
}
func (s *storedReviews) PutReview(_ context.Context, r eval.Review) error {
	s.queued = append(s.queued, r)
	return nil
}
func (s *storedReviews) Flush(context.Context) error { s.flushed = len(s.queued); return nil }
func (s *storedReviews) Close() error                { s.closed = true; return nil }

func reviewedQuery(id string) queries.Query {
	return queries.Query{ID: id, Prompt: "The capital of France is", Keyword: "Paris"}
}

// reviewedRun is a run of one model and three queries, one with a hostile name and one
// without an answer.
func reviewedRun() eval.RunRecord {
	var p eval.Plan
	p.Models = []eval.Model{{Name: "small"}}
	p.Queries.Queries = []queries.Query{reviewedQuery("q1"), reviewedQuery("=q\x00"), reviewedQuery("failed")}
	return eval.RunRecord{ID: "run-1", PlanHash: strings.Repeat("ab", 32), Plan: p}
}

// at is the row of the Review sheet that shows the reply to a query.
func at(t *testing.T, f *excelize.File, query string) string {
	t.Helper()
	rows, err := f.GetRows("Key")
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		if row[2] == xlsx.CellText(query) {
			return strconv.Itoa(4 + i)
		}
	}
	t.Fatalf("the key does not know the query %q", query)
	return ""
}

// workbookOf writes rec's report and changes cells of its Review sheet, which
// are named by column and query, as in "F q1", or as in "B3".
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
	for cell, v := range cells {
		if column, query, ok := strings.Cut(cell, " "); ok {
			cell = column + at(t, f, query)
		}
		if err := f.SetCellStr("Review", cell, v); err != nil {
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
	path := workbookOf(t, reviewedRun(), map[string]string{"B3": "ann", "F q1": "right", "F =q\x00": "WRONG ", "G =q\x00": "not so", "E =q\x00": "bob"})
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
	slices.SortFunc(store.queued, func(a, b eval.Review) int { return strings.Compare(a.Reviewer, b.Reviewer) })
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
	otherRun, otherPlan, otherQuery := reviewedRun(), reviewedRun(), reviewedRun()
	otherQuery.Plan.Queries.Queries[0].ID = "q9"
	otherRun.ID, otherPlan.PlanHash = "run-2", strings.Repeat("cd", 32)
	for _, tc := range []struct {
		name  string
		cells map[string]string
		in    eval.RunRecord
		want  string
	}{
		{"another run", map[string]string{"F q1": "right", "E q1": "ann"}, otherRun, "run run-1, the folder holds run run-2"},
		{"another plan", map[string]string{"F q1": "right", "E q1": "ann"}, otherPlan, "hash abababababab"},
		{"unknown item", map[string]string{"F q1": "right", "E q1": "ann", "A q1": "9"}, reviewedRun(), `the sheet Key has no item "9"`},
		{"another query", map[string]string{"F q1": "right", "E q1": "ann"}, otherQuery, `the run has no reply of model "small" to query "q1"`},
		{"another reply", map[string]string{"F q1": "right", "E q1": "ann", "D q1": "another"}, reviewedRun(), `the row's reply is not that of model "small" and query "q1"`},
		{"another prompt", map[string]string{"F q1": "right", "E q1": "ann", "B q1": "The capital of Spain is"}, reviewedRun(), `the row's prompt is not that of`},
		{"another keyword", map[string]string{"F q1": "right", "E q1": "ann", "C q1": "Madrid"}, reviewedRun(), `the row's keyword is not that of`},
		{"a failure", map[string]string{"F failed": "right", "E failed": "ann"}, reviewedRun(), `the run has no reply of model "small" to query "failed"`},
		{"no verdict", nil, reviewedRun(), "no row has a verdict"},
		{"bad verdict after a good one", map[string]string{"B3": "ann", "F q1": "right", "F failed": "yes"}, reviewedRun(), `"yes" is no verdict`},
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
