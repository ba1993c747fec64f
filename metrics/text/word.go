package text

import "unicode"

// isWord says whether a letter, digit or mark stands at rune i.
func (w *Words) isWord(i int) bool {
	return 0 <= i && i < len(w.runes) && (w.runes[i].class == letter || w.runes[i].class == digit || w.runes[i].class == mark)
}

func (w *Words) is(i int, r rune) bool { return 0 <= i && i < len(w.runes) && w.runes[i].r == r }

func (w *Words) classAt(i int) class {
	if i < 0 || i >= len(w.runes) {
		return other
	}
	return w.runes[i].class
}

// footnoted is the number of letters above which a raised digit behind them is
// the mark of a footnote; units are shorter.
const footnoted = 3

// word adds the word that begins with the letter at rune i and returns where
// to go on.
func (w *Words) word(i int) (next int) {
	return w.rest(span{from: len(w.joined), start: w.runes[i].start}, i)
}

// rest adds what follows from rune i on to a word that has begun.
func (w *Words) rest(s span, i int) (next int) {
	var writing script
	letters := 0
	for ; i < len(w.runes); i++ {
		switch r := w.runes[i]; {
		case r.class == letter && (r.script == unspaced || writing != common && r.script != common && r.script != writing):
			return w.end(s, i) // a border between scripts
		case r.class == letter:
			letters++
			if r.script != common {
				writing = r.script
			}
			w.keep(&s, r)
		case r.class == digit || r.class == mark:
			w.keep(&s, r)
		case w.exponentAt(i) && letters <= footnoted:
			return w.end(s, w.exponent(&s, i))
		case w.possessive(i):
			return w.end(s, i+2)
		case r.class == apostrophe && w.elides(i), w.groupAt(i):
		case w.decimalAt(i):
			w.keep(&s, sourced{r: '.', end: r.end})
		case (r.r == '+' || r.r == '#') && w.classAt(i-1) == letter:
			for w.is(i, '+') || w.is(i, '#') {
				w.keep(&s, w.runes[i])
				i++
			}
			if w.possessive(i) {
				return w.end(s, i+2)
			}
			return w.end(s, i)
		default:
			return w.end(s, i)
		}
	}
	return w.end(s, i)
}

// end closes s and returns next.
func (w *Words) end(s span, next int) int {
	w.close(s)
	return next
}

// keep adds a rune to the word s.
func (w *Words) keep(s *span, r sourced) {
	w.appendRune(r.r)
	s.end = max(s.end, r.end)
}

// elides says whether the apostrophe at i stands inside a word.
func (w *Words) elides(i int) bool {
	return w.isWord(i-1) && w.isWord(i+1) && w.runes[i+1].script != unspaced && w.runes[i+1].class != digit
}

// possessive says whether a final 's stands at i.
func (w *Words) possessive(i int) bool {
	return w.classAt(i) == apostrophe && w.is(i+1, 's') && !w.isWord(i+2)
}

// initialAt says whether the word that would begin at i is a single letter,
// with the vowel signs that belong to it.
func (w *Words) initialAt(i int) bool {
	if w.classAt(i) != letter || w.runes[i].script == unspaced {
		return false
	}
	after := w.afterMarks(i)
	switch {
	case w.isWord(after), w.is(after, '+'), w.is(after, '#'), w.exponentAt(after):
		return false
	case w.classAt(after) == apostrophe:
		return !w.isWord(after+1) || w.possessive(after)
	}
	return unicode.IsLetter(w.runes[i].r)
}

// afterMarks returns where the marks behind the letter at i end.
func (w *Words) afterMarks(i int) int {
	for i++; w.classAt(i) == mark; i++ {
	}
	return i
}

// initials adds the single letters that begin at i, with or without full
// stops, to one word, and to the initials before it where only spaces part
// them.
func (w *Words) initials(i int) (next int) {
	s := span{from: len(w.joined), start: w.runes[i].start, kind: initials}
	after := w.afterMarks(i)
	if before := w.last(); before.kind&initials != 0 && isSpaces(w.gap(s.start)) {
		if before.kind == initials|stopped && w.is(after, '.') && !w.initialAt(after+1) {
			s = w.reopen()
			s.kind = initials
		} else {
			w.loosen(soft) // it may be a word of one letter
		}
	}
	for {
		for ; i < after; i++ {
			w.keep(&s, w.runes[i])
		}
		if !w.is(i, '.') {
			break
		}
		if !w.initialAt(i + 1) {
			s.kind |= stopped
			i++
			break
		}
		i++
		s.kind |= together
		after = w.afterMarks(i)
	}
	stop := w.runes[i-1].end
	if w.possessive(i) {
		return w.end(s, i+2)
	}
	w.close(s)
	w.tail = max(w.tail, stop)
	return i
}

// character adds one character of a script without spaces: a letter and its
// marks, and with them a letter stacked below or a vowel written in front.
func (w *Words) character(i int) (next int) {
	s := span{from: len(w.joined), start: w.runes[i].start, kind: character}
	if w.last().kind&character != 0 && w.touches(i) {
		w.loosen(touch)
	}
	for {
		joins := w.joinsNext(i)
		w.keep(&s, w.runes[i])
		i++
		if w.classAt(i) != mark && (!joins || w.classAt(i) != letter || w.runes[i].script != unspaced) {
			break
		}
	}
	if w.possessive(i) {
		return w.end(s, i+2)
	}
	return w.end(s, i)
}

// touches says whether the letter at i follows a character without anything
// between the two.
func (w *Words) touches(i int) bool {
	return i > 0 && (w.runes[i-1].script == unspaced || w.runes[i-1].class == mark)
}

// joinsNext says whether the rune at i makes one character with the letter
// behind it: a Thai or Lao vowel that is written in front, a Burmese or Khmer
// sign that stacks letters.
func (w *Words) joinsNext(i int) bool {
	r := w.runes[i].r
	return 0xe40 <= r && r <= 0xe44 || 0xec0 <= r && r <= 0xec4 || r == 0x1039 || r == 0x17d2
}

// isSpaces says whether gap is spaces, of any width, and at least one.
func isSpaces(gap string) bool {
	for _, r := range gap {
		if !isSpace(r) {
			return false
		}
	}
	return gap != ""
}

// isSpace says whether r is a space that does not end a line.
func isSpace(r rune) bool { return r == ' ' || unicode.Is(unicode.Zs, r) }
