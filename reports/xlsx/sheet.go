package xlsx

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
)

// column is one column of a table.
type column struct {
	head  string
	kind  kind
	rule  rule
	width float64 // characters; 0: by its content
}

// block is a part of a sheet: a table or some lines under a title.
type block struct {
	title string // empty for a sheet's first table, whose head is frozen
	cols  []column
	rows  [][]any
	lines []string
}

// sheet is a sheet that is being written, row by row.
type sheet struct {
	book   *workbook
	name   string
	out    *excelize.StreamWriter // of all but the columns and rows
	body   *body
	widths []float64 // of the columns
	row    int       // the last one written
	head   int       // the row of the first table's head: every printed page repeats it
	filter string    // the area that is offered filters
	cells  []byte    // of the row that comes next, as XML
	lines  int       // that its wrapped texts take
}

// open begins a sheet after those that there are.
func (b *workbook) open(name string, widths []float64) (*sheet, error) {
	var err error
	if len(b.sheets) == 0 {
		err = b.file.SetSheetName("Sheet1", name)
	} else {
		_, err = b.file.NewSheet(name)
	}
	if err != nil {
		return nil, err
	}
	if err := b.layOut(name); err != nil {
		return nil, err
	}
	s := &sheet{book: b, name: name, widths: widths, body: &body{to: b.compressor}}
	if s.out, err = b.file.NewStreamWriter(name); err != nil {
		return nil, err
	}
	b.sheets = append(b.sheets, s)
	s.body.columns(widths)
	return s, nil
}

// layOut sets how a sheet is printed: landscape on A4, as wide as the page, on
// as many pages as it takes. It must come before the sheet's writer.
func (b *workbook) layOut(name string) error {
	fit, landscape, a4, wide, high := true, "landscape", 9, 1, 0
	return errors.Join(
		b.file.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: &fit}),
		b.file.SetPageLayout(name, &excelize.PageLayoutOptions{Orientation: &landscape, Size: &a4, FitToWidth: &wide, FitToHeight: &high}))
}

// repeatHead prints the head of the sheet's first table on every page. Sheets
// must have their final places: the file names them by these.
func (s *sheet) repeatHead() error {
	return s.book.file.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", Scope: s.name,
		RefersTo: fmt.Sprintf("'%s'!$%d:$%d", s.name, s.head, s.head)})
}

// freeze keeps the rows and columns before the cell in view; the last of the
// rows is the head of a table.
func (s *sheet) freeze(rows, cols int) error {
	s.head = rows
	pane := "bottomLeft"
	if cols > 0 {
		pane = "bottomRight"
	}
	return s.out.SetPanes(&excelize.Panes{Freeze: true, XSplit: cols, YSplit: rows,
		TopLeftCell: cell(cols+1, rows+1), ActivePane: pane})
}

// put writes the next row. A nil value is an empty cell.
func (s *sheet) put(cols []column, values ...any) {
	s.fill(cols, values)
	s.end(0)
}

// fill sets the next row's cells.
func (s *sheet) fill(cols []column, values []any) {
	for i, v := range values {
		if v != nil || cols[i].kind == entry {
			s.set(i, cols[i].kind, v)
		}
	}
}

// set sets the next row's cell i, counted from 0: in order, the row is written as
// it comes. A text is shown as one, whatever the column is for.
func (s *sheet) set(i int, k kind, v any) {
	switch v := v.(type) {
	case nil:
		s.cells = append(s.begin(i, k), '>')
	case string:
		if k != head && k != title && k != line && k != wrapped && k != entry {
			k = text
		}
		shown := CellText(v)
		if k == wrapped {
			s.lines = max(s.lines, linesOf(shown, int(s.widths[i])))
		}
		s.cells = appendText(s.begin(i, k), shown)
	case time.Time:
		s.cells = appendTime(s.begin(i, instant), v)
	case int:
		s.cells = appendInt(s.begin(i, count), v)
	case measured:
		s.number(i, kindOf(v.metric), v.value)
		return
	case float64:
		if k == general {
			k = sized(v)
		}
		s.number(i, k, v)
		return
	default:
		s.set(i, k, fmt.Sprint(v))
		return
	}
	s.cells = append(s.cells, "</c>"...)
}

// number is set for a float64, which most cells of a large table are.
func (s *sheet) number(i int, k kind, v float64) {
	s.cells = append(appendFloat(s.begin(i, k), v), "</c>"...)
}

// begin begins a cell of the next row.
func (s *sheet) begin(i int, k kind) []byte {
	b := appendColumn(append(s.cells, `<c r="`...), i)
	b = strconv.AppendInt(b, int64(s.row+1), 10)
	b = strconv.AppendInt(append(b, `" s="`...), int64(s.book.styles[k]), 10)
	return append(b, '"')
}

// end writes the next row; its height is in points, 0: by its content.
func (s *sheet) end(height float64) {
	s.row++
	var room [64]byte
	start := strconv.AppendInt(append(room[:0], `<row r="`...), int64(s.row), 10)
	if start = append(start, '"'); height > 0 {
		start = strconv.AppendFloat(append(start, ` ht="`...), height, 'f', -1, 64)
		start = append(start, `" customHeight="1"`...)
	}
	s.cells = append(s.cells, "</row>"...)
	s.body.add(append(start, '>'))
	s.body.add(s.cells)
	s.cells, s.lines = s.cells[:0], 0
}

// headHeight is that of a table's head, in points.
const headHeight = 48

// putHead writes a table's head.
func (s *sheet) putHead(cols []column) {
	for i, c := range cols {
		s.set(i, head, c.head)
	}
	s.end(headHeight)
}

// colour applies the columns' rules to the rows from first to the last one.
func (s *sheet) colour(cols []column, first int) error {
	if s.row < first {
		return nil
	}
	for i, c := range cols {
		if opts := s.book.conditional(c.rule); opts != nil {
			area := cell(i+1, first) + ":" + cell(i+1, s.row)
			if err := s.book.file.SetConditionalFormat(s.name, area, opts); err != nil {
				return err
			}
		}
	}
	return nil
}

// offerFilter offers filters in the head at row, over the rows up to the last.
func (s *sheet) offerFilter(cols []column, row int) {
	s.filter = cell(1, row) + ":" + cell(len(cols), s.row)
}

// write writes a whole sheet of blocks. chart, where given, adds charts to it
// under its last row.
func (b *workbook) write(name string, blocks []block, chart func(*sheet) error) error {
	s, err := b.open(name, widths(blocks))
	if err != nil {
		return err
	}
	if err := s.freeze(1, 1); err != nil {
		return err
	}
	for i, bl := range blocks {
		if err := s.block(bl); err != nil {
			return err
		}
		if i == 0 {
			s.offerFilter(bl.cols, 1)
		}
	}
	if chart == nil {
		return nil
	}
	return chart(s)
}

func (s *sheet) block(bl block) error {
	if bl.title != "" {
		s.row++ // an empty row before it
		s.put([]column{{kind: title}}, bl.title)
	}
	if bl.cols != nil {
		s.putHead(bl.cols)
	}
	first := s.row + 1
	for _, r := range bl.rows {
		s.put(bl.cols, r...)
	}
	if err := s.colour(bl.cols, first); err != nil {
		return err
	}
	for _, l := range bl.lines {
		s.put([]column{{kind: line}}, l)
	}
	return nil
}

// Bounds of a fitted column's width, in characters.
const (
	narrowest = 9
	widest    = 60
)

// widths fits the columns to what the blocks' tables hold.
func widths(blocks []block) []float64 {
	var out []float64
	for _, bl := range blocks {
		for i, c := range bl.cols {
			if i == len(out) {
				out = append(out, narrowest)
			}
			w := float64(longestWord(c.head) + 4) // the filter's arrow
			if c.kind == instant {
				w = max(w, 20)
			}
			for _, r := range bl.rows {
				if i < len(r) {
					w = max(w, float64(shown(r[i])+2))
				}
			}
			out[i] = max(out[i], min(w, widest))
		}
	}
	return out
}

func longestWord(s string) int {
	n := 0
	for w := range strings.FieldsSeq(s) {
		n = max(n, utf8.RuneCountInString(w))
	}
	return n
}

// shown is about how many characters a value takes.
func shown(v any) int {
	switch v := v.(type) {
	case string:
		return utf8.RuneCountInString(v)
	case time.Time:
		return len("2006-01-02 15:04:05")
	case float64:
		if a := math.Abs(v); a >= 1000 {
			return len("0,000.000") + int(math.Log10(a)) - 3
		}
	case int:
		return len(fmt.Sprint(v)) + 2
	}
	return 8
}

// value is what a cell holds of a number that may not exist.
func value(p *float64) any {
	if p == nil {
		return nil
	}
	return finite(*p)
}

// finite keeps what is no number out of a cell.
func finite(v float64) any {
	if !isFinite(v) {
		return nil
	}
	return v
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// given is v where it exists.
func given(exists bool, v float64) any {
	if !exists {
		return nil
	}
	return finite(v)
}

// cell names a cell; both count from 1.
func cell(col, row int) string {
	name, err := excelize.CoordinatesToCellName(col, row)
	if err != nil {
		panic(err) // a sheet of more columns or rows than there can be
	}
	return name
}
