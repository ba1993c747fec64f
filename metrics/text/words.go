// Package text compares texts by their words: the keyword match of em, the
// exact match of SQuAD and ROUGE-L.
//
// Policy: each metric cuts a text into words by its own published rules, to
// the letter, so that its numbers can be compared with other people's. Texts
// are untrusted: any bytes are a text, and none makes a function panic, leave
// its range or take more than linear memory. Scratch memory belongs to a
// Scorer, so that scoring a pair allocates nothing.
package text

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Words is a text cut into the words that em compares, by the rules of
// docs/metrics.md. The zero value holds no words.
type Words struct {
	joined []byte // every word with a boundary before and after: " paris is "
	spans  []span
	loose  bool // joined has a boundary other than hard
	soft   bool // joined has a boundary that is soft or glue

	text   string    // during Reset
	tail   int       // where the last word ends in text, its full stop included
	space  rune      // what parts the groups of the number just read; 0 where nothing does yet
	runes  []sourced // scratch of one segment
	buffer [64]byte
}

// Boundaries between words in Words.joined. No word holds one of these bytes.
const (
	hard  = ' '
	soft  = 0x01 // both ways of writing are meant: J R and JR
	glue  = 0x02 // as soft, but no place for a keyword to begin or end: 90s and 90 s
	touch = 0x03 // between two characters of a script without spaces, which touch
)

// opens says whether a keyword may begin or end at a boundary.
func opens(c byte) bool { return c == hard || c == soft || c == touch }

// span is where a word stands: in Words.joined and in the text.
type span struct {
	from, to   int
	start, end int
	kind       kind
}

// kind says what a word may do with its neighbours.
type kind uint8

const (
	initials  kind = 1 << iota // single letters: U.S.
	stopped                    // a full stop stands behind the last of them
	together                   // they are written without spaces, as in U.S.
	whole                      // a whole number that a group of three digits may follow
	character                  // one character of a script without spaces
)

// keepScratch is the number of elements above which scratch memory is given
// back, so that one huge text does not stay with the Scorer.
const keepScratch = 1 << 20

// Len returns the number of words.
func (w *Words) Len() int { return len(w.spans) }

// At returns the i-th word, normalised; it is valid until the next Reset.
func (w *Words) At(i int) []byte { return w.joined[w.spans[i].from:w.spans[i].to] }

// Offsets returns the bytes of the text that the i-th word was made of.
func (w *Words) Offsets(i int) (start, end int) { return w.spans[i].start, w.spans[i].end }

// Reset cuts text into words in place of those held before.
func (w *Words) Reset(text string) {
	if cap(w.joined) > keepScratch || cap(w.spans) > keepScratch || cap(w.runes) > keepScratch {
		w.joined, w.spans, w.runes = nil, nil, nil
	}
	w.joined, w.spans = append(w.joined[:0], hard), w.spans[:0]
	w.loose, w.soft, w.text, w.tail = false, false, text, 0
	for i := 0; i < len(text); {
		if plain[text[i]] == separates {
			i++
			continue
		}
		i = w.segment(i)
	}
	w.text = ""
}

// Kinds of byte. A segment is a run of bytes that do not certainly separate;
// only initials, groups of digits and mixed fractions look beyond its ends.
const (
	decides   = 0 // depends on what stands beside it, or is not ASCII
	separates = 1
)

// plain maps a letter or digit of ASCII to itself in lower case, and other
// bytes to their kind.
var plain = plainTable()

func plainTable() (table [256]byte) {
	for c := range 128 {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			table[c] = byte(c)
		case 'A' <= c && c <= 'Z':
			table[c] = byte(c) + 'a' - 'A'
		case strings.IndexByte("'`.,+#-/^", byte(c)) >= 0:
			table[c] = decides
		default:
			table[c] = separates
		}
	}
	return table
}

// segment adds the words of the segment that starts at i, or the first of
// them, and returns where to go on. Nearly all segments are one ASCII word,
// perhaps with a mark at its end.
func (w *Words) segment(i int) (next int) {
	text, from, end, digits := w.text, len(w.joined), i, 0
	for end < len(text) {
		c := plain[text[end]]
		if c <= separates {
			break
		}
		w.joined = append(w.joined, c)
		digits += int(1 - c>>6) // bit 6 tells letters from digits
		end++
	}
	if digits == 0 && end-i > 1 && (end == len(text) || closing[text[end]]) {
		w.close(span{from: from, start: i, end: end})
		return end
	}
	if k, ok := w.simple(i, end, digits); ok {
		w.close(span{from: from, start: i, end: end, kind: k})
		return end
	}
	w.joined = w.joined[:from]
	if end == i && !w.decidesHere(i) {
		return i + 1
	}
	return w.mixedSegment(i)
}

// closing lists the bytes that end two or more letters of ASCII for certain.
var closing = func() (table [256]bool) {
	for c := range table {
		table[c] = plain[c] == separates || strings.IndexByte(".,-/", byte(c)) >= 0
	}
	return table
}()

// simple says whether text[i:end], a single letter or some digits, is a word
// whatever stands further away, and of which kind.
func (w *Words) simple(i, end, digits int) (k kind, ok bool) {
	text, n := w.text, end-i
	switch {
	case n == 1 && digits == 0 && w.last().kind&initials == 0:
		k = initials
	case n > 0 && digits == n && w.last().kind&whole == 0:
		if n <= 3 && text[i] != '0' {
			k, w.space = whole, 0
		}
	default:
		return 0, false
	}
	if end == len(text) || plain[text[end]] == separates {
		return k, true
	}
	return k, text[end] == ',' && (end+1 == len(text) || plain[text[end+1]] == separates) ||
		digits > 0 && text[end] == '.' && (end+1 == len(text) || plain[text[end+1]] == separates)
}

// decidesHere says whether the byte at i, which is no letter or digit of
// ASCII, may begin a word: the sign or the point of a number, or what is not
// ASCII.
func (w *Words) decidesHere(i int) bool {
	switch w.text[i] {
	case '.', '-', '+':
		return i+1 < len(w.text) && plain[w.text[i+1]] != separates
	case '\'', '`', ',', '#', '/', '^':
		return false
	}
	return true
}

// last returns the word before the one that is being read.
func (w *Words) last() *span {
	if len(w.spans) == 0 {
		return &noWord
	}
	return &w.spans[len(w.spans)-1]
}

var noWord span

// close ends the word that was appended to joined at s.from.
func (w *Words) close(s span) {
	s.to, w.tail = len(w.joined), s.end
	w.spans = append(w.spans, s)
	w.joined = append(w.joined, hard)
}

// reopen takes the last word back, so that more can be appended to it.
func (w *Words) reopen() span {
	s := *w.last()
	w.spans, w.joined = w.spans[:len(w.spans)-1], w.joined[:s.to]
	return s
}

// loosen replaces the boundary behind the last word.
func (w *Words) loosen(boundary byte) {
	w.joined[len(w.joined)-1] = boundary
	w.loose, w.soft = true, w.soft || boundary != touch
}

// mixedSegment normalises the segment at i and applies every rule to it.
func (w *Words) mixedSegment(i int) (next int) {
	w.runes = w.runes[:0]
	for next = i; next < len(w.text) && plain[w.text[next]] != separates; {
		next = w.normalise(w.text, next)
	}
	for at := 0; at < len(w.runes); {
		switch {
		case w.numberAt(at):
			at = w.number(at)
		case w.runes[at].class != letter:
			at++
		case w.runes[at].script == unspaced:
			at = w.character(at)
		case w.initialAt(at):
			at = w.initials(at)
		default:
			at = w.word(at)
		}
	}
	return next
}

// keyword returns the words as a pattern to look for, with the boundaries
// around it, a leading article left out where something follows it; nil
// without a word.
func (w *Words) keyword() []byte {
	if w.Len() == 0 {
		return nil
	}
	if n := w.LeadingArticle(); n > 0 {
		return w.joined[w.spans[n].from-1:]
	}
	return w.joined
}

// LeadingArticle is how many words at the start a keyword may do without: 1
// for an article before something else, otherwise 0.
func (w *Words) LeadingArticle() int {
	if w.Len() > 1 && isArticle(w.At(0)) && w.spans[0].kind&stopped == 0 && w.joined[w.spans[0].to] == hard {
		return 1
	}
	return 0
}

func isArticle(word []byte) bool {
	switch string(word) {
	case "a", "an", "the":
		return true
	}
	return false
}

// find returns the first run of whole words, from word from on, that pattern
// stands for; ok is false where there is none. pattern is what answer.keyword
// returns.
func (w *Words) find(answer *Words, pattern []byte, from int) (first, last int, ok bool) {
	if from >= w.Len() {
		return 0, 0, false
	}
	if w.soft || answer.soft {
		return w.findSoft(pattern[1:len(pattern)-1], from)
	}
	if w.loose || answer.loose {
		pattern = pattern[1 : len(pattern)-1]
	}
	for at := w.spans[from].from - 1; ; at++ {
		found := bytes.Index(w.joined[at:], pattern)
		if found < 0 {
			return 0, 0, false
		}
		at += found
		end := at + len(pattern)
		switch {
		case !w.loose && !answer.loose:
			return w.wordAt(at + 1), w.wordAt(end - 2), true
		case opens(w.joined[at-1]) && opens(w.joined[end]):
			return w.wordAt(at), w.wordAt(end - 1), true
		}
	}
}

// wordAt returns the word that holds a byte of joined.
func (w *Words) wordAt(at int) int {
	i, _ := slices.BinarySearchFunc(w.spans, at, func(s span, at int) int { return cmp.Compare(s.to-1, at) })
	return i
}

// findSoft is find where a boundary may be there or not.
func (w *Words) findSoft(core []byte, from int) (first, last int, ok bool) {
	for i := from; i < w.Len(); i++ {
		at := w.spans[i].from
		if !opens(w.joined[at-1]) {
			continue
		}
		if end := w.match(core, at); end >= 0 && opens(w.joined[end]) {
			return i, w.wordAt(end - 1), true
		}
	}
	return 0, 0, false
}

// match returns where core ends in joined from at on; -1 where it is not there.
func (w *Words) match(core []byte, at int) (end int) {
	isSoft := func(c byte) bool { return c == soft || c == glue }
	for i := 0; i < len(core); {
		if at == len(w.joined) {
			return -1
		}
		a, b := core[i], w.joined[at]
		switch {
		case a == b, isSoft(a) && (isSoft(b) || b == hard), a == hard && isSoft(b):
			i, at = i+1, at+1
		case isSoft(a):
			i++
		case isSoft(b):
			at++
		default:
			return -1
		}
	}
	return at
}

// gap is the text between the last word and what begins at start.
func (w *Words) gap(start int) string { return w.text[min(w.tail, start):start] }

// appendRune adds a rune to the word that is being read.
func (w *Words) appendRune(r rune) { w.joined = utf8.AppendRune(w.joined, r) }
