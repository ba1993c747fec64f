package xlsx

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// These functions append what stands within a cell's element, <c>, and between
// its start and its end, to a row's XML. The library's own writer of rows takes
// several times as long, and a report has tens of cells for each reply.

// appendColumn names a column, counted from 0: A to Z, AA and so on.
func appendColumn(b []byte, col int) []byte {
	if col >= 26 {
		b = appendColumn(b, col/26-1)
	}
	return append(b, byte('A'+col%26))
}

func appendInt(b []byte, n int) []byte {
	return append(strconv.AppendInt(append(b, "><v>"...), int64(n), 10), "</v>"...)
}

// appendFloat leaves the cell empty where x is no number: no sheet can hold it.
func appendFloat(b []byte, x float64) []byte {
	if !isFinite(x) {
		return append(b, '>')
	}
	return append(strconv.AppendFloat(append(b, "><v>"...), x, 'f', -1, 64), "</v>"...)
}

// firstDay is where a workbook's count of days begins for every day from March
// 1900 on; before it the count has a day that never was.
var (
	firstDay   = time.Date(1899, time.December, 30, 0, 0, 0, 0, time.UTC)
	firstMarch = time.Date(1900, time.March, 1, 0, 0, 0, 0, time.UTC)
)

// appendTime writes the days since firstDay; an earlier time than a workbook can
// count is a text.
func appendTime(b []byte, t time.Time) []byte {
	if t.Before(firstMarch) {
		return appendText(b, t.UTC().Format(time.RFC3339Nano))
	}
	const day = 24 * 60 * 60
	seconds := t.Unix() - firstDay.Unix()
	part := time.Duration(seconds%day)*time.Second + time.Duration(t.Nanosecond())
	return appendFloat(b, float64(seconds/day)+float64(part)/float64(day*time.Second))
}

// surrogate is what a spreadsheet program takes for half a character that
// cannot stand alone. Other escapes of the kind are escaped; for these there is
// no escape.
var surrogate = regexp.MustCompile(`_x[dD][89a-fA-F][0-9a-fA-F]{2}_`)

// appendText writes a text that came out of CellText. One that holds a surrogate
// is parted within it, so that it is shown as it is.
func appendText(b []byte, s string) []byte {
	b = append(b, ` t="inlineStr"><is>`...)
	from := 0
	if strings.Contains(s, "_x") {
		for _, m := range surrogate.FindAllStringIndex(s, -1) {
			b = append(appendRun(append(b, "<r>"...), s[from:m[0]+2]), "</r>"...)
			from = m[0] + 2
		}
	}
	if from == 0 {
		b = appendRun(b, s)
	} else {
		b = append(appendRun(append(b, "<r>"...), s[from:]), "</r>"...)
	}
	return append(b, "</is>"...)
}

// appendRun writes the text of a cell or of a part of it.
func appendRun(b []byte, s string) []byte {
	b = append(b, "<t"...)
	if s != "" && (blank(s[0]) || blank(s[len(s)-1])) {
		b = append(b, ` xml:space="preserve"`...)
	}
	b = append(b, '>')
	from := 0
	for i := range len(s) {
		escape := escapes[s[i]]
		if escape == "" || s[i] == '_' && !isEscape(s[i:]) {
			continue
		}
		b = append(append(b, s[from:i]...), escape...)
		from = i + 1
	}
	return append(append(b, s[from:]...), "</t>"...)
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }

// escapes are those of characters that mean something in XML, or are not kept as
// they are, and of the underscore that begins what isEscape tells.
var escapes = [256]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '"': "&#34;", '\'': "&#39;", '\t': "&#x9;", '_': "_x005F_"}

// isEscape reports whether s begins with what a spreadsheet program shows as the
// character of that number: _x0041_ as A.
func isEscape(s string) bool {
	const length = len("_x0041_")
	if len(s) < length || s[1] != 'x' || s[length-1] != '_' {
		return false
	}
	_, err := strconv.ParseUint(s[2:length-1], 16, 16)
	return err == nil
}
