package text

import (
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// sourced is a normalised rune and the bytes of the text it comes from.
type sourced struct {
	r          rune
	start, end int
	class      class
	order      uint8 // of a mark: its canonical combining class
	script     script
}

// class is a rune's part in a word.
type class uint8

const (
	other      class = iota // separates, unless a rule gives it a meaning
	letter                  // a letter, or a number that is no digit
	digit                   // a decimal digit
	mark                    // a vowel sign, tone mark or voicing mark
	raised                  // a raised digit or sign: an exponent
	vulgar                  // of a fraction that is one character
	apostrophe              // whatever its shape
)

// script is a writing system. A letter of none in particular, such as ʰ, is
// common and makes no border.
type script uint16

const (
	common script = iota
	latin
	greek
	cyrillic
	unspaced    // those written without spaces, or with particles on the word
	firstScript // of the others, in the order of their names
)

// normalise appends what the rune at i becomes: compatibility-decomposed, case
// folded, without accents.
func (w *Words) normalise(text string, i int) (next int) {
	if c := text[i]; c < utf8.RuneSelf {
		w.appendASCII(c, i, i+1)
		return i + 1
	}
	r, size := utf8.DecodeRuneInString(text[i:])
	at := sourced{r: r, start: i, end: i + size}
	switch {
	case r == utf8.RuneError && size == 1, r == '™', r == '℠':
		at.r = ' '
		w.runes = append(w.runes, at)
	case r == '\u200b': // parts words, but in scripts without spaces only lines
		if n := len(w.runes); n == 0 || w.runes[n-1].script != unspaced {
			at.r = ' '
			w.runes = append(w.runes, at)
		}
	case isInvisible(r):
	case apostrophes(r):
		at.r, at.class = '\'', apostrophe
		w.runes = append(w.runes, at)
	case r == '⁺' || r == '⁻' || isRaisedDigit(r):
		at.class = raised
		w.decompose(text[i:i+size], at)
	case 0xac00 <= r && r <= 0xd7a3:
		at.class, at.script = letter, unspaced
		w.runes = append(w.runes, at)
	default:
		w.decompose(text[i:i+size], at)
	}
	return i + size
}

func (w *Words) appendASCII(c byte, start, end int) {
	at := sourced{r: rune(c), start: start, end: end}
	switch lower := plain[c]; {
	case lower > '9':
		at.r, at.class, at.script = rune(lower), letter, latin
	case lower > separates:
		at.class = digit
	case c == '\'' || c == '`':
		at.r, at.class = '\'', apostrophe
	}
	w.runes = append(w.runes, at)
}

// decompose appends what NFKD makes of one rune. at.class is raised for what
// is a raised digit as a whole.
func (w *Words) decompose(one string, at sourced) {
	squared := 0x3371 <= at.r && at.r <= 0x33df // a unit such as ㎡, whose digit is raised
	if norm.NFKD.PropertiesString(one).Decomposition() == nil && at.class != raised && !unicode.Is(unicode.M, at.r) {
		w.appendFolded(at.r, at)
		return
	}
	parts := norm.NFKD.AppendString(w.buffer[:0], one)
	first := len(w.runes)
	for len(parts) > 0 {
		r, n := utf8.DecodeRune(parts)
		parts = parts[n:]
		at := at
		switch {
		case at.class == raised:
			at.r = sign(r)
			w.runes = append(w.runes, at)
		case squared && '0' <= r && r <= '9':
			at.r, at.class = r, raised
			w.runes = append(w.runes, at)
		case r < utf8.RuneSelf:
			w.appendASCII(byte(r), at.start, at.end)
		case unicode.Is(unicode.M, r):
			w.appendMark(r, at)
		default:
			w.appendFolded(r, at)
		}
	}
	if slices.ContainsFunc(w.runes[first:], func(s sourced) bool { return s.r == '⁄' }) && at.r != '⁄' {
		for k := first; k < len(w.runes); k++ {
			w.runes[k].class = vulgar
		}
	}
}

// mostMarks is how far a mark is moved to put it in order. No letter of any
// language has as many (Unicode, UAX 15, stream-safe text).
const mostMarks = 30

// appendMark leaves accents and points out. The other marks are sorted as
// Unicode's canonical order has them.
func (w *Words) appendMark(r rune, at sourced) {
	if n := len(w.runes); n == 0 || w.runes[n-1].class != letter && w.runes[n-1].class != mark {
		return // belongs to no letter
	}
	if r <= '\u036f' || r != '\u3099' && r != '\u309a' && unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Arabic, unicode.Hebrew, unicode.Inherited) {
		return
	}
	at.r, at.class, at.order = r, mark, norm.NFD.PropertiesString(string(r)).CCC()
	w.runes = append(w.runes, at)
	for k, least := len(w.runes)-1, len(w.runes)-mostMarks; k > max(0, least) && w.runes[k-1].class == mark; k-- {
		if at.order == 0 || w.runes[k-1].order <= at.order {
			break
		}
		w.runes[k-1], w.runes[k] = w.runes[k], w.runes[k-1]
	}
}

// appendFolded does full case folding and gives Latin letters that do not
// decompose their usual spelling. A few small letters are variants of others,
// which their capital leads to; for the rest the lower case tells the same
// letters apart as the folded case (which for Cherokee is the upper).
func (w *Words) appendFolded(r rune, at sourced) {
	if r == 'ς' || 0x1c80 <= r && r <= 0x1c88 {
		r = unicode.ToUpper(r)
	}
	r = unicode.ToLower(r)
	if r < lastSpelled {
		if spelling := spellings[r]; spelling != "" {
			for k := range len(spelling) {
				w.appendASCII(spelling[k], at.start, at.end)
			}
			return
		}
	}
	at.r = sign(r)
	switch {
	case 'а' <= r && r <= 'я':
		at.class, at.script = letter, cyrillic
	case apostrophes(r):
		at.r, at.class = '\'', apostrophe
	case unicode.IsDigit(r):
		at.class = digit
	case unicode.IsLetter(r) || unicode.IsNumber(r):
		at.class, at.script = letter, scriptOf(r)
		if n := len(w.runes); n > 0 && 0x1161 <= r && r <= 0x11c2 {
			if syllable := composed(w.runes[n-1].r, r); syllable != 0 {
				w.runes[n-1].r, w.runes[n-1].end = syllable, at.end
				return
			}
		}
	}
	w.runes = append(w.runes, at)
}

// composed is the Hangul syllable of a syllable's beginning and the next
// letter of it; 0 where the two make none (Unicode, 3.12).
func composed(a, b rune) rune {
	switch {
	case 0x1100 <= a && a <= 0x1112 && b <= 0x1175:
		return 0xac00 + ((a-0x1100)*21+b-0x1161)*28
	case 0xac00 <= a && a <= 0xd7a3 && (a-0xac00)%28 == 0 && b >= 0x11a8:
		return a + b - 0x11a7
	}
	return 0
}

// sign makes one of the shapes of minus.
func sign(r rune) rune {
	switch r {
	case '−', '–', '‒':
		return '-'
	}
	return r
}

// apostrophes says whether r stands for an apostrophe or for the sound that
// Hawaiian, Arabic and Ukrainian write with one; Unicode calls some of them
// letters.
func apostrophes(r rune) bool {
	switch r {
	case '\'', '`', '´', '΄', '‘', '’', '‛', '′', 'ʹ', 'ʻ', 'ʼ', 'ʽ', 'ʾ', 'ʿ', 'ˈ', 'ˊ', 'ˋ', 'ꞌ', '՚', '׳', '״':
		return true
	}
	return false
}

func isRaisedDigit(r rune) bool {
	return r == '¹' || r == '²' || r == '³' || r == '⁰' || '⁴' <= r && r <= '⁹'
}

// isInvisible says whether r is to be passed over: it joins letters or
// stretches or varies them, or says which way to write or where to break.
func isInvisible(r rune) bool {
	switch {
	case r < '\u0600':
		return r == '\u00ad' || r == '\u034f'
	case 0x0900 <= r && r < 0x180b, 0x2070 <= r && r < 0xfe00:
		return false
	case r == '\u0640' || unicode.Is(unicode.Variation_Selector, r):
		return true
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r), 0xfff9 <= r && r <= 0xfffb, 0x13430 <= r && r <= 0x1345f:
		return false // it is seen
	}
	return unicode.Is(unicode.Cf, r)
}

// spellings are of Latin letters in lower case that have no decomposition.
var spellings = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'þ': "th", 'ð': "d", 'đ': "d", 'ħ': "h", 'ı': "i", 'ĸ': "q", 'ł': "l", 'ŋ': "n", 'ø': "o", 'ŧ': "t",
	'ƀ': "b", 'ɓ': "b", 'ƈ': "c", 'ɖ': "d", 'ɗ': "d", 'ə': "e", 'ɛ': "e", 'ƒ': "f", 'ɠ': "g", 'ǥ': "g", 'ɨ': "i", 'ƙ': "k", 'ƚ': "l",
	'ɲ': "n", 'ƞ': "n", 'ɔ': "o", 'ɵ': "o", 'ƥ': "p", 'ɍ': "r", 'ƭ': "t", 'ʈ': "t", 'ʉ': "u", 'ʋ': "v", 'ƴ': "y", 'ɏ': "y", 'ƶ': "z", 'ȥ': "z",
}

// lastSpelled is beyond the letters that spellings holds.
const lastSpelled = 0x2b0

// scriptOf returns the script of a letter that is not ASCII.
func scriptOf(r rune) script {
	switch {
	case r < 0x250, 0x1e00 <= r && r < 0x1f00:
		if unicode.Is(unicode.Latin, r) {
			return latin
		}
		return common
	case 0x400 <= r && r < 0x530:
		return cyrillic
	case r == 'ー':
		return unspaced
	}
	ranges := scripts()
	at, found := slices.BinarySearchFunc(ranges, r, func(x scriptRange, r rune) int {
		switch {
		case x.hi < r:
			return -1
		case x.lo > r:
			return 1
		}
		return 0
	})
	if !found {
		return common
	}
	return ranges[at].script
}

type scriptRange struct {
	lo, hi rune
	script script
}

// scripts lists the ranges of all scripts but the common ones, in order.
var scripts = sync.OnceValue(func() []scriptRange {
	known := map[string]script{
		"Latin": latin, "Greek": greek, "Cyrillic": cyrillic, "Han": unspaced, "Hiragana": unspaced, "Katakana": unspaced, "Bopomofo": unspaced,
		"Thai": unspaced, "Lao": unspaced, "Khmer": unspaced, "Myanmar": unspaced, "Hangul": unspaced, "Common": common, "Inherited": common,
	}
	names := make([]string, 0, len(unicode.Scripts))
	for name := range unicode.Scripts {
		names = append(names, name)
	}
	slices.Sort(names)
	var list []scriptRange
	for i, name := range names {
		s, ok := known[name]
		if !ok {
			s = firstScript + script(i)
		}
		if s == common {
			continue
		}
		for _, x := range unicode.Scripts[name].R16 {
			list = appendRange(list, rune(x.Lo), rune(x.Hi), rune(x.Stride), s)
		}
		for _, x := range unicode.Scripts[name].R32 {
			list = appendRange(list, rune(x.Lo), rune(x.Hi), rune(x.Stride), s)
		}
	}
	slices.SortFunc(list, func(a, b scriptRange) int { return int(a.lo - b.lo) })
	return list
})

func appendRange(list []scriptRange, lo, hi, stride rune, s script) []scriptRange {
	if stride == 1 {
		return append(list, scriptRange{lo, hi, s})
	}
	for r := lo; r <= hi; r += stride {
		list = append(list, scriptRange{r, r, s})
	}
	return list
}
