package xlsx

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"iter"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
)

// hostile are texts that a model may answer, and how a cell shows them.
var hostile = []struct{ reply, shown string }{
	{"=1+1", "=1+1"},
	{"+1+1", "+1+1"},
	{"-1+1", "-1+1"},
	{"@SUM(A1)", "@SUM(A1)"},
	{"\t=1+1", "\t=1+1"},
	{"\r=1+1", `\r=1+1`},
	{`=HYPERLINK("http://example.invalid","click")`, `=HYPERLINK("http://example.invalid","click")`},
	{`=cmd|' /C calc'!A0`, `=cmd|' /C calc'!A0`},
	{"'=1+1", "'=1+1"},
	{"</t></is></c><c><f>1+1</f></c>", "</t></is></c><c><f>1+1</f></c>"},
	{"<script>alert(1)</script>", "<script>alert(1)</script>"},
	{"]]>&amp;&#x3d;1", "]]>&amp;&#x3d;1"},
	{"_x003D_1+1 _x005F_ _x000D_", "_x003D_1+1 _x005F_ _x000D_"},
	{"half _xD800_ and _xdfFF__xDC00_", "half _xD800_ and _xdfFF__xDC00_"},
	{"\x1b[31mred\x00\x07", `\x1b[31mred\x00\x07`},
	{"a\u202eb\u2066c", `a\u202eb\u2066c`},
	{"lone \xed\xa0\x80 and \xff", `lone \xed\xa0\x80 and \xff`},
	{"\uffff\ufffe", "\ufffd\ufffd"},
	{" lead and trail \n", " lead and trail \n"},
	{"1e5", "1e5"},
	{"TRUE", "TRUE"},
	{"日本語 😀 é", "日本語 😀 é"},
}

// replying is a report whose only model answers text to every kind of query,
// with the text in every other place that it can come to as well.
func replying(texts []string) reports.Report {
	r := sample(3)
	r.Replies = func(context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) {
			for _, text := range texts {
				good, bad := sampleReply("big", 1, false), sampleReply("big", 2, true)
				good.Reply.Text, good.Query.Prompt, good.Query.Keyword, good.Query.Category = text, text, text, text
				good.Reply.JobID.Query, good.Reply.DoneReason = text, text
				bad.Reply.Failure.Message = text
				if !yield(good, nil) || !yield(bad, nil) {
					return
				}
			}
		}
	}
	return r
}

func TestHostileRepliesAreText(t *testing.T) {
	var texts []string
	for _, h := range hostile {
		texts = append(texts, h.reply)
	}
	r := replying(texts)
	r.Models[0].Model.Name, r.RunID, r.Warnings = "=1+1", "@run", texts
	r.Categories[0].Name = "=1+1"
	f, b := written(t, r)
	rows := make([]int, len(texts)) // of the Review sheet, by reply
	for row, i := range shuffledRows(r.RunID, len(texts)) {
		rows[i] = row
	}
	for i, h := range hostile {
		for _, at := range []struct{ sheet, cell string }{
			{"Replies", cell(6, 2+2*i)}, {"Replies", cell(4, 2+2*i)}, {"Replies", cell(8, 3+2*i)}, {"Review", cell(4, rows[i])},
		} {
			got, err := shownText(f, at.sheet, at.cell)
			kind, _ := f.GetCellType(at.sheet, at.cell)
			if err != nil || got != h.shown || kind != excelize.CellTypeInlineString {
				t.Errorf("%s!%s of %q shows %q, type %d, error %v; want %q as text", at.sheet, at.cell, h.reply, got, kind, err, h.shown)
			}
			id, _ := f.GetCellStyle(at.sheet, at.cell)
			if q := f.Styles.CellXfs.Xf[id].QuotePrefix; q == nil || !*q {
				t.Errorf("%s!%s of %q has no quote prefix", at.sheet, at.cell, h.reply)
			}
		}
	}
	checkSheets(t, b, 8)
}

// shuffledRows is the answer in each row of the Review sheet.
func shuffledRows(run string, answers int) map[int]int {
	rows := map[int]int{}
	for answer, place := range shuffled(run, answers) {
		rows[5+place] = answer
	}
	return rows
}

// shownText is a cell's text as a spreadsheet program shows it; of one in
// several runs the library takes the whole for one and drops surrogates.
func shownText(f *excelize.File, sheet, cell string) (string, error) {
	runs, err := f.GetCellRichText(sheet, cell)
	if err != nil || len(runs) < 2 {
		s, errValue := f.GetCellValue(sheet, cell)
		return s, errors.Join(err, errValue)
	}
	var b strings.Builder
	for _, r := range runs {
		b.WriteString(r.Text)
	}
	return b.String(), nil
}

// checkSheets fails on one of n sheets that is no XML or holds a formula.
func checkSheets(t testing.TB, workbook []byte, n int) {
	t.Helper()
	for i := 1; i <= n; i++ {
		d := xml.NewDecoder(strings.NewReader(part(t, workbook, "xl/worksheets/sheet"+string(rune('0'+i))+".xml")))
		for {
			tok, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("sheet %d: %v", i, err)
			}
			if e, ok := tok.(xml.StartElement); ok && (e.Name.Local == "f" || e.Name.Local == "hyperlink") {
				t.Errorf("sheet %d has an element %s", i, e.Name.Local)
			}
		}
	}
}

func TestLongTextIsCut(t *testing.T) {
	limit := excelize.TotalCellChars
	for _, tc := range []struct {
		name, text string
		cut        bool
	}{
		{"fits", strings.Repeat("a", limit), false},
		{"one too long", strings.Repeat("a", limit+1), true},
		{"fits although its bytes do not", strings.Repeat("é", limit), false},
		{"surrogate pairs count twice", strings.Repeat("😀", limit/2+1), true},
		{"escapes make it too long", strings.Repeat("\x00", limit/2), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := CellText(tc.text)
			if utf16Units(got) > limit || !utf8.ValidString(got) {
				t.Errorf("%d units, valid UTF-8 %v", utf16Units(got), utf8.ValidString(got))
			}
			if note := regexp.MustCompile(`\[cut: the whole text has \d+ characters\]$`).MatchString(got); note != tc.cut {
				t.Errorf("a note of a cut: %v, want %v", note, tc.cut)
			}
		})
	}
	f, _ := written(t, replying([]string{strings.Repeat("x", 40_000)}))
	if got, _ := f.GetCellValue("Replies", "F2"); !strings.HasSuffix(got, "[cut: the whole text has 40000 characters]") {
		t.Errorf("the cell ends in %q", got[len(got)-60:])
	}
}

// FuzzHostileReply writes one cell and reads it back.
func FuzzHostileReply(f *testing.F) {
	for _, h := range hostile {
		f.Add(h.reply)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w := &workbook{file: excelize.NewFile()}
		defer w.close()
		s, err := w.open("Sheet1", []float64{20})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := errors.Join(s.put([]column{{kind: wrapped}}, text), s.out.Flush(), w.save(&b)); err != nil {
			t.Fatal(err)
		}
		checkSheets(t, b.Bytes(), 1)
		back, err := excelize.OpenReader(&b)
		if err != nil {
			t.Fatal(err)
		}
		defer back.Close()
		if got, err := shownText(back, "Sheet1", "A1"); err != nil || got != CellText(text) {
			t.Errorf("%q is read back as %q, error %v", text, got, err)
		}
	})
}
