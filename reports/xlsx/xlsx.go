// Package xlsx writes a Report as a workbook and reads people's verdicts back
// out of it.
//
// Policy: numbers are numbers, with the unit in the column's head and the
// rounding in the number format; a number that does not exist is an empty
// cell, never 0. Text is written as text: no cell holds a formula, and cells
// with text carry the quote prefix, so that typing one again does not turn it
// into a formula. What cannot stand in a cell is replaced visibly. Who reviews
// sees neither model nor score. The sheets with a row per reply are streamed,
// so that memory does not grow with their number.
package xlsx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/disteval/disteval/reports"
)

// workbook is a file that is being written.
type workbook struct {
	file   *excelize.File
	styles [nKinds]int
	alarm  int // style of a conditional format
	limits
	sheets []*sheet
}

// limits bound what a workbook holds.
type limits struct {
	maxRows      int // of a sheet
	mostReviewed int // answers in Review
}

// Write writes r to w: the sheets Summary, Comparisons, Likelihood, Replies,
// Categories, Energy, Provenance and Review, and the hidden Key to Review's items. Where a
// sheet is full, Replies goes on in "Replies 2" and so on, Review and Key
// likewise. Of more than 10,000 answers Review offers so many.
func Write(ctx context.Context, w io.Writer, r reports.Report) error {
	if err := write(ctx, w, r, limits{excelize.TotalRows, mostReviewed}); err != nil {
		return fmt.Errorf("write the workbook of run %s: %w", r.RunID, err)
	}
	return nil
}

func write(ctx context.Context, w io.Writer, r reports.Report, l limits) (err error) {
	b := &workbook{file: excelize.NewFile(), limits: l}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.addStyles(); err != nil {
		return err
	}
	if err := b.describe(r); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return b.summary(r) },
		func() error { return b.comparisons(r) },
		func() error { return b.likelihood(r) },
		func() error { return b.categories(r) },
		func() error { return b.energy(r) },
		func() error { return b.provenance(r) },
		func() error { return b.replies(ctx, r) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if err := b.finish(); err != nil {
		return err
	}
	return b.save(w)
}

// finish puts the sheets in order and ends them. Filters come last, since the
// file names them by the place of their sheet.
func (b *workbook) finish() error {
	for _, s := range b.sheets {
		if strings.HasPrefix(s.name, repliesName) {
			if err := b.file.MoveSheet(s.name, "Categories"); err != nil {
				return err
			}
		}
	}
	for _, s := range b.sheets {
		if err := errors.Join(b.file.AutoFilter(s.name, s.filter, nil), s.repeatHead()); err != nil {
			return err
		}
		if err := s.out.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// close removes what the workbook has on disk.
func (b *workbook) close() error {
	err := b.file.Close()
	for _, s := range b.sheets {
		err = errors.Join(err, s.body.Close())
	}
	return err
}

// save writes the file to w. The library would first hold a copy of the whole of
// it in memory.
func (b *workbook) save(w io.Writer) error {
	a := newArchive(w, b.sheets)
	b.file.SetZipWriter(func(io.Writer) excelize.ZipWriter { return a })
	return errors.Join(b.file.Write(w), a.result())
}

// describe fills the file's properties.
func (b *workbook) describe(r reports.Report) error {
	at := r.Created.UTC().Format(time.RFC3339)
	return b.file.SetDocProps(&excelize.DocProperties{
		Title:   CellText("disteval run " + r.RunID),
		Creator: "disteval", LastModifiedBy: "disteval", Created: at, Modified: at,
	})
}
