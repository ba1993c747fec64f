package text

import (
	"unicode"
	"unicode/utf8"
)

// python holds a text as Python's string methods make it.
type python struct {
	text  []byte
	clean []byte
}

// lower does str.lower: one to one but for İ, which becomes i and a dot above,
// and Σ, which becomes ς at the end of a word.
func (p *python) lower(text string) {
	if cap(p.text) > keepScratch || cap(p.clean) > keepScratch {
		p.text, p.clean = nil, nil
	}
	p.text = p.text[:0]
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			p.text = append(p.text, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == 'İ':
			p.text = append(p.text, "i\u0307"...)
		case r == 'Σ' && endsWord(text, i, i+size):
			p.text = append(p.text, "ς"...)
		case r == utf8.RuneError && size == 1: // not UTF-8: kept apart from other bytes
			p.text = append(p.text, text[i])
		default:
			p.text = utf8.AppendRune(p.text, unicode.ToLower(r))
		}
		i += size
	}
}

// endsWord says whether the Σ at text[from:to] is final: after a cased letter
// and before none, whatever ignorable marks stand between (Unicode, 3.13).
func endsWord(text string, from, to int) bool {
	before := utf8.RuneError
	for from > 0 {
		r, size := utf8.DecodeLastRuneInString(text[:from])
		from -= size
		if !caseIgnorable(r) {
			before = r
			break
		}
	}
	if !cased(before) {
		return false
	}
	for to < len(text) {
		r, size := utf8.DecodeRuneInString(text[to:])
		to += size
		if !caseIgnorable(r) {
			return !cased(r)
		}
	}
	return true
}

// cased is Unicode's derived property Cased.
func cased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Uppercase, unicode.Other_Lowercase)
}

// caseIgnorable is Unicode's derived property Case_Ignorable.
func caseIgnorable(r rune) bool {
	switch r {
	case '\'', '.', ':', '\u00b7', '\u0387', '\u055f', '\u05f4', '\u2018', '\u2019', '\u2024',
		'\u2027', '\ufe13', '\ufe52', '\ufe55', '\uff07', '\uff0e', '\uff1a':
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}

// normalizeAnswer does what SQuAD v1.1 does before it compares: lower case,
// ASCII punctuation removed, articles removed, white space fixed; in this order.
func (p *python) normalizeAnswer(text string) {
	p.lower(text)
	p.clean = p.clean[:0]
	for _, c := range p.text {
		if !asciiPunctuation(c) {
			p.clean = append(p.clean, c)
		}
	}
	p.text = p.text[:0]
	space := false // before what comes next, if anything precedes it
	for rest := p.clean; len(rest) > 0; {
		n := pythonWord(rest)
		switch {
		case n > 0 && isArticle(rest[:n]):
			space = true
		case n > 0:
			space = p.append(rest[:n], space)
		default:
			r, size := utf8.DecodeRune(rest)
			n = size
			if isPythonSpace(r) {
				space = true
			} else {
				space = p.append(rest[:n], space)
			}
		}
		rest = rest[n:]
	}
}

// append adds what is no white space, after the white space due; none is due
// then.
func (p *python) append(part []byte, space bool) (due bool) {
	if space && len(p.text) > 0 {
		p.text = append(p.text, ' ')
	}
	p.text = append(p.text, part...)
	return false
}

// pythonWord returns the length of the run of \w that text begins with.
func pythonWord(text []byte) int {
	n := 0
	for n < len(text) {
		r, size := utf8.DecodeRune(text[n:])
		if !isPythonWord(r) {
			break
		}
		n += size
	}
	return n
}

func asciiPunctuation(c byte) bool {
	return '!' <= c && c <= '/' || ':' <= c && c <= '@' || '[' <= c && c <= '`' || '{' <= c && c <= '~'
}

// isPythonWord is \w of Python's re on str; an underscore never gets here.
func isPythonWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || '0' <= r && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

// isPythonSpace is str.isspace: Unicode's white space and four separators of
// ASCII that Go does not count.
func isPythonSpace(r rune) bool {
	return unicode.IsSpace(r) || '\x1c' <= r && r <= '\x1f'
}
