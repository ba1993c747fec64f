package xlsx

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// Bounds on a workbook that comes back, beside what its run allows.
const (
	maxParts         = 8 << 20   // bytes of all parts but sheets and shared texts, unpacked in memory
	unpackedInMemory = 1 << 20   // bytes of a sheet or of the shared texts; a larger one is unpacked to disk
	maxText          = 256 << 20 // bytes of names, verdicts and comments
	headWithin       = 50        // rows among which the table's head is looked for
	maxFaults        = 20        // that are listed
)

// Reviews is what people wrote into a workbook's Review sheets.
type Reviews struct {
	RunID    string // of the run whose replies the workbook shows, as CellText
	PlanHash string
	Rows     []ReviewRow // those with a verdict, in the sheets' order
}

// ReviewRow is one person's verdict on one reply.
type ReviewRow struct {
	Cell     string // where the verdict stands, such as Review!F7
	Job      Job
	Prompt   Digest // of what stands in the row
	Keyword  Digest
	Reply    Digest
	Reviewer string
	Verdict  string // one of Verdicts
	Comment  string
}

// Job is whose reply to which query an item is, by the key sheet.
type Job struct {
	Model  string // as CellText
	Query  string // as CellText
	Sample int
}

// Digest identifies a text as a cell shows it, but for its blanks: a program
// that saves a workbook again may change those.
type Digest [sha256.Size]byte

// DigestOf is the digest of a text in its row.
func DigestOf(s string) Digest { return digestOf(CellText(s)) }

func digestOf(cell string) Digest {
	return sha256.Sum256([]byte(strings.Join(strings.Fields(surrogate.ReplaceAllString(cell, "")), " ")))
}

// MostSheets is how many bytes the sheets of a workbook unpack to at most, of a
// run of so many replies whose prompts, keywords and replies have so many bytes
// together. It is generous: texts stand in two sheets, a character takes up to
// six bytes of XML, and people write comments.
func MostSheets(replies, text int64) int64 {
	const anyReport, row, perByte = 16 << 20, 8 << 10, 16
	return anyReport + row*replies + perByte*text
}

// ReadReviews reads the reviews out of the workbook r of the given size in
// bytes, whose sheets must not unpack to more than mostSheets. Rows may be
// sorted, filtered or removed, and columns moved: cells are found by the heads,
// and whose reply an item is by the Key sheet. A row without verdict and comment
// is left out. A verdict that is none of Verdicts (in any case), a comment
// without a verdict, a verdict without a reviewer and two verdicts of one person
// on one reply are errors that name the cell.
func ReadReviews(ctx context.Context, r io.ReaderAt, size, mostSheets int64) (out Reviews, err error) {
	if err := checkSizes(r, size, uint64(mostSheets)); err != nil {
		return Reviews{}, err
	}
	f, err := excelize.OpenReader(io.NewSectionReader(r, 0, size),
		excelize.Options{RawCellValue: true, UnzipSizeLimit: mostSheets + maxParts, UnzipXMLSizeLimit: unpackedInMemory})
	if err != nil {
		return Reviews{}, fmt.Errorf("open it as a workbook: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := &reviewReader{ctx: ctx, file: f, jobs: map[string]Job{}, seen: map[by]string{}}
	for _, part := range []struct {
		name string
		read func(string) error
	}{{keyName, in.key}, {reviewName, in.sheet}} {
		found := false
		for _, name := range f.GetSheetList() {
			if name == part.name || strings.HasPrefix(name, part.name+" ") {
				found = true
				if err := part.read(name); err != nil {
					return Reviews{}, fmt.Errorf("sheet %s: %w", name, err)
				}
			}
		}
		if !found {
			return Reviews{}, fmt.Errorf("it has no sheet %s: take a report.xlsx that this version of disteval wrote", part.name)
		}
	}
	switch {
	case in.faults != nil:
		return Reviews{}, in.faulty()
	}
	return in.out, nil
}

// checkSizes looks at what the file says it unpacks to, before anything is.
func checkSizes(r io.ReaderAt, size int64, mostSheets uint64) error {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return fmt.Errorf("open it as a workbook: %w; save it as .xlsx", err)
	}
	var sheets, parts uint64
	for _, f := range z.File {
		if strings.HasPrefix(f.Name, "xl/worksheets/sheet") || f.Name == "xl/sharedStrings.xml" {
			sheets += min(f.UncompressedSize64, mostSheets+1)
		} else {
			parts += min(f.UncompressedSize64, maxParts+1)
		}
		if sheets > mostSheets || parts > maxParts {
			return fmt.Errorf("the file says that it unpacks to more than the report of this run can have, at %q", f.Name)
		}
	}
	return nil
}

// reviewReader gathers reviews from sheet to sheet.
type reviewReader struct {
	ctx    context.Context
	file   *excelize.File
	jobs   map[string]Job // by item, as its cell has it
	out    Reviews
	faults []string
	more   int // faults not listed
	bytes  int
	seen   map[by]string // the cell of a verdict

	reviewer string // whoever the sheet's top names
}

// by is a person who judges a reply.
type by struct {
	job      Job
	reviewer string
}

func (in *reviewReader) fault(format string, args ...any) {
	if len(in.faults) == maxFaults {
		in.more++
		return
	}
	in.faults = append(in.faults, fmt.Sprintf(format, args...))
}

func (in *reviewReader) faulty() error {
	if in.more > 0 {
		in.faults = append(in.faults, fmt.Sprintf("and %d more", in.more))
	}
	return errors.New(strings.Join(in.faults, "\n"))
}

// table reads a sheet: above is given the rows above the one that holds all
// the heads, row each one below it.
func (in *reviewReader) table(name string, heads []string, above func(cells []string), row func(n int, get func(head string) string, where func(head string) string) error) (err error) {
	rows, err := in.file.Rows(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var at map[string]int
	for n := 1; rows.Next(); n++ {
		if err := in.ctx.Err(); err != nil {
			return err
		}
		cells, err := rows.Columns(excelize.Options{RawCellValue: true})
		if err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
		if at == nil {
			if at = headsIn(cells, heads); at == nil {
				above(cells)
			}
			if at == nil && n == headWithin {
				break
			}
			continue
		}
		get := func(head string) string {
			if i := at[head]; i < len(cells) {
				return cells[i]
			}
			return ""
		}
		if err := row(n, get, func(head string) string { return name + "!" + cell(at[head]+1, n) }); err != nil {
			return err
		}
	}
	if at == nil {
		return fmt.Errorf("no row has the heads %s", strings.Join(heads, ", "))
	}
	return nil
}

// key reads one Key sheet.
func (in *reviewReader) key(name string) error {
	heads := []string{headItem, headModel, headQuery, headSample}
	return in.table(name, heads, func([]string) {}, func(n int, get, _ func(string) string) error {
		sample, err := strconv.Atoi(get(headSample))
		if err != nil {
			return fmt.Errorf("row %d: %.40q is not a sample: take a fresh report.xlsx", n, get(headSample))
		}
		item := get(headItem)
		if _, twice := in.jobs[item]; twice {
			return fmt.Errorf("row %d: item %.40q appears twice: take a fresh report.xlsx", n, item)
		}
		in.jobs[item] = Job{get(headModel), get(headQuery), sample}
		return in.count(n, item, get(headModel), get(headQuery))
	})
}

// count bounds the memory that names and comments take.
func (in *reviewReader) count(row int, texts ...string) error {
	for _, s := range texts {
		in.bytes += len(s)
	}
	if in.bytes > maxText {
		return fmt.Errorf("row %d: names and comments up to here exceed %d bytes", row, maxText)
	}
	return nil
}

// sheet reads one Review sheet.
func (in *reviewReader) sheet(name string) error {
	var top labels
	checked := false
	heads := []string{headItem, headPrompt, headKeyword, headReply, headReviewer, headVerdict, headComment}
	err := in.table(name, heads, top.add, func(n int, get, where func(string) string) error {
		if !checked {
			if err := in.belongs(top); err != nil {
				return err
			}
			checked = true
		}
		return in.row(n, get, where)
	})
	if err != nil || checked {
		return err
	}
	return in.belongs(top)
}

// labels are the values beside the labels above the table.
type labels struct{ run, plan, reviewer string }

func (l *labels) add(cells []string) {
	for i, c := range cells[:max(len(cells)-1, 0)] {
		next := strings.TrimSpace(cells[i+1])
		switch strings.TrimSpace(c) {
		case labelRun:
			l.run = next
		case labelPlan:
			l.plan = next
		case labelReviewer:
			l.reviewer = next
		}
	}
}

// belongs checks that a sheet is of the same run as those before.
func (in *reviewReader) belongs(l labels) error {
	switch {
	case l.run == "" || l.plan == "":
		return fmt.Errorf("the cells beside %q and %q above the table are empty: restore them from the report", labelRun, labelPlan)
	case in.out.RunID == "":
		in.out.RunID, in.out.PlanHash = l.run, l.plan
	case in.out.RunID != l.run || in.out.PlanHash != l.plan:
		return fmt.Errorf("it is of run %s, another sheet is of run %s", l.run, in.out.RunID)
	}
	if l.reviewer != "" {
		in.reviewer = l.reviewer
	}
	return nil
}

// headsIn returns where the heads stand; nil where one is missing.
func headsIn(cells, heads []string) map[string]int {
	at := make(map[string]int, len(heads))
	for i, c := range cells {
		for _, h := range heads {
			if strings.EqualFold(strings.TrimSpace(c), h) {
				at[h] = i
			}
		}
	}
	if len(at) < len(heads) {
		return nil
	}
	return at
}

// row takes one row under the head. Only the size of it all is an error.
func (in *reviewReader) row(n int, get, where func(head string) string) error {
	r := ReviewRow{Cell: where(headVerdict),
		Prompt: digestOf(get(headPrompt)), Keyword: digestOf(get(headKeyword)), Reply: digestOf(get(headReply)),
		Reviewer: strings.TrimSpace(get(headReviewer)), Comment: strings.TrimSpace(get(headComment)),
		Verdict: strings.ToLower(strings.TrimSpace(get(headVerdict)))}
	if r.Verdict == "" && r.Comment == "" {
		return nil
	}
	if r.Reviewer == "" {
		r.Reviewer = in.reviewer
	}
	if err := in.count(n, r.Reviewer, r.Verdict, r.Comment); err != nil {
		return err
	}
	item := strings.TrimSpace(get(headItem))
	var known bool
	r.Job, known = in.jobs[item]
	switch {
	case !known:
		in.fault("%s: the sheet %s has no item %.40q: restore the row's first cell", where(headItem), keyName, item)
	case r.Verdict == "":
		in.fault("%s: a comment without a verdict; choose %s", r.Cell, strings.Join(Verdicts, ", "))
	case !slices.Contains(Verdicts, r.Verdict):
		in.fault("%s: %.40q is no verdict; choose %s", r.Cell, r.Verdict, strings.Join(Verdicts, ", "))
	case r.Reviewer == "":
		in.fault("%s: a verdict without a reviewer; name one there or beside %q above the table", where(headReviewer), labelReviewer)
	default:
		in.keep(r)
	}
	return nil
}

// keep keeps a sound row, unless its reviewer has judged the reply before.
func (in *reviewReader) keep(r ReviewRow) {
	key := by{r.Job, r.Reviewer}
	if at, twice := in.seen[key]; twice {
		in.fault("%s: %s has judged this reply at %s already; keep one of the two", r.Cell, r.Reviewer, at)
		return
	}
	in.seen[key] = r.Cell
	in.out.Rows = append(in.out.Rows, r)
}
