package text

import (
	"encoding/json"
	"io"
	"math"
	"unicode/utf8"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
)

// WriteJSON writes a value as indented JSON in which every invisible character
// is an escape.
func WriteJSON(w io.Writer, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(escapeHidden(b), '\n'))
	return err
}

func interval(has bool, lo, hi float64) *ci {
	if !has || finite(&lo) == nil || finite(&hi) == nil {
		return nil
	}
	return &ci{lo, hi}
}

// finite turns what is no number into none: JSON knows neither NaN nor Inf.
func finite(x *float64) *float64 {
	if x == nil || math.IsNaN(*x) || math.IsInf(*x, 0) {
		return nil
	}
	return x
}

func stated(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// list makes an empty list of none, so that a script can always range over it.
func list[T any](xs []T) []T {
	if xs == nil {
		return []T{}
	}
	return xs
}

func failKinds(kinds map[eval.FailureKind]int) map[eval.FailureKind]int {
	if kinds == nil {
		return map[eval.FailureKind]int{}
	}
	return kinds
}

// escapeHidden rewrites the invisible characters in JSON as \u escapes. They
// can stand in its strings only.
func escapeHidden(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r >= 0x7f && reports.Hidden(r) {
			out = appendEscape(out, r)
		} else {
			out = append(out, b[:size]...)
		}
		b = b[size:]
	}
	return out
}
