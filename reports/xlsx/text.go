package xlsx

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"github.com/disteval/disteval/reports"
)

// noXML replaces the two characters that XML cannot hold and that are not
// hidden ones.
var noXML = strings.NewReplacer("\ufffe", "\ufffd", "\uffff", "\ufffd")

// CellText is s as a cell shows it: reports.VisibleText, and more than 32,767
// UTF-16 units are cut, which the cell says.
func CellText(s string) string {
	if !plain(s) {
		s = noXML.Replace(reports.VisibleText(s))
	}
	if len(s) <= excelize.TotalCellChars {
		return s
	}
	return cut(s)
}

// plain reports whether s is printable ASCII, line feeds and tabs: nearly
// every text is, and needs no second look.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\n' && c != '\t') || c >= 0x7f {
			return false
		}
	}
	return true
}

// cut shortens s to what a cell can hold, with a note at its end.
func cut(s string) string {
	units := utf16Units(s)
	if units <= excelize.TotalCellChars {
		return s
	}
	note := fmt.Sprintf(" … [cut: the whole text has %d characters]", utf8.RuneCountInString(s))
	room := excelize.TotalCellChars - utf16Units(note)
	for i, r := range s {
		if room -= unitsOf(r); room < 0 {
			return s[:i] + note
		}
	}
	return s
}

func utf16Units(s string) int {
	n := 0
	for _, r := range s {
		n += unitsOf(r)
	}
	return n
}

func unitsOf(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}
