package gate

import (
	"fmt"
	"math"
	"slices"

	"github.com/disteval/disteval/metrics"
)

// lowerIsBetter holds for failures, times and energy; a metric says so itself.
func lowerIsBetter(measure string) bool {
	if m, ok := metrics.Named(measure); ok {
		return m.Better == metrics.Lower
	}
	return slices.Contains([]string{Failures, DurationS, WhPer1000, MeasuredWhPer1000}, measure)
}

// measureRange is where a measure's values lie.
func measureRange(measure string) (lo, hi float64) {
	if m, ok := metrics.Named(measure); ok {
		return m.Min, m.Max
	}
	if sampled(measure) {
		return 0, 1
	}
	return 0, math.Inf(1)
}

// worst is the worst value that a measure can have; infinite where there is
// none.
func worst(measure string) float64 {
	lo, hi := measureRange(measure)
	if lowerIsBetter(measure) {
		return hi
	}
	return lo
}

// widest is how many times the expected value, or how far where that is below
// 1, a tolerance may reach towards a side that has no end.
const widest = 100

// mostFailures is how many failures a file may allow that does not state how
// many queries there are: more than any set has.
const mostFailures = 1_000_000

// fault says why a bound could never fail; empty where it could. A check that
// the worst of all models passes checks nothing, and says that it did.
func (b Bound) fault() string {
	lo, hi := b.limits()
	from, to := measureRange(b.Measure)
	low, high := reaches(from, lo), reaches(-to, -hi) // that end of the range passes
	worse, stated := low, b.Min != nil
	if lowerIsBetter(b.Measure) {
		worse, stated = high, b.Max != nil
	}
	switch end := worst(b.Measure); {
	case low && high:
		return "every value passes, so that this check never fails; five per cent are 5%, five points 0.05"
	case b.Expected == nil && stated && worse:
		return fmt.Sprintf("the worst that it can be, %s, passes, so that this check never fails; state a limit that can be missed", digits(end))
	case b.Expected == nil:
		return ""
	case *b.Expected == end:
		return fmt.Sprintf("nothing is worse than %s, so that this check never fails; leave it out, or expect more", digits(end))
	case worse:
		return fmt.Sprintf("the worst that it can be, %s, passes, so that this check never fails; state a tolerance of at most %s",
			digits(end), digits(math.Abs(*b.Expected-end)/2))
	case b.tolerance() > widest*max(1, math.Abs(*b.Expected)), b.Relative && b.Tolerance > widest:
		return "the tolerance is so wide that this check never fails; five per cent are 5%"
	}
	return ""
}

// reaches tells whether a limit lies at the lower end of a range or beyond it,
// but for the rounding that judge forgives.
func reaches(end, limit float64) bool { return limit-2*edge*max(1, math.Abs(limit)) <= end }
