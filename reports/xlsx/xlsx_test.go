package xlsx

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
)

// written writes r and opens it again.
func written(t testing.TB, r reports.Report) (*excelize.File, []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := Write(t.Context(), &b, r); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, b.Bytes()
}

// part returns one file of a workbook.
func part(t testing.TB, workbook []byte, name string) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(workbook), int64(len(workbook)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// columnOf finds a column by its head in row.
func columnOf(t testing.TB, f *excelize.File, sheet, head string, row int) string {
	t.Helper()
	for i := 1; i < 100; i++ {
		if v, _ := f.GetCellValue(sheet, cell(i, row)); v == head {
			name, _ := excelize.ColumnNumberToName(i)
			return name
		}
	}
	t.Fatalf("sheet %s has no head %q in row %d", sheet, head, row)
	return ""
}

func TestSheetsInOrder(t *testing.T) {
	f, _ := written(t, sample(6))
	want := []string{"Summary", "Comparisons", "Likelihood", "Replies", "Categories", "Energy", "Provenance", "Review", "Key"}
	if diff := cmp.Diff(want, f.GetSheetList()); diff != "" {
		t.Error(diff)
	}
	if f.GetActiveSheetIndex() != 0 {
		t.Errorf("opens on sheet %d, want Summary", f.GetActiveSheetIndex())
	}
}

// TestCells checks values, their types and how they show.
func TestCells(t *testing.T) {
	f, _ := written(t, sample(6))
	const number, text = excelize.CellTypeUnset, excelize.CellTypeInlineString
	for _, tc := range []struct {
		sheet, head   string
		headRow, row  int
		kind          excelize.CellType
		raw, formated string
	}{
		{"Summary", "Model", 1, 2, text, "big", "big"},
		{"Summary", "EM", 1, 3, number, "0.02", "0.020"},
		{"Summary", "EM 95 % high", 1, 2, number, "0.745", "0.745"},
		{"Summary", "Cosine", 1, 3, number, "0.02", "0.0200"},
		{"Summary", "Cosine lift", 1, 2, number, "", ""},
		{"Summary", "Cosine lift n", 1, 2, number, "0", "0"},
		{"Summary", "Duration (s)", 1, 2, number, "77.125", "77.13"},
		{"Summary", "kg CO2e", 1, 2, number, "0.000627", "6.27E-04"},
		{"Comparisons", "Difference of means", 1, 2, number, "-0.695", "-0.695"},
		{"Comparisons", "p", 1, 2, number, "0.00001", "1.0E-05"},
		{"Comparisons", "p", 1, 3, number, "", ""},
		{"Comparisons", "p, Holm-corrected", 1, 3, number, "", ""},
		{"Replies", "EM", 1, 2, number, "0", "0"},
		{"Replies", "Cosine best", 1, 2, number, "", ""},
		{"Replies", "Latency (ms)", 1, 2, number, "312.5", "312.5"},
		{"Replies", "Energy (J)", 1, 2, number, "18.5", "18.5"},
		{"Replies", "Asked (UTC)", 1, 2, number, "46082.520833333336", "2026-03-01 12:30:00"},
		{"Replies", "Failure", 1, 7, text, "timeout", "timeout"},
		{"Replies", "EM", 1, 7, number, "", ""},
		{"Replies", "Reply", 1, 7, number, "", ""},
		{"Replies", "Completion tokens", 1, 7, number, "", ""},
		{"Categories", "small EM", 1, 2, number, "0", "0.000"},
		{"Categories", "small EM", 1, 3, number, "", ""},
		{"Energy", "Energy (Wh)", 1, 2, number, "1.25", "1.25"},
		{"Energy", "J per correct reply", 1, 2, number, "", ""},
		{"Review", "Item", 4, 5, number, "1", "1"},
		{"Review", "Keyword", 4, 5, text, "Paris", "Paris"},
	} {
		at := columnOf(t, f, tc.sheet, tc.head, tc.headRow) + cell(1, tc.row)[1:]
		raw, err := f.GetCellValue(tc.sheet, at, excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		shown, _ := f.GetCellValue(tc.sheet, at)
		kind, _ := f.GetCellType(tc.sheet, at)
		if raw != tc.raw || shown != tc.formated || kind != tc.kind {
			t.Errorf("%s!%s (%s) is %q shown as %q of type %d, want %q, %q, %d",
				tc.sheet, at, tc.head, raw, shown, kind, tc.raw, tc.formated, tc.kind)
		}
	}
}

func TestNothingIsComputed(t *testing.T) {
	_, b := written(t, sample(6))
	formula := regexp.MustCompile(`<f[ >/]`)
	for i := 1; i <= 9; i++ {
		name := "xl/worksheets/sheet" + string(rune('0'+i)) + ".xml"
		if at := formula.FindStringIndex(part(t, b, name)); at != nil {
			t.Errorf("%s holds a formula", name)
		}
	}
}

func TestFrozenFilteredAndColoured(t *testing.T) {
	f, b := written(t, sample(6))
	for i, tc := range []struct {
		sheet, filter string
		frozen        int
	}{
		{"Summary", "A1:", 1}, {"Comparisons", "A1:O3", 1}, {"Likelihood", "A1:", 1}, {"Categories", "A1:D3", 1},
		{"Energy", "A1:", 1}, {"Provenance", "A1:B", 1}, {"Replies", "A1:AE13", 1}, {"Review", "A4:G14", 4}, {"Key", "A1:D11", 1},
	} {
		panes, err := f.GetPanes(tc.sheet)
		if err != nil || !panes.Freeze || panes.YSplit != tc.frozen {
			t.Errorf("%s: panes %+v, error %v; want %d frozen rows", tc.sheet, panes, err, tc.frozen)
		}
		xml := part(t, b, "xl/worksheets/sheet"+string(rune('1'+i))+".xml")
		if !strings.Contains(strings.ReplaceAll(xml, "$", ""), `<autoFilter ref="`+tc.filter) {
			t.Errorf("%s: no filter over %s", tc.sheet, tc.filter)
		}
		coloured := slices.Contains([]string{"Summary", "Comparisons", "Categories", "Replies"}, tc.sheet)
		if rules, err := f.GetConditionalFormats(tc.sheet); err != nil || (len(rules) > 0) != coloured {
			t.Errorf("%s: %d conditional formats, error %v", tc.sheet, len(rules), err)
		}
		if w, err := f.GetColWidth(tc.sheet, "A"); err != nil || w < narrowest {
			t.Errorf("%s: column A is %v wide, error %v", tc.sheet, w, err)
		}
	}
	// A filter's hidden name must point at the sheet's own place.
	for _, n := range f.GetDefinedName() {
		if n.Name == "_xlnm._FilterDatabase" && !strings.HasPrefix(n.RefersTo, "'"+n.Scope+"'!") {
			t.Errorf("the filter over %s belongs to sheet %s", n.RefersTo, n.Scope)
		}
	}
}

func TestCharts(t *testing.T) {
	_, b := written(t, sample(6))
	var stock, bars int
	for i := 1; i <= 6; i++ {
		xml := part(t, b, "xl/charts/chart"+string(rune('0'+i))+".xml")
		stock += strings.Count(xml, "<stockChart>")
		bars += strings.Count(xml, "<barChart>")
	}
	if stock != 3 || bars != 3 {
		t.Errorf("%d high-low-close and %d column charts, want 3 (EM, cosine, ROUGE-L) and 3 (duration, energy, categories)", stock, bars)
	}
	em := part(t, b, "xl/charts/chart1.xml")
	for _, series := range []string{"$H$2:$H$3", "$G$2:$G$3", "$F$2:$F$3"} { // high, low, mean
		if !strings.Contains(em, series) {
			t.Errorf("the chart of EM does not show %s", series)
		}
	}
}

func TestDropDown(t *testing.T) {
	f, _ := written(t, sample(6))
	v, err := f.GetDataValidations("Review")
	if err != nil || len(v) != 1 {
		t.Fatalf("%d validations, error %v", len(v), err)
	}
	if v[0].Sqref != "F5:F14" || v[0].Formula1 != `"right,wrong,unsure"` || v[0].Type != "list" {
		t.Errorf("validation %+v", v[0])
	}
}

func TestAgreementShown(t *testing.T) {
	f, _ := written(t, sample(6))
	rows, err := f.GetRows("Summary")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(rows, func(r []string) bool {
		return cmp.Equal(r, []string{"ann", "em", "3", "0.750", "0.500", "-0.100", "0.900"})
	}) {
		t.Errorf("the agreement of ann with em is not there: %q", rows)
	}
}

// TestFullSheetGoesOn writes with a limit of five rows a sheet.
func TestFullSheetGoesOn(t *testing.T) {
	var b bytes.Buffer
	if err := write(t.Context(), &b, sample(6), limits{5, mostReviewed}); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := []string{"Summary", "Comparisons", "Likelihood", "Replies", "Replies 2", "Replies 3", "Categories", "Energy", "Provenance", "Review"}
	for i := 2; i <= 10; i++ {
		want = append(want, "Review "+strconv.Itoa(i))
	}
	want = append(want, "Key", "Key 2", "Key 3")
	if diff := cmp.Diff(want, f.GetSheetList()); diff != "" {
		t.Fatal(diff)
	}
	seen := map[string]bool{}
	for _, name := range want {
		if strings.HasPrefix(name, repliesName) {
			rows, _ := f.GetRows(name)
			if rows[0][0] != "Model" || len(rows) != 5 {
				t.Errorf("%s has %d rows, head %q", name, len(rows), rows[0][0])
			}
			for _, r := range rows[1:] {
				seen[r[0]+" "+r[1]] = true
			}
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d different replies in the sheets, want 12", len(seen))
	}
	for _, n := range f.GetDefinedName() {
		if n.Name == "_xlnm._FilterDatabase" && !strings.HasPrefix(n.RefersTo, "'"+n.Scope+"'!") {
			t.Errorf("the filter over %s belongs to sheet %s", n.RefersTo, n.Scope)
		}
	}
}

// TestReviewOffersASample: of many answers people are offered some, of all models
// and each once, and are told so.
func TestReviewOffersASample(t *testing.T) {
	var b bytes.Buffer
	if err := write(t.Context(), &b, sample(301), limits{excelize.TotalRows, 100}); err != nil {
		t.Fatal(err)
	}
	read, err := ReadReviews(t.Context(), bytes.NewReader(b.Bytes()), int64(b.Len()), 1<<30)
	if err != nil || len(read.Rows) != 0 {
		t.Fatalf("%d verdicts, error %v", len(read.Rows), err)
	}
	f, err := excelize.OpenReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if how, _ := f.GetCellValue(reviewName, "C3"); !strings.Contains(how, "100 of the run's 600 answers, drawn at random") {
		t.Errorf("the sheet says %q", how)
	}
	key, _ := f.GetRows(keyName)
	seen, of := map[string]bool{}, map[string]int{}
	for _, row := range key[1:] {
		seen[row[1]+" "+row[2]] = true
		of[row[1]]++
	}
	if len(key) != 101 || len(seen) != 100 || of["big"] < 30 || of["small"] < 30 {
		t.Errorf("%d rows in the key, %d different answers, by model %v", len(key), len(seen), of)
	}
}

func TestEmptyReport(t *testing.T) {
	f, _ := written(t, reports.Report{RunID: "r", Created: created})
	if got := len(f.GetSheetList()); got != 9 {
		t.Errorf("%d sheets, want 9", got)
	}
}

func TestWriteErrors(t *testing.T) {
	broken := errors.New("the record cannot be read")
	r := sample(3)
	r.Replies = func(context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) { yield(eval.ScoredReply{}, broken) }
	}
	if err := Write(t.Context(), io.Discard, r); !errors.Is(err, broken) {
		t.Errorf("a record that cannot be read gave %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Write(ctx, io.Discard, sample(3)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context gave %v", err)
	}
	if err := Write(t.Context(), full{}, sample(3)); !errors.Is(err, errFull) {
		t.Errorf("a full disk gave %v", err)
	}
}

var errFull = errors.New("disk full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestPrints: every sheet is printed landscape, as wide as a page, with its head
// on every page, and charts on a page of their own.
func TestPrints(t *testing.T) {
	f, b := written(t, sample(6))
	heads := map[string]string{}
	for _, n := range f.GetDefinedName() {
		if n.Name == "_xlnm.Print_Titles" {
			heads[n.Scope] = n.RefersTo
		}
	}
	for i, sheet := range []string{"Summary", "Comparisons", "Categories", "Energy", "Provenance", "Replies", "Review"} {
		layout, err := f.GetPageLayout(sheet)
		if err != nil || *layout.Orientation != "landscape" || *layout.FitToWidth != 1 || *layout.FitToHeight != 0 {
			t.Errorf("%s: layout %+v, error %v", sheet, layout, err)
		}
		if props, err := f.GetSheetProps(sheet); err != nil || props.FitToPage == nil || !*props.FitToPage {
			t.Errorf("%s does not fit the page, error %v", sheet, err)
		}
		head := "1"
		if sheet == "Review" {
			head = "4"
		}
		if want := "'" + sheet + "'!$" + head + ":$" + head; heads[sheet] != want {
			t.Errorf("%s repeats %q, want %q", sheet, heads[sheet], want)
		}
		xml := part(t, b, "xl/worksheets/sheet"+strconv.Itoa(i+1)+".xml")
		if broken := strings.Contains(xml, "<rowBreaks"); broken != strings.Contains(xml, "<drawing") {
			t.Errorf("%s: a page break is there: %t", sheet, broken)
		}
	}
}
