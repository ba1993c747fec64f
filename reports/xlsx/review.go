package xlsx

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

// The sheets that people judge in, and what tells whose replies they judged.
const (
	reviewName = "Review"
	keyName    = "Key"
)

// Labels above the Review sheet's head, and heads of its columns and of the
// key's. An import finds the cells by them.
const (
	labelRun      = "Run"
	labelPlan     = "Plan hash"
	labelReviewer = "Reviewer"

	headItem     = "Item"
	headPrompt   = "Prompt"
	headKeyword  = "Keyword"
	headReply    = "Reply"
	headReviewer = "Reviewer"
	headVerdict  = "Verdict"
	headComment  = "Comment"

	headModel  = "Model"
	headQuery  = "Query"
	headSample = "Sample"
)

// Verdicts are the words that a reviewer can choose from.
var Verdicts = []string{"right", "wrong", "unsure"}

const howTo = "Write your name here, or in a row's own Reviewer cell. Choose a verdict for each reply you judge; then run: disteval review import report.xlsx"

// mostReviewed is how many answers the Review sheet offers. Of more it offers a
// sample: nobody judges so many, and a sample drawn at random tells as much.
const mostReviewed = 10_000

// item is an answer that people are offered.
type item struct {
	job   eval.JobID
	query queries.Query
	text  string
}

func itemOf(sr eval.ScoredReply) item { return item{sr.Reply.JobID, sr.Query, sr.Reply.Text} }

// offer gathers the answers that people are offered.
type offer struct {
	most    int
	answers int    // so far
	all     []item // nil where they are more
}

func (o *offer) add(sr eval.ScoredReply) {
	if sr.Reply.Failure != nil {
		return
	}
	if o.answers++; o.answers > o.most {
		o.all = nil
		return
	}
	o.all = append(o.all, itemOf(sr))
}

// draw returns the answers in an order that tells nothing, and a sample of them
// where there are too many. For the sample it goes over all once more: how many
// there are is known only now.
func (o *offer) draw(ctx context.Context, r reports.Report) ([]item, error) {
	items, place := make([]item, min(o.answers, o.most)), shuffled(r.RunID, o.answers)
	if o.answers <= o.most {
		for at, it := range o.all {
			items[place[at]] = it
		}
		return items, nil
	}
	at := 0
	err := each(ctx, r, func(sr eval.ScoredReply) error {
		if sr.Reply.Failure != nil {
			return nil
		}
		if i := place[at]; i < len(items) {
			items[i] = itemOf(sr)
		}
		at++
		return nil
	})
	return items, err
}

// reviews writes items without their models or scores, and the key to them in a
// hidden sheet.
func (b *workbook) reviews(r reports.Report, items []item, answers int) error {
	sheets := b.reviewSheets(r, len(items), answers)
	for i, it := range items {
		if err := sheets.item(i+1, it); err != nil {
			return err
		}
	}
	return errors.Join(sheets.close(), b.key(items))
}

// key writes whose reply each item is, and hides it.
func (b *workbook) key(items []item) error {
	key := &series{book: b, name: keyName, cols: []column{
		{head: headItem, kind: count, width: 10}, {head: headModel, kind: text, width: 24},
		{head: headQuery, kind: text, width: 24}, {head: headSample, kind: count, width: 10}}}
	for i, it := range items {
		s, err := key.next()
		if err != nil {
			return err
		}
		if err := s.put(key.cols, i+1, it.job.Model, it.job.Query, it.job.Sample); err != nil {
			return err
		}
	}
	if err := key.close(); err != nil {
		return err
	}
	for _, s := range key.parts {
		if err := b.file.SetSheetVisible(s.name, false); err != nil {
			return err
		}
	}
	return nil
}

// shuffled gives each of n answers its place. A run's order is always the
// same, so that writing a report again changes nothing.
func shuffled(run string, n int) []int {
	h := fnv.New64a()
	h.Write([]byte(run))
	return rand.New(rand.NewPCG(h.Sum64(), 0)).Perm(n)
}

func (b *workbook) reviewSheets(r reports.Report, offered, answers int) *series {
	how := howTo
	if offered < answers {
		how += fmt.Sprintf(". These are %d of the run's %d answers, drawn at random", offered, answers)
	}
	return &series{book: b, name: reviewName, above: 3, keep: 1,
		cols: []column{
			{head: headItem, kind: count, width: narrowest},
			{head: headPrompt, kind: wrapped, width: 45}, {head: headKeyword, kind: wrapped, width: 18},
			{head: headReply, kind: wrapped, width: 60},
			{head: headReviewer, kind: entry, width: 14}, {head: headVerdict, kind: entry, width: 12},
			{head: headComment, kind: entry, width: 40},
		},
		top: func(s *sheet) error {
			row := []column{{kind: line}, {kind: line}, {kind: line}}
			if err := s.put(row, labelRun, r.RunID); err != nil {
				return err
			}
			if err := s.put(row, labelPlan, r.PlanHash); err != nil {
				return err
			}
			row[1].kind = entry
			return s.put(row, labelReviewer, nil, how)
		},
		done: dropDown,
	}
}

// item writes an answer to be judged.
func (t *series) item(n int, it item) error {
	s, err := t.next()
	if err != nil {
		return err
	}
	s.fill(t.cols, []any{n, it.query.Prompt, it.query.Keyword, it.text, nil, nil, nil})
	const lineHeight = 15 // points; not every program fits the rows of a file that it opens
	return s.end(min(float64(max(1, s.lines)*lineHeight), excelize.MaxRowHeight))
}

// linesOf is about how many lines of the given width a text takes.
func linesOf(s string, width int) int {
	n := 0
	for l := range strings.SplitSeq(s, "\n") {
		n += 1 + utf8.RuneCountInString(l)/width
	}
	return n
}

// dropDown offers the verdicts in every row under the head.
func dropDown(s *sheet, head int) error {
	const col = 6 // Verdict
	v := excelize.NewDataValidation(true)
	v.SetSqref(cell(col, head+1) + ":" + cell(col, max(s.row, head+1)))
	v.SetError(excelize.DataValidationErrorStyleStop, "No such verdict", "Choose "+strings.Join(Verdicts, ", ")+".")
	if err := v.SetDropList(Verdicts); err != nil {
		return err
	}
	return s.book.file.AddDataValidation(s.name, v)
}
