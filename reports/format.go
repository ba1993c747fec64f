package reports

import (
	"math"
	"strconv"
	"strings"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
)

// None stands where a number does not exist.
const None = "—"

// Fixed writes x with that many decimals, None where there is no x.
func Fixed(x *float64, decimals int) string {
	if !exists(x) {
		return None
	}
	s := strconv.FormatFloat(*x, 'f', decimals, 64)
	if strings.Trim(s, "-0.") == "" {
		return strings.TrimPrefix(s, "-") // no negative zero
	}
	return s
}

// Signed is Fixed with a plus before what is above zero, for differences.
func Signed(x *float64, decimals int) string {
	s := Fixed(x, decimals)
	if exists(x) && *x > 0 && strings.Trim(s, "0.") != "" {
		return "+" + s
	}
	return s
}

// Percent writes a share as a percentage: 0.715 is 71.5 %.
func Percent(x *float64, decimals int) string {
	if !exists(x) {
		return None
	}
	percent := *x * 100
	return Fixed(&percent, decimals) + " %"
}

// Significant writes x with that many significant digits. Digits before the
// point are never dropped; what is below 0.001 or from a million on is written
// with an exponent, as in 7.79e-04.
func Significant(x *float64, digits int) string {
	if !exists(x) {
		return None
	}
	if decimals, plain := SignificantDecimals(*x, digits); plain {
		return strconv.FormatFloat(*x, 'f', decimals, 64)
	}
	return strconv.FormatFloat(*x, 'e', digits-1, 64)
}

// SignificantDecimals is how many decimals Significant writes x with; plain is
// false where it writes an exponent.
func SignificantDecimals(x float64, digits int) (decimals int, plain bool) {
	if x == 0 {
		return 0, true
	}
	_, exponent, _ := strings.Cut(strconv.FormatFloat(x, 'e', digits-1, 64), "e")
	power, _ := strconv.Atoi(exponent)
	return max(0, digits-1-power), -3 <= power && power < 6
}

// SI writes x with three significant digits and the prefix that keeps it
// between 1 and 1,000: 0.0123 with Wh is 12.3 mWh.
func SI(x *float64, unit string) string {
	if !exists(x) {
		return None
	}
	prefixes := []string{"n", "µ", "m", "", "k", "M", "G"}
	at, v := 3, *x
	for ; math.Abs(v) >= 999.5 && at < len(prefixes)-1; at++ {
		v /= 1000
	}
	for ; v != 0 && math.Abs(v) < 0.9995 && at > 0; at-- {
		v *= 1000
	}
	return Significant(&v, 3) + " " + prefixes[at] + unit
}

// Seconds writes a duration, without its unit.
func Seconds(x *float64) string { return Fixed(x, 2) }

// PerSecond writes a rate, without its unit.
func PerSecond(x *float64) string { return Fixed(x, 1) }

// Wh writes an energy in watt-hours, without its unit.
func Wh(x *float64) string { return Significant(x, 3) }

// WattHours writes an energy with its unit, as in 12.3 mWh.
func WattHours(wh *float64) string { return SI(wh, "Wh") }

// CO2e writes an emission given in kilograms with its unit, as in 779 mg.
func CO2e(kg *float64) string {
	if !exists(kg) {
		return None
	}
	g := *kg * 1000
	return SI(&g, "g")
}

// Method of an estimate, which "estimated" says already.
const methodEstimate = "estimate"

// How says how an energy is known, as in measured by rapl; of one that is
// measured in part, how much is, in place of the methods.
func (e Energy) How() string {
	switch {
	case e.Mixed():
		return Percent(e.MeasuredShare, 0) + " measured"
	case e.Method == "" || e.Method == methodEstimate || e.Quality == emissions.Unavailable:
		return string(e.Quality)
	}
	return string(e.Quality) + " by " + e.Method
}

// Mixed reports whether some of the energy is measured and some estimated.
func (e Energy) Mixed() bool {
	return e.MeasuredShare != nil && *e.MeasuredShare > 0 && *e.MeasuredShare < 1
}

// KgCO2e writes an emission in kilograms, without its unit.
func KgCO2e(x *float64) string { return Significant(x, 3) }

// PValue writes a p-value; what rounds to nothing is < 0.001.
func PValue(p *float64) string {
	if exists(p) && *p < 0.001 {
		return "< 0.001"
	}
	return Fixed(p, 3)
}

// PText writes a p-value as part of a sentence: p = 0.031, or p < 0.001.
func PText(p *float64) string {
	s := PValue(p)
	if strings.HasPrefix(s, "<") {
		return "p " + s
	}
	return "p = " + s
}

// Interval writes the ends of an interval, None where there is none.
func Interval(lo, hi *float64, decimals int) string {
	if !exists(lo) || !exists(hi) {
		return None
	}
	return "[" + Fixed(lo, decimals) + ", " + Fixed(hi, decimals) + "]"
}

// Exact writes x as short as it can be read back unchanged.
func Exact(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// BoundText writes a number with ≥ or ≤ where it is a bound.
func BoundText(x *float64, b metrics.Bound, decimals int) string {
	if !exists(x) {
		return None
	}
	return boundSign[b] + Fixed(x, decimals)
}

// FidelityText writes a mean of divergences.
func FidelityText(s stat.Summary, b metrics.Bound) string {
	if s.N == 0 {
		return None
	}
	return BoundText(&s.Mean, b, 4)
}

// Decimals is how many a metric's mean is shown with: three for shares of
// replies, one for bits, four otherwise.
func Decimals(metric string) int {
	if metric == metrics.AnswerBits {
		return 1
	}
	if m, ok := metrics.Named(metric); ok && m.Binary {
		return 3
	}
	return 4
}

// MeanText writes a metric's mean, with ≥ or ≤ where it is a bound.
func (m Metric) MeanText() string { return BoundText(m.Value(), m.Bound, Decimals(m.Name)) }

var boundSign = map[metrics.Bound]string{metrics.AtLeast: "≥ ", metrics.AtMost: "≤ "}

// IntervalText writes a metric's 95 % interval.
func (m Metric) IntervalText() string {
	if m.N == 0 || !m.HasInterval {
		return None
	}
	return Interval(&m.Lo, &m.Hi, Decimals(m.Name))
}

// Value returns the mean, nil where nothing was scored.
func (m Metric) Value() *float64 {
	if m.N == 0 || !exists(&m.Mean) {
		return nil
	}
	return &m.Mean
}

// ObservedText writes the share of replies that two raters rated alike.
func (a ReviewAgreement) ObservedText() string {
	if a.N == 0 {
		return None
	}
	return Percent(&a.Observed, 1)
}

// KappaText writes Cohen's kappa.
func (a ReviewAgreement) KappaText() string {
	if !a.HasKappa {
		return None
	}
	return Fixed(&a.Kappa, 3)
}

// IntervalText writes kappa's 95 % interval.
func (a ReviewAgreement) IntervalText() string {
	if !a.HasInterval {
		return None
	}
	return Interval(&a.Lo, &a.Hi, 3)
}

// Metric returns the metric of that name; without one, a Metric that holds
// nothing.
func (m Model) Metric(name string) Metric {
	for _, metric := range m.Metrics {
		if metric.Name == name {
			return metric
		}
	}
	return Metric{Name: name}
}

func exists(x *float64) bool {
	return x != nil && !math.IsNaN(*x) && !math.IsInf(*x, 0)
}
