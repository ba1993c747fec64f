package metrics

import "math"

// Compare orders the true values of two scored Scores: -1, 0 or 1 as a is
// below, equal to or above b. known is false where their bounds leave it open.
func Compare(a, b Score) (order int, known bool) {
	aLo, aHi := a.limits()
	bLo, bHi := b.limits()
	switch {
	case aLo > bHi:
		return 1, true
	case aHi < bLo:
		return -1, true
	}
	return 0, aLo == aHi && bLo == bHi
}

// limits are the ends between which the true value lies.
func (s Score) limits() (lo, hi float64) {
	switch s.Bound {
	case AtLeast:
		return s.Value, math.Inf(1)
	case AtMost:
		return math.Inf(-1), s.Value
	}
	return s.Value, s.Value
}
