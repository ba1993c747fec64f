package queries

import "slices"

// decodePlain reads a line as programs write nearly all of them: an object of
// known keys, each once, whose texts have no escapes. It is many times faster
// than decodeObject, and judges nothing: where anything else stands, a fault or
// not, ok is false. text is valid UTF-8.
func decodePlain(text []byte) (q Query, ok bool) {
	s := plainScan(text)
	if !s.take('{') {
		return q, false
	}
	seen := 0
	for more := true; more; more = s.take(',') {
		name, is := s.text()
		key := slices.Index(keys, string(name))
		if !is || key < 0 || seen&(1<<key) != 0 || !s.take(':') {
			return q, false
		}
		seen |= 1 << key
		if to := q.field(keys[key]); to != nil {
			value, is := s.text()
			if *to = string(value); !is {
				return q, false
			}
		} else if q.Aliases, is = s.texts(); !is {
			return q, false
		}
	}
	return q, s.take('}') && s.done()
}

// plainScan is what is left of a line.
type plainScan []byte

// skip passes blanks over.
func (s *plainScan) skip() {
	for len(*s) > 0 && ((*s)[0] == ' ' || (*s)[0] == '\t' || (*s)[0] == '\r') {
		*s = (*s)[1:]
	}
}

// take passes blanks and c over, where c is next.
func (s *plainScan) take(c byte) bool {
	s.skip()
	if len(*s) == 0 || (*s)[0] != c {
		return false
	}
	*s = (*s)[1:]
	return true
}

// done says whether only blanks are left.
func (s *plainScan) done() bool {
	s.skip()
	return len(*s) == 0
}

// text takes a string without escapes.
func (s *plainScan) text() (text []byte, ok bool) {
	if !s.take('"') {
		return nil, false
	}
	for i, c := range *s {
		switch {
		case c == '"':
			text, *s = (*s)[:i], (*s)[i+1:]
			return text, true
		case c == '\\' || c < ' ':
			return nil, false
		}
	}
	return nil, false
}

// texts takes a list of such strings that is not empty.
func (s *plainScan) texts() (list []string, ok bool) {
	if !s.take('[') {
		return nil, false
	}
	for more := true; more; more = s.take(',') {
		text, is := s.text()
		if !is {
			return nil, false
		}
		list = append(list, string(text))
	}
	return list, s.take(']')
}
