package html

import (
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/disteval/disteval/reports"
)

// appendString appends s as a JSON string that may stand in a script element:
// <, > and & and all that shows nothing or reorders text are escaped, so that
// neither a parser nor a reader of the source is misled; bytes that are no
// UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if asItIs[s[i]] {
			i++
			continue
		}
		if s[i] < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, rune(s[i]))
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || reports.Hidden(r) {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, r)
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

func appendEscape(dst []byte, r rune) []byte {
	if r > 0xFFFF {
		high, low := utf16.EncodeRune(r)
		return appendEscape(appendEscape(dst, high), low)
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// appendEscaped appends JSON whose <, > and & are escaped already, and escapes
// what else appendString does.
func appendEscaped(dst, text []byte) []byte {
	for _, r := range string(text) {
		switch {
		case ' ' <= r && r < 0x7f:
			dst = append(dst, byte(r))
		case reports.Hidden(r):
			dst = appendEscape(dst, r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// asItIs are the bytes of ASCII that need no escape.
var asItIs = func() (table [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		switch c {
		case '"', '\\', '<', '>', '&':
		default:
			table[c] = true
		}
	}
	return table
}()

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}

// appendNumber appends x rounded to so many decimals, null where x is none.
func appendNumber(dst []byte, x float64, decimals int) []byte {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return append(dst, "null"...)
	case x == 0 || x == 1:
		return strconv.AppendInt(dst, int64(x), 10)
	}
	return strconv.AppendFloat(dst, x, 'f', decimals, 64)
}

func appendInts(dst []byte, list []int) []byte {
	dst = append(dst, '[')
	for i, n := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(n), 10)
	}
	return append(dst, ']')
}
