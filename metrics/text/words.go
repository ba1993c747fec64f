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
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Words is a text cut into the words that em compares: NFKD, combining marks
// removed, full case folding; a word is a run of letters and digits with the
// exceptions of the rules below. The zero value holds no words.
type Words struct {
	joined []byte // every word with a space before and after: " paris is "
	spans  []span
	runes  []sourced // scratch of one segment
	buffer [64]byte
}

// span is where a word stands: in Words.joined and in the text.
type span struct {
	from, to   int
	start, end int
}

// sourced is a normalised rune and the bytes of the text it comes from.
type sourced struct {
	r          rune
	start, end int
}

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
	w.joined, w.spans = append(w.joined[:0], ' '), w.spans[:0]
	for i := 0; i < len(text); {
		if plain[text[i]] == separates {
			i++
			continue
		}
		i = w.segment(text, i)
	}
}

// Kinds of byte. A segment is a run of bytes that do not certainly separate;
// no rule looks beyond its ends.
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
		case c == '\'', c == '.', c == ',', c == '+', c == '#':
			table[c] = decides
		default:
			table[c] = separates
		}
	}
	return table
}

// segment adds the words of the segment that starts at i and returns its end.
// Nearly all of them are one ASCII word, perhaps with a mark at its end.
func (w *Words) segment(text string, i int) (next int) {
	from, end := len(w.joined), i
	for end < len(text) && plain[text[end]] > separates {
		w.joined = append(w.joined, plain[text[end]])
		end++
	}
	mark := end
	if mark < len(text) && (text[mark] == '.' || text[mark] == ',') {
		mark++
	}
	if end > i && (mark == len(text) || plain[text[mark]] == separates) {
		w.close(from, i, end)
		return mark
	}
	w.joined = w.joined[:from]
	return w.mixedSegment(text, i)
}

// close ends the word that was appended to joined at from.
func (w *Words) close(from, start, end int) {
	w.spans = append(w.spans, span{from, len(w.joined), start, end})
	w.joined = append(w.joined, ' ')
}

// mixedSegment normalises the segment at i and applies every rule to it.
func (w *Words) mixedSegment(text string, i int) (next int) {
	w.runes = w.runes[:0]
	for i < len(text) && plain[text[i]] != separates {
		i = w.normalise(text, i)
	}
	for at := 0; at < len(w.runes); {
		if !isWord(w.runes[at].r) {
			at++
			continue
		}
		at = w.word(at)
	}
	return i
}

// normalise appends what the rune at i becomes. Decomposing rune by rune
// differs from NFKD only in the order of combining marks, which go anyway.
func (w *Words) normalise(text string, i int) (next int) {
	if c := text[i]; c < utf8.RuneSelf {
		r := rune(c)
		if plain[c] > separates {
			r = rune(plain[c])
		}
		w.runes = append(w.runes, sourced{r, i, i + 1})
		return i + 1
	}
	r, size := utf8.DecodeRuneInString(text[i:])
	if r == utf8.RuneError {
		w.runes = append(w.runes, sourced{r, i, i + size})
		return i + size
	}
	decomposed := norm.NFKD.AppendString(w.buffer[:0], text[i:i+size])
	for len(decomposed) > 0 {
		part, n := utf8.DecodeRune(decomposed)
		if !unicode.Is(unicode.M, part) {
			w.appendFolded(part, i, i+size)
		}
		decomposed = decomposed[n:]
	}
	return i + size
}

// appendFolded does full case folding. After NFKD only the sharp s folds to
// more than one letter; a few small letters are variants of others, which
// their capital leads to; for the rest the lower case tells the same letters
// apart as the folded case (which for Cherokee is the upper).
func (w *Words) appendFolded(r rune, start, end int) {
	switch {
	case r == 'ß' || r == 'ẞ':
		w.runes = append(w.runes, sourced{'s', start, end})
		r = 's'
	case r == 'ς' || 0x1c80 <= r && r <= 0x1c88:
		r = unicode.ToUpper(r)
	}
	w.runes = append(w.runes, sourced{unicode.ToLower(r), start, end})
}

// word adds the word that starts at rune i and returns where it ends.
func (w *Words) word(i int) (next int) {
	from, start, end := len(w.joined), w.runes[i].start, 0
	keep := func() {
		w.joined = utf8.AppendRune(w.joined, w.runes[i].r)
		end = w.runes[i].end
		i++
	}
	for keep(); i < len(w.runes); {
		switch r := w.runes[i].r; {
		case isWord(r):
			keep()
		case w.possessive(i):
			w.close(from, start, end)
			return i + 2
		case isApostrophe(r) && w.wordAt(i+1):
			i++
		case r == '.' && w.digitAt(i-1) && w.digitAt(i+1):
			keep()
		case r == '.' && w.initialAt(i-1) && w.initialAt(i+1), r == ',' && w.groupsDigits(i):
			i++
		case isSign(r) && unicode.IsLetter(w.runes[i-1].r):
			for i < len(w.runes) && isSign(w.runes[i].r) {
				keep()
			}
			w.close(from, start, end)
			if w.possessive(i) {
				i += 2
			}
			return i
		default:
			w.close(from, start, end)
			return i
		}
	}
	w.close(from, start, end)
	return i
}

func isApostrophe(r rune) bool { return r == '\'' || r == '’' || r == 'ʼ' }

// isWord says whether r is a letter or a digit; Unicode's ʼ is a letter by
// category, but an apostrophe here.
func isWord(r rune) bool {
	return r != 'ʼ' && (unicode.IsLetter(r) || unicode.IsNumber(r))
}

func isSign(r rune) bool { return r == '+' || r == '#' }

func (w *Words) wordAt(i int) bool {
	return 0 <= i && i < len(w.runes) && isWord(w.runes[i].r)
}

func (w *Words) digitAt(i int) bool {
	return 0 <= i && i < len(w.runes) && unicode.IsDigit(w.runes[i].r)
}

// initialAt says whether a single letter stands at i.
func (w *Words) initialAt(i int) bool {
	return w.wordAt(i) && unicode.IsLetter(w.runes[i].r) && !w.wordAt(i-1) && !w.wordAt(i+1)
}

// possessive says whether a final 's stands at i.
func (w *Words) possessive(i int) bool {
	return i+1 < len(w.runes) && isApostrophe(w.runes[i].r) && w.runes[i+1].r == 's' && !w.wordAt(i+2)
}

// groupsDigits says whether the comma at i stands between groups of three
// digits, of which the first may be shorter.
func (w *Words) groupsDigits(i int) bool {
	before, after := 0, 0
	for before < 4 && w.digitAt(i-1-before) {
		before++
	}
	for after < 4 && w.digitAt(i+1+after) {
		after++
	}
	return 1 <= before && before <= 3 && after == 3
}

// keyword returns the words as a pattern to look for in joined, a leading
// article left out where something follows it; nil without a word.
func (w *Words) keyword() []byte {
	if w.Len() == 0 {
		return nil
	}
	if w.Len() > 1 && isArticle(w.At(0)) {
		return w.joined[w.spans[1].from-1:]
	}
	return w.joined
}

func isArticle(word []byte) bool {
	switch string(word) {
	case "a", "an", "the":
		return true
	}
	return false
}

// find returns the first word at or after word from where pattern, as keyword
// returns it, stands as a run of whole words; -1 where it does not.
func (w *Words) find(pattern []byte, from int) int {
	if len(pattern) == 0 || from >= w.Len() {
		return -1
	}
	offset := w.spans[from].from - 1
	at := bytes.Index(w.joined[offset:], pattern)
	if at < 0 {
		return -1
	}
	return from + bytes.Count(w.joined[offset:offset+at], []byte{' '})
}
