package files

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports/xlsx"
)

// nothingImported is the next step after a workbook was refused.
const nothingImported = "nothing was imported: correct that and import the workbook again"

// ReviewStore is what an import needs of a run's record.
type ReviewStore interface {
	Record() eval.RunRecord
	Reply(ctx context.Context, id eval.JobID) (eval.ScoredReply, bool, error)
	Replies(ctx context.Context) iter.Seq2[eval.ScoredReply, error]
	PutReview(context.Context, eval.Review) error
	Flush(context.Context) error
	Close() error
}

// ReviewImport brings people's verdicts from a workbook into its run.
type ReviewImport struct {
	Workbook string                                                     // path
	Run      string                                                     // the run's folder; empty: the workbook's
	Open     func(ctx context.Context, dir string) (ReviewStore, error) // the run's record
	Now      func() time.Time
}

// Store reads the workbook, checks that all of it belongs to the run and
// stores every verdict. A workbook that is wrong anywhere changes nothing.
func (i ReviewImport) Store(ctx context.Context) (stored Imported, err error) {
	f, err := os.Open(i.Workbook)
	if err != nil {
		return Imported{}, i.unread(err)
	}
	defer f.Close()
	dir := i.Run
	if dir == "" {
		dir = filepath.Dir(i.Workbook)
	}
	store, err := i.Open(ctx, dir)
	if err != nil {
		return Imported{}, eval.WithHint(fmt.Errorf("open the run of %s: %w", i.Workbook, err), "name the run's folder: disteval review import "+i.Workbook+" --run DIR")
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	read, err := i.read(ctx, f, store)
	if err != nil {
		return Imported{}, err
	}
	reviews, fault := i.match(store.Record(), read)
	if fault == nil {
		if fault, err = sameReplies(ctx, store, reviews, read); err != nil {
			return Imported{}, fmt.Errorf("read the replies of %s: %w", dir, err)
		}
	}
	if fault != nil {
		return Imported{}, eval.BadInput(fmt.Errorf("import reviews from %s into %s: %w", i.Workbook, dir, fault), nothingImported)
	}
	for _, r := range reviews {
		if err := store.PutReview(ctx, r); err != nil {
			return Imported{}, fmt.Errorf("store the review of %s by %s: %w", r.JobID, r.Reviewer, err)
		}
	}
	if err := store.Flush(ctx); err != nil {
		return Imported{}, fmt.Errorf("store the reviews in %s: %w", dir, err)
	}
	return Imported{dir, reviews}, nil
}

func (i ReviewImport) unread(err error) error {
	return eval.BadInput(fmt.Errorf("read reviews from %s: %w", i.Workbook, err), nothingImported)
}

// read reads the workbook, which must not unpack to more than one of the run.
func (i ReviewImport) read(ctx context.Context, f *os.File, store ReviewStore) (xlsx.Reviews, error) {
	most, err := mostSheets(ctx, store)
	if err != nil {
		return xlsx.Reviews{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return xlsx.Reviews{}, i.unread(err)
	}
	read, err := xlsx.ReadReviews(ctx, f, info.Size(), most)
	switch {
	case ctx.Err() != nil:
		return xlsx.Reviews{}, ctx.Err()
	case err != nil:
		return xlsx.Reviews{}, i.unread(err)
	case len(read.Rows) == 0:
		return xlsx.Reviews{}, i.unread(errors.New("no row has a verdict: choose some in the Review sheet's Verdict column and save the file"))
	}
	return read, nil
}

func mostSheets(ctx context.Context, store ReviewStore) (int64, error) {
	var replies, text int64
	for r, err := range store.Replies(ctx) {
		if err != nil {
			return 0, err
		}
		replies++
		text += int64(len(r.Query.Prompt) + len(r.Query.Keyword) + len(r.Reply.Text))
	}
	return xlsx.MostSheets(replies, text), nil
}

// match turns the rows into reviews of rec's jobs.
func (i ReviewImport) match(rec eval.RunRecord, read xlsx.Reviews) ([]eval.Review, error) {
	switch {
	case read.RunID != xlsx.CellText(rec.ID):
		return nil, fmt.Errorf("the workbook is of run %s, the folder holds run %s: name the right folder with --run", read.RunID, rec.ID)
	case read.PlanHash != xlsx.CellText(rec.PlanHash):
		return nil, fmt.Errorf("the workbook shows a plan with hash %.12s, the run's is %.12s: write the report again and review that", read.PlanHash, rec.PlanHash)
	}
	jobs := jobsByCell(rec.Plan)
	now := i.Now()
	reviews := make([]eval.Review, 0, len(read.Rows))
	for _, row := range read.Rows {
		id, ok := jobs[row.Job]
		if !ok {
			return nil, fmt.Errorf("%s: the run has no reply of model %.60q to query %.60q: take a fresh report.xlsx", row.Cell, row.Job.Model, row.Job.Query)
		}
		reviews = append(reviews, eval.Review{JobID: id, Reviewer: row.Reviewer, Verdict: row.Verdict, Comment: row.Comment, Imported: now})
	}
	return reviews, nil
}

// sameReplies checks that every row shows what the run holds: items may have
// slipped to another row, as in a table of which one column was sorted, and
// who judges a reply by another question judges another reply. fault is the
// workbook's, err the store's.
func sameReplies(ctx context.Context, store ReviewStore, reviews []eval.Review, read xlsx.Reviews) (fault, err error) {
	for k, review := range reviews {
		row := read.Rows[k]
		r, ok, err := store.Reply(ctx, review.JobID)
		if err != nil {
			return nil, err
		}
		if !ok || r.Reply.Failure != nil {
			return fmt.Errorf("%s: the run has no reply of model %.60q to query %.60q: remove the row", row.Cell, review.Model, review.Query), nil
		}
		for _, c := range []struct {
			what  string
			shown xlsx.Digest
			held  string
		}{{"prompt", row.Prompt, r.Query.Prompt}, {"keyword", row.Keyword, r.Query.Keyword}, {"reply", row.Reply, r.Reply.Text}} {
			if xlsx.DigestOf(c.held) != c.shown {
				return fmt.Errorf("%s: the row's %s is not that of model %.60q and query %.60q: restore the row, or take a fresh report.xlsx",
					row.Cell, c.what, review.Model, review.Query), nil
			}
		}
	}
	return nil, nil
}

// jobsByCell maps the jobs as cells show them to the jobs.
func jobsByCell(p eval.Plan) map[xlsx.Job]eval.JobID {
	jobs := make(map[xlsx.Job]eval.JobID, p.Requests())
	for _, m := range p.Models {
		for _, job := range p.Jobs(m) {
			id := job.ID
			jobs[xlsx.Job{Model: xlsx.CellText(id.Model), Query: xlsx.CellText(id.Query), Sample: id.Sample}] = id
		}
	}
	return jobs
}

// Imported says what an import stored.
type Imported struct {
	Dir     string // the run's folder
	Reviews []eval.Review
}

// String counts verdicts and reviewers.
func (i Imported) String() string {
	verdicts := map[string]int{}
	people := map[string]bool{}
	for _, r := range i.Reviews {
		verdicts[r.Verdict]++
		people[r.Reviewer] = true
	}
	return fmt.Sprintf("stored %d verdicts in %s: %d right, %d wrong, %d unsure; reviewers: %d", len(i.Reviews), i.Dir,
		verdicts["right"], verdicts["wrong"], verdicts["unsure"], len(people))
}
