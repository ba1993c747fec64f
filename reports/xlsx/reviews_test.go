package xlsx

import (
	"archive/zip"
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

// reviewed is a workbook of four replies, changed by edit and saved again as
// a spreadsheet program would.
func reviewed(t testing.TB, edit func(*excelize.File) error) []byte {
	t.Helper()
	f, _ := written(t, sample(3))
	if err := edit(f); err != nil {
		t.Fatal(err)
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// cells sets cells of the Review sheet, as pairs of a cell and its text.
func cells(pairs ...string) func(*excelize.File) error {
	return func(f *excelize.File) error {
		for i := 0; i < len(pairs); i += 2 {
			if err := f.SetCellStr("Review", pairs[i], pairs[i+1]); err != nil {
				return err
			}
		}
		return nil
	}
}

func read(t testing.TB, b []byte) (Reviews, error) {
	t.Helper()
	return ReadReviews(t.Context(), bytes.NewReader(b), int64(len(b)))
}

func TestReadReviews(t *testing.T) {
	want := Reviews{RunID: sample(3).RunID, PlanHash: sample(3).PlanHash, Rows: []ReviewRow{
		{Cell: "Review!I5", Model: "big", Query: "q000000", Reply: DigestOf(sampleReply("big", 0, false).Reply.Text), Reviewer: "ann", Verdict: "right"},
		{Cell: "Review!I7", Model: "small", Query: "q000000", Reply: DigestOf(sampleReply("big", 0, false).Reply.Text), Reviewer: "bob", Verdict: "unsure", Comment: "why = not?"},
	}}
	fill := cells("B3", " ann ", "I5", " Right", "H7", "bob", "I7", "UNSURE", "J7", "why = not?")
	for _, tc := range []struct {
		name string
		edit func(*excelize.File) error
		want func(*Reviews)
	}{
		{"as written", func(*excelize.File) error { return nil }, func(*Reviews) {}},
		{"widened", func(f *excelize.File) error { return f.SetColWidth("Review", "A", "J", 80) }, func(*Reviews) {}},
		{"a row removed", func(f *excelize.File) error { return f.RemoveRow("Review", 6) }, func(r *Reviews) { r.Rows[1].Cell = "Review!I6" }},
		{"a column inserted", func(f *excelize.File) error { return f.InsertCols("Review", "C", 1) },
			func(r *Reviews) { r.Rows[0].Cell, r.Rows[1].Cell = "Review!J5", "Review!J7" }},
		{"a row hidden", func(f *excelize.File) error { return f.SetRowVisible("Review", 5, false) }, func(*Reviews) {}},
		{"rows swapped", func(f *excelize.File) error {
			if err := f.DuplicateRowTo("Review", 5, 9); err != nil {
				return err
			}
			return f.RemoveRow("Review", 5)
		}, func(r *Reviews) {
			r.Rows[0], r.Rows[1] = r.Rows[1], r.Rows[0]
			r.Rows[0].Cell, r.Rows[1].Cell = "Review!I6", "Review!I8"
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := read(t, reviewed(t, func(f *excelize.File) error {
				if err := fill(f); err != nil {
					return err
				}
				return tc.edit(f)
			}))
			if err != nil {
				t.Fatal(err)
			}
			w := want
			w.Rows = append([]ReviewRow(nil), want.Rows...)
			tc.want(&w)
			if diff := cmp.Diff(w, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadReviewsRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*excelize.File) error
		want string
	}{
		{"another word", cells("B3", "ann", "I6", "correct"), `Review!I6: "correct" is no verdict`},
		{"a comment alone", cells("B3", "ann", "J6", "hm"), "Review!I6: a comment without a verdict"},
		{"nobody", cells("I6", "right"), "Review!H6: a verdict without a reviewer"},
		{"twice", cells("B3", "ann", "I5", "right", "A6", "big", "B6", "q000000", "I6", "wrong"), "Review!I6: ann has judged this reply at Review!I5 already"},
		{"no run", cells("B1", ""), `"Run"`},
		{"no head", cells("I4", "Judgement"), "no row has the heads"},
		{"no sheet", func(f *excelize.File) error { return f.SetSheetName("Review", "Other") }, "no sheet Review"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := read(t, reviewed(t, tc.edit))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %d rows, error %v; want an error with %q", len(got.Rows), err, tc.want)
			}
		})
	}
}

func TestReadReviewsFurtherSheets(t *testing.T) {
	var b bytes.Buffer
	if err := write(t.Context(), &b, sample(3), 5); err != nil { // a reply a sheet
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for at, v := range map[[2]string]string{{"Review", "B3"}: "ann", {"Review", "I5"}: "right", {"Review 3", "I5"}: "wrong"} {
		if err := f.SetCellStr(at[0], at[1], v); err != nil {
			t.Fatal(err)
		}
	}
	buf, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(t, buf.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 2 || got.Rows[1].Cell != "Review 3!I5" || got.Rows[1].Reviewer != "ann" {
		t.Errorf("read %+v", got.Rows)
	}
}

func TestReadReviewsRefusesBombs(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"[Content_Types].xml", "xl/media/image1.png"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		zeros := make([]byte, 1<<20)
		for range maxParts/len(zeros)/2 + 1 {
			if _, err := w.Write(zeros); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, b.Bytes()); err == nil || !strings.Contains(err.Error(), "unpacks to more") {
		t.Errorf("a file of %d bytes that unpacks to %d gave %v", b.Len(), maxParts, err)
	}
	for name, junk := range map[string][]byte{"empty": nil, "no workbook": []byte("Model,Query\n")} {
		if _, err := read(t, junk); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// smallReviews is the least workbook with a review.
func smallReviews(t testing.TB) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	err := f.SetSheetName("Sheet1", "Review")
	for i, row := range [][]string{{"Run", "r1", "Plan hash", "ab", "Reviewer", "ann"}, needed, {"big", "q1", "a reply", "", "right", "why"}} {
		err = errors.Join(err, f.SetSheetRow("Review", cell(1, i+1), &row))
	}
	b, werr := f.WriteToBuffer()
	if err := errors.Join(err, werr); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzReadReviews puts text into the parts of a workbook that hold cells.
func FuzzReadReviews(f *testing.F) {
	sound := smallReviews(f)
	const sheet, texts = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
	f.Add(part(f, sound, sheet), part(f, sound, texts))
	f.Add(`<worksheet><sheetData><row r="1048576"><c r="XFD9" t="s"><v>99</v></c></row><row r="-1"/></sheetData></worksheet>`, "<sst/>")
	f.Fuzz(func(t *testing.T, cells, shared string) {
		checkReviews(t, replaced(t, sound, map[string]string{sheet: cells, texts: shared}))
	})
}

// FuzzReadReviewsFile reads any file.
func FuzzReadReviewsFile(f *testing.F) {
	f.Add(smallReviews(f))
	f.Add([]byte("not a zip"))
	f.Fuzz(func(t *testing.T, b []byte) { checkReviews(t, b) })
}

// checkReviews checks that what is read from b is sound, or an error.
func checkReviews(t *testing.T, b []byte) {
	t.Helper()
	got, err := read(t, b)
	for _, r := range got.Rows {
		if err != nil || r.Reviewer == "" || !slices.Contains(Verdicts, r.Verdict) {
			t.Errorf("row %+v with error %v", r, err)
		}
	}
}

func TestSmallReviews(t *testing.T) {
	if got, err := read(t, smallReviews(t)); err != nil || len(got.Rows) != 1 {
		t.Errorf("read %+v, error %v", got, err)
	}
}

// replaced is a workbook with other contents of those parts that are given.
func replaced(t testing.TB, workbook []byte, parts map[string]string) []byte {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(workbook), int64(len(workbook)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for _, f := range in.File {
		if parts[f.Name] == "" {
			if err := out.Copy(f); err != nil {
				t.Fatal(err)
			}
			continue
		}
		w, err := out.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(parts[f.Name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
