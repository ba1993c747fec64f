package text

import (
	"bytes"
	"math/bits"
)

// Rouge is ROUGE-L of one pair.
type Rouge struct {
	Precision, Recall, F1 float64 // [0, 1]; 0 where a side has no token
	LCS                   int     // tokens of the longest common subsequence
	Reference, Text       int     // tokens of each side
}

// Rouge compares text with reference as Google's rouge_score 0.1.2 does
// without its stemmer (Lin, ROUGE, 2004, section 3.1).
func (s *Scorer) Rouge(reference, text string) Rouge {
	s.rouge[0].reset(reference)
	s.rouge[1].reset(text)
	r := Rouge{Reference: s.rouge[0].count(), Text: s.rouge[1].count()}
	r.LCS = s.commonLength()
	if r.LCS == 0 {
		return r
	}
	r.Precision = float64(r.LCS) / float64(r.Text)
	r.Recall = float64(r.LCS) / float64(r.Reference)
	r.F1 = 2 * r.Precision * r.Recall / (r.Precision + r.Recall)
	return r
}

// commonLength interns the shorter side and looks the longer one up; a token
// that only one side has cannot be common and is dropped.
func (s *Scorer) commonLength() int {
	short, long := &s.rouge[0], &s.rouge[1]
	if short.count() > long.count() {
		short, long = long, short
	}
	if short.count() == 0 {
		return 0
	}
	s.interned.reset(short)
	s.pattern = s.pattern[:0]
	for i := range short.keys {
		s.pattern = append(s.pattern, s.interned.intern(i))
	}
	s.match = s.match[:0]
	for i, key := range long.keys {
		if !s.interned.maybe(key) {
			continue
		}
		if number := s.interned.lookup(long, i); number >= 0 {
			s.match = append(s.match, number)
		}
	}
	return s.lcs.length(s.pattern, s.match, s.interned.used)
}

// tokens is a text cut as rouge_score cuts it: Python's lower(), then every
// run outside a-z0-9 separates. The tokens lie end to end in bytes. A key is
// the token itself up to eight bytes; of a longer one it is a mix of all bytes,
// and longToken. The slices are apart because scalars are appended fastest.
type tokens struct {
	bytes []byte
	keys  []uint64
	ends  []int32 // in bytes; a token begins where the one before ends
	froms []int32 // where the token begins in the text
}

// longToken is a bit that no letter or digit sets.
const longToken = 1 << 63

func (t *tokens) count() int { return len(t.keys) }

func (t *tokens) at(i int) []byte {
	start := int32(0)
	if i > 0 {
		start = t.ends[i-1]
	}
	return t.bytes[start:t.ends[i]]
}

// equal says whether the i-th token is the j-th of other.
func (t *tokens) equal(i int, other *tokens, j int) bool {
	key := t.keys[i]
	return key == other.keys[j] && (key < longToken || bytes.Equal(t.at(i), other.at(j)))
}

// offsets returns the bytes of text, which t was made of, that the i-th token
// stands for.
func (t *tokens) offsets(i int, text string) (from, to int) {
	from = int(t.froms[i])
	to = from
	for range t.at(i) {
		_, size := rougeLetter(text[to:])
		to += size
	}
	return from, to
}

// Bytes of rougeByte that are no letter.
const (
	separator = 0
	lead      = 1 // may begin one of the two letters beyond ASCII whose lower case is inside
)

// rougeByte maps a letter or digit to itself in lower case.
var rougeByte = rougeTable()

func rougeTable() (table [256]byte) {
	for c, lower := range plain {
		if lower > separates {
			table[c] = lower
		}
	}
	table["\u212a"[0]], table["\u0130"[0]] = lead, lead
	return table
}

// rougeLetter returns what Python's lower() makes of the start of text: a
// letter or digit, or separator; and the bytes that it takes. The Kelvin sign
// is a k, and İ is an i, which the dot above it separates from what follows.
func rougeLetter(text string) (c byte, size int) {
	c = rougeByte[text[0]]
	switch {
	case c != lead:
		return c, 1
	case len(text) >= 3 && text[:3] == "\u212a":
		return 'k', 3
	case len(text) >= 2 && text[:2] == "\u0130":
		return 'i', 2
	}
	return separator, 1
}

func (t *tokens) reset(text string) {
	if cap(t.bytes) > keepScratch {
		*t = tokens{}
	}
	if cap(t.bytes) < len(text) {
		t.bytes = make([]byte, len(text))
	}
	t.bytes, t.keys, t.ends, t.froms = t.bytes[:len(text)], t.keys[:0], t.ends[:0], t.froms[:0]
	end := 0
	for i := 0; i < len(text); {
		start, from, key := end, i, uint64(0)
		i, end, key = t.letters(text, i, end)
		if end > start+8 {
			key |= longToken
		}
		if end > start {
			t.keys = append(t.keys, key)
			t.ends = append(t.ends, int32(end))
			t.froms = append(t.froms, int32(from))
		}
	}
}

// letters copies the letters at i to bytes at end, and passes over the
// separator behind them.
func (t *tokens) letters(text string, i, end int) (next, newEnd int, key uint64) {
	for i < len(text) {
		c := rougeByte[text[i]]
		size := 1
		if c <= lead {
			c, size = rougeLetter(text[i:])
			if c == separator {
				return i + size, end, key
			}
		}
		t.bytes[end] = c
		end++
		key = bits.RotateLeft64(key, 8) ^ uint64(c)
		i += size
		if size == len("İ") {
			break
		}
	}
	return i, end, key
}
