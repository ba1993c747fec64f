package reports

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible writes untrusted text as one line that does nothing to a terminal:
// controls, line ends, bidirectional and other invisible format characters and
// bytes that are no UTF-8 become escapes such as \n, \x1b or \u202e.
func Visible(s string) string { return visible(s, "") }

// VisibleText is Visible for text of several lines: line feeds and tabs stay.
func VisibleText(s string) string { return visible(s, "\n\t") }

// command matches what log readers of build services take for a command
// anywhere in a line: ##[…], ##vso[…] and the like.
var command = regexp.MustCompile(`##([A-Za-z]*)\[`)

// Line is Visible for text that is printed where a build service reads along:
// neither ::command:: at its start nor ##[command] within it stays one.
func Line(s string) string {
	s = command.ReplaceAllString(Visible(s), `#\x23$1[`)
	text := strings.TrimLeftFunc(s, unicode.IsSpace)
	if !strings.HasPrefix(text, "::") {
		return s
	}
	return s[:len(s)-len(text)] + `\x3a` + text[1:]
}

// Lines is Line for each line of a text.
func Lines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Line(line)
	}
	return strings.Join(lines, "\n")
}

// Cell is VisibleText for a cell of a CSV file: what a spreadsheet would take
// for a formula (first = + - @, also in their full-width forms and after blanks,
// or a tab or line end at the start) gets a leading apostrophe.
func Cell(s string) string {
	s = VisibleText(s)
	rest := strings.TrimLeftFunc(s, unicode.IsSpace)
	first, _ := utf8.DecodeRuneInString(rest)
	if strings.ContainsAny(s[:len(s)-len(rest)], "\t\n") || strings.ContainsRune("=+-@＝＋－＠", first) || strings.HasPrefix(rest, `\r`) {
		return "'" + s
	}
	return s
}

// Clip shortens text to at most so many runes, the last one then an ellipsis.
func Clip(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	runes := []rune(s)
	return string(runes[:most-1]) + "…"
}

// Hidden tells whether a rune shows nothing, or something else than itself:
// controls, format characters, and line and paragraph separators.
func Hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

func visible(s, keep string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, Hidden) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case strings.ContainsRune(keep, r) || !Hidden(r):
			b.WriteRune(r)
		default:
			b.WriteString(escape(r))
		}
		i += size
	}
	return b.String()
}

func escape(r rune) string {
	switch r {
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	switch {
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}
