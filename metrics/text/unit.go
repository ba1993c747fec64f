package text

import "unicode/utf8"

// suffix ends the number s and returns where to go on. What follows it
// without a space is a unit, and a word of its own; but for the letters of an
// ordinal (21st), of a decade (1920s) and of a name (4x4).
func (w *Words) suffix(s span, i int) (next int) {
	from := i
	if w.possessive(i) {
		from++ // the 1920's are the 1920s
	}
	if w.classAt(from) != letter || w.runes[from].script == unspaced {
		return w.end(s, i)
	}
	s.kind = 0
	to := from + 1
	for w.classAt(to) == mark || w.classAt(to) == letter && w.runes[to].script == w.runes[from].script {
		to++
	}
	switch {
	case w.digitAt(to) && !w.isPower(to):
		return w.rest(s, from)
	case w.ordinal(&s, from, to):
		for ; from < to; from++ {
			w.keep(&s, w.runes[from])
		}
		return w.end(s, to)
	case to-from == 1 && w.is(from, 's') && w.isDecade(s):
		if len(w.joined)-s.from == 4 {
			w.keep(&s, w.runes[from])
			return w.end(s, to)
		}
		w.close(s) // 90s are years or seconds
		w.loosen(glue)
		return w.word(from)
	}
	return w.end(s, from)
}

// isPower says whether the digit at i is the exponent of a unit (m2, cm3).
func (w *Words) isPower(i int) bool {
	return (w.is(i, '2') || w.is(i, '3')) && !w.isWord(i+1)
}

// isDecade says whether s is 10, 20 … 90 or a year that ends in 0.
func (w *Words) isDecade(s span) bool {
	number := w.joined[s.from:]
	if len(number) != 2 && len(number) != 4 || number[len(number)-1] != '0' {
		return false
	}
	for _, c := range number {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// ordinal says whether the letters of runes from to to make the number s an
// ordinal: 21st and 11th, but 11st are stones.
func (w *Words) ordinal(s *span, from, to int) bool {
	number := w.joined[s.from:]
	last, tens := number[len(number)-1], byte('0')
	if len(number) > 1 {
		tens = number[len(number)-2]
	}
	if to-from == 1 {
		c := w.text[w.runes[from].start:w.runes[from].end]
		return c == "º" || c == "ª" || c == "e" || c == "E"
	}
	if to-from > 3 {
		return false
	}
	var suffix [3]byte
	for k, r := range w.runes[from:to] {
		suffix[k] = byte(min(r.r, utf8.RuneSelf)) // no letter of a suffix is
	}
	switch string(suffix[:to-from]) {
	case "st":
		return last == '1' && tens != '1'
	case "nd":
		return last == '2' && tens != '1'
	case "rd":
		return last == '3' && tens != '1'
	case "th", "er", "ere", "eme":
		return true
	}
	return false
}
