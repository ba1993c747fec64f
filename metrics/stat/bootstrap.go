package stat

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

const (
	// resamples bounds the Monte Carlo error of an interval's end to about 3 %
	// of a standard error, and makes 0.0005 the smallest p-value.
	resamples = 2000
	// limitFrom is the number of values from which the analytic limit of the
	// bootstrap is nearer to the bootstrap than 2,000 resamples are.
	limitFrom = 1000
	// fewValues is the number below which a bootstrap is known to be too narrow.
	fewValues = 10
)

// resampling is what the bootstrap of one mean yields.
type resampling struct {
	mean, lo, hi float64
	p            float64 // two-sided, of the hypothesis that the mean is 0
	method       string
	warnings     []string
}

// moments are those of the sample, biased as the bootstrap's are.
type moments struct {
	mean, stderr, acceleration float64
}

func momentsOf(xs []float64) moments {
	n := float64(len(xs))
	var m moments
	for _, x := range xs {
		m.mean += x / n
	}
	var squares, cubes float64
	for _, x := range xs {
		d := x - m.mean
		squares += d * d
		cubes += d * d * d
	}
	m.stderr = math.Sqrt(squares) / n
	if squares > 0 {
		m.acceleration = cubes / (6 * math.Pow(squares, 1.5))
	}
	return m
}

// bootstrap makes the bias-corrected and accelerated bootstrap interval of the
// mean (Efron, JASA 82, 1987): by seeded resamples below limitFrom values, from
// there by its analytic limit.
func bootstrap(xs []float64, confidence float64, seed uint64) resampling {
	m := momentsOf(xs)
	n := len(xs)
	r := resampling{mean: m.mean, lo: m.mean, hi: m.mean, p: 1, method: "bca-bootstrap"}
	switch {
	case allEqual(xs):
		r.mean, r.lo, r.hi = xs[0], xs[0], xs[0]
		if xs[0] != 0 {
			r.p = 1.0 / (resamples + 1)
		}
		if n > 1 {
			r.warnings = append(r.warnings, fmt.Sprintf("n = %d: all values are equal, so the interval has no width", n))
		}
	case n < limitFrom:
		r.resample(xs, m, confidence, seed)
	default:
		r.limit(m, confidence)
	}
	// No test on n signed differences can go below the two extreme ones of
	// their 2^n signs, however the resamples fall.
	r.p = max(r.p, math.Pow(2, 1-float64(n)))
	if 1 < n && n < fewValues {
		r.warnings = append(r.warnings, fmt.Sprintf("n = %d: a bootstrap interval of so few values is too narrow", n))
	}
	return r
}

func allEqual(xs []float64) bool {
	for _, x := range xs {
		if x != xs[0] {
			return false
		}
	}
	return true
}

// resample draws the bootstrap distribution and reads interval and p off it.
func (r *resampling) resample(xs []float64, m moments, confidence float64, seed uint64) {
	means := resampledMeans(xs, seed)
	below, extreme := 0.0, 1.0
	for _, x := range means {
		switch {
		case x < m.mean:
			below++
		case x == m.mean:
			below += 0.5
		}
		if math.Abs(x-m.mean) >= math.Abs(m.mean) {
			extreme++
		}
	}
	r.p = min(1, extreme/(resamples+1))
	slices.Sort(means)
	// A bias at the very edge would be infinite; half a resample is kept.
	bias := distuv.UnitNormal.Quantile(min(resamples-0.5, max(0.5, below)) / resamples)
	z := distuv.UnitNormal.Quantile(0.5 + confidence/2)
	r.lo, _ = Percentile(means, distuv.UnitNormal.CDF(corrected(-z, bias, m.acceleration)))
	r.hi, _ = Percentile(means, distuv.UnitNormal.CDF(corrected(z, bias, m.acceleration)))
}

// corrected is BCa's adjustment of a normal quantile.
func corrected(z, bias, acceleration float64) float64 {
	denominator := 1 - acceleration*(bias+z)
	if denominator <= 0 {
		return math.Copysign(math.Inf(1), z)
	}
	return bias + (bias+z)/denominator
}

func resampledMeans(xs []float64, seed uint64) []float64 {
	random := splitmix(seed)
	n := uint64(len(xs))
	means := make([]float64, resamples)
	for i := range means {
		var even, odd float64
		for range n / 2 { // two 32-bit indices of each 64-bit draw
			bits := random.next()
			even += xs[(bits>>32)*n>>32]
			odd += xs[(bits&math.MaxUint32)*n>>32]
		}
		if n%2 == 1 {
			even += xs[(random.next()>>32)*n>>32]
		}
		means[i] = (even + odd) / float64(n)
	}
	return means
}

// splitmix is the generator of Steele, Lea and Flood (Fast Splittable
// Pseudorandom Number Generators, 2014). It is short enough to be inlined into
// the loop that takes nearly all the time.
type splitmix uint64

func (s *splitmix) next() uint64 {
	*s += 0x9E3779B97F4A7C15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// limit is what resample tends to: the bootstrap distribution of a mean has
// the sample's standard error and six times its acceleration as skewness, so
// its quantiles follow from the Cornish-Fisher expansion, and its bias equals
// the acceleration (Hall, The Bootstrap and Edgeworth Expansion, 1992, 3.10).
func (r *resampling) limit(m moments, confidence float64) {
	r.method = "bca-limit"
	a := m.acceleration
	end := func(z float64) float64 {
		z = corrected(z, a, a)
		return m.mean + m.stderr*(z+a*(z*z-1))
	}
	z := distuv.UnitNormal.Quantile(0.5 + confidence/2)
	r.lo, r.hi = end(-z), end(z)
	r.p = min(1, 2*distuv.UnitNormal.CDF(-math.Abs(m.mean)/m.stderr))
}
