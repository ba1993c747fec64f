package text

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// A number is one word: its sign, its digits without what parts groups of
// three, a point before its decimals. A mixed number is 2_1/2, a power 10^2.

// numberAt says whether a number begins at rune i: with a digit, a fraction, a
// sign or a point.
func (w *Words) numberAt(i int) bool {
	if w.is(i, '-') || w.is(i, '+') {
		return w.runes[i].class == other && w.mayBeSigned(i) && (w.digitAt(i+1) || w.classAt(i+1) == vulgar || w.is(i+1, '.') && w.digitAt(i+2))
	}
	if w.is(i, '.') {
		return w.digitAt(i+1) && !w.behindWord(i) && w.before(i) != '.'
	}
	return w.digitAt(i) || w.classAt(i) == vulgar && w.runes[i].r != '⁄'
}

func (w *Words) digitAt(i int) bool { return w.classAt(i) == digit }

// digitsFrom counts the digits from rune i on, at most five of them.
func (w *Words) digitsFrom(i int) (n int) {
	for n < 5 && w.digitAt(i+n) {
		n++
	}
	return n
}

// before returns what stands before rune i in the text: a rune of the segment,
// or the byte of ASCII before it; 0 at the beginning.
func (w *Words) before(i int) rune {
	switch {
	case i > 0:
		return w.runes[i-1].r
	case w.runes[0].start == 0:
		return 0
	}
	return rune(w.text[w.runes[0].start-1])
}

// behindWord says whether a letter or digit stands before rune i.
func (w *Words) behindWord(i int) bool {
	if i == 0 {
		c := w.before(0)
		return c < utf8.RuneSelf && plain[c] > separates
	}
	return w.classAt(i-1) != other && w.classAt(i-1) != apostrophe
}

// mayBeSigned says whether what stands before the dash at i lets it be a sign:
// no letter or digit, nor what ends a quantity (10%-20%, 5'-6') or another dash.
func (w *Words) mayBeSigned(i int) bool {
	return !w.behindWord(i) && !strings.ContainsRune("-+.°‰%)]}—", w.before(i)) && !(w.classAt(i-1) == apostrophe && w.digitAt(i-2))
}

// number adds the number at rune i and returns where to go on.
func (w *Words) number(i int) (next int) {
	s := span{from: len(w.joined), start: w.runes[i].start}
	continued := w.continuesGroups(i)
	if continued {
		s = w.reopen()
	}
	if w.is(i, '-') || w.is(i, '+') {
		w.keep(&s, w.runes[i])
		i++
	}
	if w.classAt(i) == vulgar {
		i = w.vulgar(&s, i)
		return w.suffix(w.mixed(s), i)
	}
	digits, plainDigits := w.digitsFrom(i), true
	s.kind = 0
	if digits == 0 {
		w.joined = append(w.joined, '0')
	} else {
		i, plainDigits = w.digits(&s, i, !continued)
		if plainDigits && (continued || digits <= 3 && w.joined[len(w.joined)-digits] != '0') {
			s.kind = whole
		}
		if !continued {
			w.space = 0
		}
	}
	switch {
	case w.decimalAt(i) || digits == 0:
		s.kind = 0
		i = w.decimals(&s, i)
	case s.kind == whole && w.classAt(i) == vulgar:
		w.joined = append(w.joined, '_')
		i, s.kind = w.vulgar(&s, i), 0
	case plainDigits && !continued && w.slashAt(i, digits):
		i = w.slash(&s, i)
		s = w.mixed(s)
	}
	if w.exponentAt(i) {
		i, s.kind = w.exponent(&s, i), 0
	}
	return w.suffix(s, i)
}

// continuesGroups says whether exactly three digits stand at i, one space
// behind a number that they may be a group of. The space is of the same kind
// between all groups.
func (w *Words) continuesGroups(i int) bool {
	if w.last().kind&whole == 0 || w.digitsFrom(i) != 3 {
		return false
	}
	space, size := oneSpace(w.gap(w.runes[i].start))
	if size == 0 || w.space != 0 && w.space != space {
		return false
	}
	w.space = space
	return true
}

// oneSpace returns the space that gap consists of; its size is 0 where gap is
// anything else.
func oneSpace(gap string) (space rune, size int) {
	for at, r := range gap {
		if at > 0 || !isSpace(r) {
			return 0, 0
		}
		space, size = r, len(gap)
	}
	return space, size
}

// digits adds the digits at i, and where grouped allows it those of the groups
// behind them. plain tells that there were no groups.
func (w *Words) digits(s *span, i int, grouped bool) (next int, plain bool) {
	zero, first := w.is(i, '0'), w.digitsFrom(i)
	for w.digitAt(i) {
		w.keep(s, w.runes[i])
		i++
	}
	plain = true
	for grouped && !zero && first <= 3 && w.groupAt(i) {
		plain = false
		for i++; w.digitAt(i); i++ {
			w.keep(s, w.runes[i])
		}
	}
	return i, plain
}

// groupAt says whether what stands at i parts groups of digits: one to three
// before it, three behind it.
func (w *Words) groupAt(i int) bool {
	if !w.is(i, ',') && !w.is(i, '٬') && w.classAt(i) != apostrophe || w.digitsFrom(i+1) != 3 {
		return false
	}
	before := 0
	for before < 4 && w.digitAt(i-1-before) {
		before++
	}
	return 1 <= before && before <= 3 && !(before == 1 && w.is(i-1, '0') && !w.is(i-2, ','))
}

// decimalAt says whether a decimal point or comma stands at i, or another
// point between digits.
func (w *Words) decimalAt(i int) bool {
	return (w.is(i, '.') || w.is(i, ',') || w.is(i, '٫')) && w.digitAt(i-1) && w.digitAt(i+1)
}

// decimals adds the decimals from the point at i on.
func (w *Words) decimals(s *span, i int) (next int) {
	for {
		w.keep(s, sourced{r: '.', end: w.runes[i].end})
		for i++; w.digitAt(i); i++ {
			w.keep(s, w.runes[i])
		}
		if !w.decimalAt(i) {
			return i
		}
	}
}

// vulgar adds the fraction that is one character at i.
func (w *Words) vulgar(s *span, i int) (next int) {
	for start := w.runes[i].start; w.classAt(i) == vulgar && w.runes[i].start == start; i++ {
		r := w.runes[i]
		if r.r == '⁄' {
			r.r = '/'
		}
		w.keep(s, r)
	}
	return i
}

// slashAt says whether the slash at i makes a fraction of the digits before it
// and those behind: both short, and no part of a date or a path.
func (w *Words) slashAt(i, before int) bool {
	if w.is(i, '⁄') && w.digitAt(i+1) {
		return true
	}
	after := w.digitsFrom(i + 1)
	end := i + 1 + after
	return (w.is(i, '/') || w.is(i, '∕')) && before <= 3 && 1 <= after && after <= 3 &&
		w.before(i-before) != '/' && !(w.is(end, '/') && w.digitAt(end+1)) && !w.decimalAt(end)
}

// slash adds the slash at i and the digits behind it.
func (w *Words) slash(s *span, i int) (next int) {
	w.keep(s, sourced{r: '/', end: w.runes[i].end})
	for i++; w.digitAt(i); i++ {
		w.keep(s, w.runes[i])
	}
	s.kind = 0
	return i
}

// mixed joins the proper fraction s to the whole number one space before it.
func (w *Words) mixed(s span) span {
	before := *w.last()
	if before.kind&whole == 0 {
		return s
	}
	if _, size := oneSpace(w.gap(s.start)); size == 0 || !isProper(string(w.joined[s.from:])) {
		return s
	}
	w.spans = w.spans[:len(w.spans)-1]
	w.joined[before.to] = '_'
	before.end, before.kind = s.end, 0
	return before
}

// isProper says whether a fraction, as a word, is less than one.
func isProper(fraction string) bool {
	for i := range fraction {
		if fraction[i] == '/' {
			a, errA := strconv.Atoi(fraction[:i])
			b, errB := strconv.Atoi(fraction[i+1:])
			return errA == nil && errB == nil && a < b
		}
	}
	return false
}

// exponentAt says whether an exponent stands at i: raised digits, or ^ and
// digits.
func (w *Words) exponentAt(i int) bool {
	if w.is(i, '^') {
		return w.digitAt(i+1) || (w.is(i+1, '-') || w.is(i+1, '+')) && w.digitAt(i+2)
	}
	return w.classAt(i) == raised && (isASCIIDigit(w.runes[i].r) || w.classAt(i+1) == raised && isASCIIDigit(w.runes[i+1].r))
}

func isASCIIDigit(r rune) bool { return '0' <= r && r <= '9' }

// exponent adds the exponent at i, without a plus.
func (w *Words) exponent(s *span, i int) (next int) {
	class := raised
	w.joined = append(w.joined, '^')
	if w.is(i, '^') {
		class = digit
		i++
	}
	if w.is(i, '-') {
		w.keep(s, w.runes[i])
		i++
	} else if w.is(i, '+') {
		i++
	}
	for ; w.classAt(i) == class && isDigitOf(w.runes[i]); i++ {
		w.keep(s, w.runes[i])
	}
	return i
}

func isDigitOf(r sourced) bool { return r.class == digit || isASCIIDigit(r.r) }
