package xlsx

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
)

func TestColumnNames(t *testing.T) {
	for i := range excelize.MaxColumns {
		want, err := excelize.ColumnNumberToName(i + 1)
		if got := string(appendColumn(nil, i)); got != want || err != nil {
			t.Fatalf("column %d is called %s, want %s, error %v", i, got, want, err)
		}
	}
}

// TestCellsAsTheLibraryWritesThem writes values with our writer and with the
// library's. They differ where the library's is not what it should be.
func TestCellsAsTheLibraryWritesThem(t *testing.T) {
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	for _, v := range []any{
		"", "a", " a", "a\n", "\ta", `<&>"'`, "é😀日", "_x0041_", "_x005F_x0041_", "_X0041_ _x041_ _x00g1_", "a__x000D_b",
		0, 1, -1, 1 << 53, 0.0, 0.5, -0.125, 1e-7, 1e21, 123456.789,
		day, day.Add(13*time.Hour + 59*time.Minute + 59*time.Second), day.Add(time.Millisecond), firstMarch, firstMarch.Add(-time.Hour * 24 * 365), time.Time{},
		time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), day.In(time.FixedZone("", 3*60*60)),
	} {
		if at, ok := v.(time.Time); ok {
			v = at.UTC() // the library writes the time of its place
		}
		if got, want := ourCell(t, v), libraryCell(t, v); got != want {
			t.Errorf("%#v is written as\n%s, want\n%s", v, got, want)
		}
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got := ourCell(t, v); strings.Contains(got, "<v>") {
			t.Errorf("%v is written as %s, which no sheet can hold", v, got)
		}
	}
	for v, want := range map[any]string{
		"_x0041_x0042_": "<t>_x005F_x0041_x005F_x0042_</t>",             // the library escapes the first only
		"_xD83D_":       "<is><r><t>_x</t></r><r><t>D83D_</t></r></is>", // the library drops it
		4.0 / 7:         "<v>0.5714285714285714</v>",                    // the library cuts it after 15 digits
	} {
		if got := ourCell(t, v); !strings.Contains(got, want) {
			t.Errorf("%v is written as %s, want %s", v, got, want)
		}
	}
}

// ourCell is the element of cell A1 as we write it.
func ourCell(t *testing.T, v any) string {
	t.Helper()
	return cellOf(t, func(b *workbook) error {
		s, err := b.open("Sheet1", []float64{20})
		if err != nil {
			return err
		}
		s.put([]column{{kind: general}}, v)
		return s.out.Flush()
	})
}

// libraryCell is the element of cell A1 as the library writes it.
func libraryCell(t *testing.T, v any) string {
	t.Helper()
	return cellOf(t, func(b *workbook) error {
		out, err := b.file.NewStreamWriter("Sheet1")
		if err != nil {
			return err
		}
		return errors.Join(out.SetRow("A1", []any{v}), out.Flush())
	})
}

// cellOf is the element of the only cell that write writes, but for its style.
func cellOf(t *testing.T, write func(*workbook) error) string {
	t.Helper()
	b := newWorkbook(limits{})
	defer b.close()
	if err := write(b); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := b.save(&file); err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(part(t, file.Bytes(), "xl/worksheets/sheet1.xml"), `<row r="1">`)
	row, _, found := strings.Cut(after, "</row>")
	if !found {
		t.Fatal("there is no row")
	}
	for _, style := range []string{` s="0"`, ` s="1"`} {
		row = strings.Replace(row, style, "", 1)
	}
	return row
}
