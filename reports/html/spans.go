package html

import (
	"unicode/utf8"

	"github.com/disteval/disteval/reports"
)

// mostChars is how many characters of a text the page holds; replies.jsonl
// holds the rest.
const mostChars = 20_000

// clip cuts a text that is too long for the page. all is its length in
// characters where it was cut, otherwise 0.
func clip(s string) (shown string, all int) {
	if len(s) <= mostChars {
		return s, 0
	}
	n := 0
	for i := range s {
		if n == mostChars {
			return s[:i], utf8.RuneCountInString(s)
		}
		n++
	}
	return s, 0
}

// appendSpans appends the spans that lie in the shown text as offsets in
// UTF-16 code units, as JavaScript counts: start, end, start, end, ...
func appendSpans(to []int, shown string, spans []reports.Span) []int {
	first := len(to)
	for _, s := range spans {
		if s.Start < len(shown) {
			to = append(to, s.Start, min(s.End, len(shown)))
		}
	}
	toUTF16(shown, to[first:])
	return to
}

// toUTF16 turns ascending offsets in bytes into UTF-16 code units. A byte that
// is no UTF-8 counts as the one unit that stands for it in the page.
func toUTF16(s string, offsets []int) {
	units, at := 0, 0
	for i, offset := range offsets {
		for at < offset {
			r, size := utf8.DecodeRuneInString(s[at:])
			units++
			if r > 0xFFFF {
				units++
			}
			at += size
		}
		offsets[i] = units
	}
}
