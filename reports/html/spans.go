package html

import (
	"unicode/utf8"

	"github.com/disteval/disteval/metrics/text"
	"github.com/disteval/disteval/queries"
)

// mostChars is how many characters of a text the page holds; replies.jsonl
// holds the rest.
const mostChars = 20_000

// mostAligned bounds the work of finding a longest common subsequence, in
// bytes of the reference times bytes of the reply. Beyond it none is marked.
const mostAligned = 1 << 22

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

// marker finds what is to be highlighted in replies. Its offsets are UTF-16
// code units, as JavaScript counts; they are valid until the next call.
type marker struct {
	scorer       text.Scorer
	words        text.Words
	keyword, lcs []int // start, end, start, end, ...
}

// mark finds the keyword that em sees in the reply, and the words that it has
// in common with the reference by ROUGE-L.
func (m *marker) mark(q queries.Query, reply string) {
	m.keyword, m.lcs = m.keyword[:0], m.lcs[:0]
	m.words.Reset(reply)
	if found := m.scorer.Keyword(q.Keyword, q.Aliases, reply, &m.words); found.Found {
		m.keyword = append(m.keyword, found.Start, found.End)
	}
	if len(q.Reference)*len(reply) <= mostAligned && m.scorer.Rouge(q.Reference, reply).LCS > 0 {
		shared, _ := m.scorer.Align(q.Reference, reply)
		for _, s := range shared {
			m.lcs = append(m.lcs, s.TextStart, s.TextEnd)
		}
	}
	toUTF16(reply, m.keyword)
	toUTF16(reply, m.lcs)
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
