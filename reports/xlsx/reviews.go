package xlsx

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"
)

// Bounds on a workbook that comes back; 100,000 replies take a tenth of them.
const (
	maxFile    = 512 << 20 // bytes, as it lies on disk
	maxSheets  = 4 << 30   // bytes of sheets and shared texts, unpacked to disk
	maxParts   = 64 << 20  // bytes of all other parts, unpacked in memory
	maxText    = 256 << 20 // bytes of names, verdicts and comments
	headWithin = 50        // rows among which the table's head is looked for
	maxFaults  = 20        // that are listed
)

// Reviews is what people wrote into a workbook's Review sheets.
type Reviews struct {
	RunID    string // of the run whose replies the workbook shows, as CellText
	PlanHash string
	Rows     []ReviewRow // those with a verdict, in the sheets' order
}

// ReviewRow is one person's verdict on one reply.
type ReviewRow struct {
	Cell     string // where the verdict stands, such as Review!I7
	Model    string // as CellText
	Query    string // as CellText
	Reply    Digest // of the reply that stands in the row
	Reviewer string
	Verdict  string // one of Verdicts
	Comment  string
}

// Digest identifies a reply as a cell shows it, but for its blanks: a program
// that saves a workbook again may change those.
type Digest [sha256.Size]byte

// DigestOf is the digest of a reply in its row.
func DigestOf(reply string) Digest { return digestOf(CellText(reply)) }

func digestOf(cell string) Digest {
	return sha256.Sum256([]byte(strings.Join(strings.Fields(cell), " ")))
}

// ReadReviews reads the reviews out of the workbook r of the given size in
// bytes. Rows may be sorted, filtered or removed, and columns moved: cells are
// found by the heads. A row without verdict and comment is left out. A verdict
// that is none of Verdicts (in any case), a comment without a verdict, a
// verdict without a reviewer and two verdicts of one person on one reply are
// errors that name the cell.
func ReadReviews(ctx context.Context, r io.ReaderAt, size int64) (out Reviews, err error) {
	if err := checkSizes(r, size); err != nil {
		return Reviews{}, err
	}
	f, err := excelize.OpenReader(io.NewSectionReader(r, 0, size),
		excelize.Options{RawCellValue: true, UnzipSizeLimit: maxSheets + maxParts})
	if err != nil {
		return Reviews{}, fmt.Errorf("open it as a workbook: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := &reviewReader{ctx: ctx, file: f, seen: map[ReviewRow]string{}}
	for _, name := range f.GetSheetList() {
		if name == reviewName || strings.HasPrefix(name, reviewName+" ") {
			if err := in.sheet(name); err != nil {
				return Reviews{}, fmt.Errorf("sheet %s: %w", name, err)
			}
		}
	}
	switch {
	case !in.found:
		return Reviews{}, fmt.Errorf("it has no sheet %s: take a report.xlsx that disteval wrote", reviewName)
	case in.faults != nil:
		return Reviews{}, in.faulty()
	}
	return in.out, nil
}

// checkSizes looks at what the file says it unpacks to, before anything is.
func checkSizes(r io.ReaderAt, size int64) error {
	if size > maxFile {
		return fmt.Errorf("the file has %d bytes, more than the %d of any report", size, maxFile)
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return fmt.Errorf("open it as a workbook: %w; save it as .xlsx", err)
	}
	var sheets, parts uint64
	for _, f := range z.File {
		if strings.HasPrefix(f.Name, "xl/worksheets/sheet") || f.Name == "xl/sharedStrings.xml" {
			sheets += min(f.UncompressedSize64, maxSheets+1)
		} else {
			parts += min(f.UncompressedSize64, maxParts+1)
		}
		if sheets > maxSheets || parts > maxParts {
			return fmt.Errorf("the file says that it unpacks to more than any report does, at %q", f.Name)
		}
	}
	return nil
}

// reviewReader gathers reviews from sheet to sheet.
type reviewReader struct {
	ctx    context.Context
	file   *excelize.File
	out    Reviews
	found  bool
	faults []string
	more   int // faults not listed
	bytes  int
	seen   map[ReviewRow]string // model, query and reviewer to the cell

	reviewer string // whoever the sheet's top names
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

// sheet reads one Review sheet.
func (in *reviewReader) sheet(name string) (err error) {
	rows, err := in.file.Rows(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	in.found = true
	var top labels
	var heads map[string]int
	for n := 1; rows.Next(); n++ {
		if err := in.ctx.Err(); err != nil {
			return err
		}
		cells, err := rows.Columns(excelize.Options{RawCellValue: true})
		if err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
		if heads != nil {
			if err := in.row(name, n, heads, cells); err != nil {
				return err
			}
			continue
		}
		if heads = headsIn(cells); heads == nil {
			top.add(cells)
		} else if err := in.belongs(top); err != nil {
			return err
		}
		if n == headWithin && heads == nil {
			break
		}
	}
	if heads == nil {
		return fmt.Errorf("no row has the heads %s", strings.Join(needed, ", "))
	}
	return nil
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

// needed are the heads without which a table is none of reviews.
var needed = []string{headModel, headQuery, headReply, headReviewer, headVerdict, headComment}

// headsIn returns where the needed heads stand; nil where one is missing.
func headsIn(cells []string) map[string]int {
	heads := make(map[string]int, len(needed))
	for i, c := range cells {
		for _, h := range needed {
			if strings.EqualFold(strings.TrimSpace(c), h) {
				heads[h] = i
			}
		}
	}
	if len(heads) < len(needed) {
		return nil
	}
	return heads
}

// row takes one row under the head. Only the size of it all is an error.
func (in *reviewReader) row(sheet string, n int, heads map[string]int, cells []string) error {
	get := func(head string) string {
		if i := heads[head]; i < len(cells) {
			return cells[i]
		}
		return ""
	}
	where := func(head string) string { return sheet + "!" + cell(heads[head]+1, n) }
	r := ReviewRow{Cell: where(headVerdict), Model: get(headModel), Query: get(headQuery),
		Reply: digestOf(get(headReply)), Reviewer: strings.TrimSpace(get(headReviewer)), Comment: strings.TrimSpace(get(headComment)),
		Verdict: strings.ToLower(strings.TrimSpace(get(headVerdict)))}
	if r.Verdict == "" && r.Comment == "" {
		return nil
	}
	if r.Reviewer == "" {
		r.Reviewer = in.reviewer
	}
	for _, s := range []string{r.Model, r.Query, r.Reviewer, r.Verdict, r.Comment} {
		in.bytes += len(s)
	}
	if in.bytes > maxText {
		return fmt.Errorf("row %d: names and comments up to here exceed %d bytes", n, maxText)
	}
	switch {
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
	key := ReviewRow{Model: r.Model, Query: r.Query, Reviewer: r.Reviewer}
	if at, twice := in.seen[key]; twice {
		in.fault("%s: %s has judged this reply at %s already; keep one of the two", r.Cell, r.Reviewer, at)
		return
	}
	in.seen[key] = r.Cell
	in.out.Rows = append(in.out.Rows, r)
}
