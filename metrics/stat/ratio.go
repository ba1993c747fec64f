package stat

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// RatioPaired returns the ratio of two models' right replies to the same
// queries and its interval: both is how many both have right, first and second
// how many that one alone has right. The logarithm of the ratio is taken for
// normal, with the variance (first+second)/((both+first)(both+second)) of the
// delta method. ok is false where one of the two has nothing right: then there
// is no such ratio to tell.
func RatioPaired(both, first, second int, confidence float64) (ratio, lo, hi float64, ok bool) {
	a, b := float64(both+first), float64(both+second)
	if a <= 0 || b <= 0 || min(both, first, second) < 0 {
		return 0, 0, 0, false
	}
	half := distuv.UnitNormal.Quantile((1+confidence)/2) * math.Sqrt(float64(first+second)/(a*b))
	return a / b, a / b * math.Exp(-half), a / b * math.Exp(half), true
}
