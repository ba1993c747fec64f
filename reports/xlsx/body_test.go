package xlsx

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// TestLargeBody: more than is kept in memory comes back whole and in order, and
// leaves nothing behind.
func TestLargeBody(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir) // Windows
	var b body
	var want bytes.Buffer
	for i := 0; want.Len() < 5*bodyInMemory/2; i++ {
		text := fmt.Appendf(nil, "%d %s\n", i, strings.Repeat("x", i*977%(2*largestBlock)))
		want.Write(text)
		if err := b.add(text); err != nil {
			t.Fatal(err)
		}
		if held := b.size; held > bodyInMemory+2*largestBlock+len(text) {
			t.Fatalf("%d bytes are held in memory", held)
		}
	}
	var got bytes.Buffer
	if n, err := b.WriteTo(&got); err != nil || n != int64(want.Len()) || !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("%d bytes written, error %v, want the same %d bytes", n, err, want.Len())
	}
	if b.file == nil {
		t.Error("all of it was in memory")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%d files are left, error %v", len(left), err)
	}
}

// TestSheetWithoutRows: a file whose sheets the library writes otherwise than we
// think is an error, never a sheet without rows.
func TestSheetWithoutRows(t *testing.T) {
	for name, spoil := range map[string]func(*sheet) error{
		"another name":      func(s *sheet) error { s.book.sheets = append(s.book.sheets, &sheet{}); return nil },
		"no place for rows": func(s *sheet) error { return s.out.SetRow("A1", []any{1}) },
	} {
		t.Run(name, func(t *testing.T) {
			b := &workbook{file: excelize.NewFile()}
			defer b.close()
			s, err := b.open("Sheet1", []float64{20})
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(s); err != nil {
				t.Fatal(err)
			}
			if err := s.out.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := b.save(&bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "library") {
				t.Errorf("error %v", err)
			}
		})
	}
}
