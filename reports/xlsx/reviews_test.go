package xlsx

import (
	"archive/zip"
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/disteval/disteval/reports"
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
	return ReadReviews(t.Context(), bytes.NewReader(b), int64(len(b)), MostSheets(100, 1<<20))
}

// shownIn is what a row of the Review sheet says of the sample's reply n.
func shownIn(cell string, n int, row ReviewRow) ReviewRow {
	model := []string{"big", "small"}[n/2]
	sr := sampleReply(model, n%2, false)
	row.Cell, row.Job = cell, Job{Model: model, Query: sr.Query.ID}
	row.Prompt, row.Keyword, row.Reply = DigestOf(sr.Query.Prompt), DigestOf(sr.Query.Keyword), DigestOf(sr.Reply.Text)
	return row
}

func TestReadReviews(t *testing.T) {
	answer := shuffledRows(sample(3).RunID, 4)
	want := Reviews{RunID: sample(3).RunID, PlanHash: sample(3).PlanHash, Rows: []ReviewRow{
		shownIn("Review!F5", answer[5], ReviewRow{Reviewer: "ann", Verdict: "right"}),
		shownIn("Review!F7", answer[7], ReviewRow{Reviewer: "bob", Verdict: "unsure", Comment: "why = not?"}),
	}}
	fill := cells("B3", " ann ", "F5", " Right", "E7", "bob", "F7", "UNSURE", "G7", "why = not?")
	for _, tc := range []struct {
		name string
		edit func(*excelize.File) error
		want func(*Reviews)
	}{
		{"as written", func(*excelize.File) error { return nil }, func(*Reviews) {}},
		{"widened", func(f *excelize.File) error { return f.SetColWidth("Review", "A", "G", 80) }, func(*Reviews) {}},
		{"a row removed", func(f *excelize.File) error { return f.RemoveRow("Review", 6) }, func(r *Reviews) { r.Rows[1].Cell = "Review!F6" }},
		{"a column inserted", func(f *excelize.File) error { return f.InsertCols("Review", "C", 1) },
			func(r *Reviews) { r.Rows[0].Cell, r.Rows[1].Cell = "Review!G5", "Review!G7" }},
		{"the key shown", func(f *excelize.File) error { return f.SetSheetVisible("Key", true) }, func(*Reviews) {}},
		{"a row hidden", func(f *excelize.File) error { return f.SetRowVisible("Review", 5, false) }, func(*Reviews) {}},
		{"rows swapped", func(f *excelize.File) error {
			if err := f.DuplicateRowTo("Review", 5, 9); err != nil {
				return err
			}
			return f.RemoveRow("Review", 5)
		}, func(r *Reviews) {
			r.Rows[0], r.Rows[1] = r.Rows[1], r.Rows[0]
			r.Rows[0].Cell, r.Rows[1].Cell = "Review!F6", "Review!F8"
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
		{"another word", cells("B3", "ann", "F6", "correct"), `Review!F6: "correct" is no verdict`},
		{"a comment alone", cells("B3", "ann", "G6", "hm"), "Review!F6: a comment without a verdict"},
		{"nobody", cells("F6", "right"), "Review!E6: a verdict without a reviewer"},
		{"twice", cells("B3", "ann", "F5", "right", "A6", "1", "F6", "wrong"), "Review!F6: ann has judged this reply at Review!F5 already"},
		{"no run", cells("B1", ""), `"Run"`},
		{"no head", cells("F4", "Opinion"), "no row has the heads"},
		{"an unknown item", cells("B3", "ann", "A5", "9", "F5", "right"), `Review!A5: the sheet Key has no item "9"`},
		{"no key", func(f *excelize.File) error { return f.DeleteSheet("Key") }, "no sheet Key"},
		{"an item twice in the key", func(f *excelize.File) error { return f.SetCellInt("Key", "A3", 1) }, "twice"},
		{"no sample in the key", func(f *excelize.File) error { return f.SetCellStr("Key", "D3", "x") }, `"x" is not a sample`},
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
	if err := write(t.Context(), &b, sample(3), limits{5, mostReviewed}); err != nil { // a reply a sheet
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for at, v := range map[[2]string]string{{"Review", "B3"}: "ann", {"Review", "F5"}: "right", {"Review 3", "F5"}: "wrong"} {
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
	if len(got.Rows) != 2 || got.Rows[1].Cell != "Review 3!F5" || got.Rows[1].Reviewer != "ann" {
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
	// A sheet that no report of so small a run has.
	large := replaced(t, smallReviews(t), map[string]string{"xl/worksheets/sheet1.xml": strings.Repeat(" ", int(MostSheets(1, 100))+1)})
	if _, err := ReadReviews(t.Context(), bytes.NewReader(large), int64(len(large)), MostSheets(1, 100)); err == nil || !strings.Contains(err.Error(), "than the report of this run") {
		t.Errorf("a file of %d bytes gave %v", len(large), err)
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
	for i, row := range [][]string{{"Run", "r1", "Plan hash", "ab", "Reviewer", "ann"},
		{headItem, headPrompt, headKeyword, headReply, headReviewer, headVerdict, headComment}, {"1", "a prompt", "a", "a reply", "", "right", "why"}} {
		err = errors.Join(err, f.SetSheetRow("Review", cell(1, i+1), &row))
	}
	_, newErr := f.NewSheet("Key")
	err = errors.Join(err, newErr)
	for i, row := range [][]string{{headItem, headModel, headQuery, headSample}, {"1", "big", "q1", "0"}} {
		err = errors.Join(err, f.SetSheetRow("Key", cell(1, i+1), &row))
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

// TestReviewIsBlind: no model, score or flag stands in the Review sheet, and the
// order is neither that of the models nor that of the questions.
func TestReviewIsBlind(t *testing.T) {
	r := sample(40)
	f, _ := written(t, r)
	rows, err := f.GetRows("Review")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Item", "Prompt", "Keyword", "Reply", "Reviewer", "Verdict", "Comment"}, rows[3]); diff != "" {
		t.Errorf("heads (-want +got):\n%s", diff)
	}
	for _, row := range rows[3:] {
		for _, told := range []string{"big", "small", "em_disagrees", "q0000"} {
			if strings.Contains(strings.Join(row, " "), told) {
				t.Errorf("the row %q tells %q", row, told)
			}
		}
	}
	if shown, err := f.GetSheetVisible("Key"); err != nil || shown {
		t.Errorf("the key is shown: %t, error %v", shown, err)
	}
	key, err := f.GetRows("Key")
	if err != nil || len(key) != 1+2*39 {
		t.Fatalf("the key has %d rows, error %v", len(key), err)
	}
	jobs, changes := map[string]bool{}, 0
	for i, row := range key[1:] {
		if row[0] != strconv.Itoa(i+1) || row[3] != "0" {
			t.Errorf("row %d of the key is %q", i, row)
		}
		if jobs[row[1]+row[2]] = true; i > 0 && row[1] != key[i][1] {
			changes++
		}
	}
	if len(jobs) != 2*39 || changes < 20 {
		t.Errorf("%d different replies, the model changes %d times", len(jobs), changes)
	}
	again, _ := written(t, r)
	if rows, err := again.GetRows("Key"); err != nil || !cmp.Equal(key, rows) {
		t.Errorf("written again, the order is another; error %v", err)
	}
}

// TestSurrogateSurvives: a reply that holds what looks like half a character
// can be judged.
func TestSurrogateSurvives(t *testing.T) {
	const reply = "half _xD800_ of it"
	r := replying([]string{reply})
	f, _ := written(t, r)
	if err := cells("B3", "ann", "F5", "right")(f); err != nil {
		t.Fatal(err)
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(t, b.Bytes())
	if err != nil || len(got.Rows) != 1 || got.Rows[0].Reply != DigestOf(reply) {
		t.Errorf("read %+v, error %v", got, err)
	}
}

// TestReportsKeepWithinTheirBound: what we write can be read back, the longest
// texts included.
func TestReportsKeepWithinTheirBound(t *testing.T) {
	for _, r := range []reports.Report{sample(3), sample(2000), replying([]string{strings.Repeat("<", 30_000), strings.Repeat("&\u202e", 3000)})} {
		_, b := written(t, r)
		var replies, text int64
		for s, err := range r.Replies(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			replies++
			text += int64(len(s.Query.Prompt) + len(s.Query.Keyword) + len(s.Reply.Text))
		}
		if err := checkSizes(bytes.NewReader(b), int64(len(b)), uint64(MostSheets(replies, text))); err != nil {
			t.Errorf("%d replies: %v", replies, err)
		}
	}
}
