// Package stat puts error bars on means and p-values on differences.
//
// Policy: a number without its uncertainty is not a result. Every mean has an
// interval, every comparison is paired on the same queries, everything random
// is seeded, and a result carries its own warnings. What cannot be known is
// marked as missing (HasInterval, N = 0), never NaN. What the reports use is
// here and nothing else.
package stat

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Confidence is the level of every interval in the reports.
const Confidence = 0.95

// Summary is a mean with its interval.
type Summary struct {
	N           int     // values; 0 means that there is no mean
	Mean        float64 // 0 and meaningless when N is 0
	Lo, Hi      float64 // ends of the 95 % interval; 0 and meaningless without HasInterval
	HasInterval bool
	Method      string   // wilson, bca-bootstrap or bca-limit; empty without an interval
	Warnings    []string // what a reader must know beside the figures
}

// MeanBinary summarises values that are 0 or 1, with Wilson's interval.
func MeanBinary(xs []float64) Summary {
	n, successes := len(xs), 0
	if n == 0 {
		return noValues()
	}
	for _, x := range xs {
		if x != 0 {
			successes++
		}
	}
	s := Summary{N: n, Mean: float64(successes) / float64(n), HasInterval: true, Method: "wilson"}
	s.Lo, s.Hi = Wilson(successes, n, Confidence)
	s.Warnings = wideInterval(n, s.Lo, s.Hi)
	return s
}

// MeanBootstrap summarises any values, with the interval of BCa.
func MeanBootstrap(xs []float64, seed uint64) Summary {
	n := len(xs)
	if n == 0 {
		return noValues()
	}
	b := bootstrap(xs, Confidence, seed)
	s := Summary{N: n, Mean: b.mean}
	if n == 1 {
		s.Warnings = []string{"n = 1: one value has no interval"}
		return s
	}
	s.Lo, s.Hi, s.HasInterval, s.Method = b.lo, b.hi, true, b.method
	s.Warnings = append(wideInterval(n, b.lo, b.hi), b.warnings...)
	return s
}

func noValues() Summary {
	return Summary{Warnings: []string{"n = 0: nothing could be scored"}}
}

// wideInterval warns of an interval that leaves nearly everything open; all
// metrics live on a scale of length 1 in practice.
func wideInterval(n int, lo, hi float64) []string {
	if hi-lo < 0.5 {
		return nil
	}
	return []string{fmt.Sprintf("n = %d: interval spans half the scale", n)}
}

// Wilson returns the score interval of a proportion, within [0, 1] (Wilson,
// JASA 22, 1927). Without an observation, or with counts or a confidence that
// cannot be, nothing is known and the interval is the whole scale.
func Wilson(successes, n int, confidence float64) (lo, hi float64) {
	if n <= 0 || successes < 0 || successes > n || !(confidence >= 0 && confidence < 1) {
		return 0, 1
	}
	z := -distuv.UnitNormal.Quantile((1 - confidence) / 2) // near 1 the upper half would round
	k, m, zz := float64(successes), float64(n), z*z
	centre := (k + zz/2) / (m + zz)
	half := z / (m + zz) * math.Sqrt(k/m*(m-k)+zz/4)
	lo, hi = max(0, centre-half), min(1, centre+half)
	if successes == 0 {
		lo = 0 // rounding would leave 1e-17
	}
	if successes == n {
		hi = 1
	}
	return lo, hi
}

// Holm returns the p-values adjusted for their number (Holm, Scand. J. Stat.
// 6, 1979), in the order given, within [0, 1] and never below the raw value.
// A NaN counts as 1: a test that could not be made rejects nothing.
func Holm(p []float64) (adjusted []float64) {
	adjusted = make([]float64, len(p))
	order := make([]int, len(p))
	for i := range p {
		order[i], adjusted[i] = i, 1
		if !math.IsNaN(p[i]) {
			adjusted[i] = min(1, max(0, p[i]))
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(adjusted[i], adjusted[j]) })
	highest := 0.0
	for rank, i := range order {
		highest = max(highest, min(1, float64(len(p)-rank)*adjusted[i]))
		adjusted[i] = highest
	}
	return adjusted
}

// Percentile returns the p-th quantile, p in [0, 1], of values sorted
// ascending, interpolated linearly between neighbours (type 7 of Hyndman and
// Fan, American Statistician 50, 1996). ok is false without a value.
func Percentile(sorted []float64, p float64) (value float64, ok bool) {
	if len(sorted) == 0 || math.IsNaN(p) {
		return 0, false
	}
	at := min(1, max(0, p)) * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below]), true
}
