package queries

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/unicode"
)

// TestSpreadsheets wants one set out of every way in which spreadsheets save it.
func TestSpreadsheets(t *testing.T) {
	const rows = "id,prompt,keyword,aliases\r\na,The capital of Peru is,Lima,\r\nb,\"Brazil's largest city, in short, is\",São Paulo,Sampa|Paulicéia\r\n"
	swap := func(comma string) string {
		quoted := strings.ReplaceAll(rows, "city, in short, is", "city\x00 in short\x00 is")
		return strings.ReplaceAll(strings.ReplaceAll(quoted, ",", comma), "\x00", ",")
	}
	utf16 := func(order unicode.Endianness, text string) string {
		text, err := unicode.UTF16(order, unicode.UseBOM).NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	want, err := Read(strings.NewReader(rows), "set", CSV)
	if err != nil || len(want.Queries) != 2 || want.Queries[1].Aliases[1] != "Paulicéia" {
		t.Fatalf("%v, %+v", err, want.Queries)
	}
	for name, text := range map[string]string{
		"semicolons": swap(";"), "tabs": swap("\t"), "byte order mark": "\ufeff" + swap(";"),
		"stated": "sep=;\r\n" + swap(";"), "stated in quotes": "\"sep=;\"\r\n" + swap(";"), "stated after a mark": "\ufeffSEP=\t\r\n" + swap("\t"), "stated, padded": "sep=,,,,\r\n" + rows,
		"UTF-16": utf16(unicode.LittleEndian, swap("\t")), "UTF-16, big": utf16(unicode.BigEndian, rows),
		"CR": strings.ReplaceAll(rows, "\r\n", "\r"), "CR, stated": "sep=;\r" + strings.ReplaceAll(swap(";"), "\r\n", "\r"),
		"empty rows":             ",,,\r\n" + strings.Replace(rows, "\r\nb", "\r\n,,,\r\n\r\nb", 1) + ",,,\r\n , ,,\r\n",
		"empty columns":          strings.NewReplacer("aliases\r", "aliases,,\r", "Lima,\r", "Lima,,,\r", "éia\r", "éia,,\r").Replace(rows),
		"an empty column before": strings.NewReplacer("id,", ",id,", "\na,", "\n,a,", "\nb,", "\n,b,").Replace(rows),
		"heads":                  strings.Replace(rows, "id,prompt,keyword,aliases", "ID,Prompt, KEYWORD ,Aliases", 1),
	} {
		got, err := Read(strings.NewReader(text), "set", CSV)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want.Queries, got.Queries); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
