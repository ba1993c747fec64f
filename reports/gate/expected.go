// Package gate judges a run by what is expected of it.
//
// Policy: only what is there, whole and of the same kind is judged. Another
// query set, other scoring, a missing model, metric, reply or energy is
// inconclusive and never passes; it outranks a regression. Worse than expected
// beyond the tolerance is a regression; better beyond it is improved and does
// not fail. A value outside limits that were set is a regression on either
// side. A value exactly at its limit passes.
package gate

import (
	"fmt"
	"math"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// Measures beside the metrics.
const (
	Failures          = "failures"
	DurationS         = "duration_s"
	TokensPerS        = "tokens_per_s"
	WhPer1000         = "wh_per_1000_queries"
	MeasuredWhPer1000 = "measured_wh_per_1000_queries" // of a mixed energy, the part that is measured
	EMAny             = "em_any"                       // share of queries with any sample right
	IdenticalTexts    = "identical_texts"              // share of queries whose samples are one text
)

// Expected is what an expected.yaml says.
type Expected struct {
	Queries QuerySet
	Host    string        // fingerprint that times and energies hold for; empty: not stated
	Scoring *eval.Scoring // nil: not stated
	Models  []Model       // in the file's order
}

// QuerySet names the queries that the expectations hold for.
type QuerySet struct {
	Name   string // for people; not compared
	N      int    // 0: not stated
	SHA256 string // lower-case hexadecimal
}

// Model is what is expected of one model.
type Model struct {
	Name         string
	Digest       string // empty: any
	MaxFailures  int    // failed replies that are put up with
	Bounds       []Bound
	QueriesRight []string // IDs of queries whose em must be 1
}

// Bound is what is expected of one measure: a value with a tolerance, or
// limits.
type Bound struct {
	Measure   string // a metric's name, or one of the constants above
	Expected  *float64
	Tolerance float64 // at least 0, in the measure's unit, or a share where Relative
	Relative  bool
	Min, Max  *float64 // nil: no such limit
	MinScored int      // fewest replies that a metric's mean must be over; 0: not stated

	Samples int // of EMAny and IdenticalTexts, which mean nothing without it: how often every query is asked

	Quality emissions.Quality // of WhPer1000: what the energy must be
	Method  string            // of WhPer1000 and MeasuredWhPer1000; empty: any
}

func binary(measure string) bool {
	m, _ := metrics.Named(measure)
	return m.Binary
}

// limits are the ends of what passes; infinite where there is none.
func (b Bound) limits() (lo, hi float64) {
	lo, hi = math.Inf(-1), math.Inf(1)
	if b.Expected != nil {
		return *b.Expected - b.tolerance(), *b.Expected + b.tolerance()
	}
	if b.Min != nil {
		lo = *b.Min
	}
	if b.Max != nil {
		hi = *b.Max
	}
	return lo, hi
}

// tolerance is how far a value may be from the expected one.
func (b Bound) tolerance() float64 {
	if b.Relative {
		return b.Tolerance * math.Abs(*b.Expected)
	}
	return b.Tolerance
}

// edge forgives the rounding of a limit's computation, relative to its size.
const edge = 1e-9

// judge compares a value with the limits.
func (b Bound) judge(x float64) reports.Outcome {
	worse, better := b.beyond(x)
	switch {
	case worse, better && b.Expected == nil: // a limit that was set is kept on either side
		return reports.Regression
	case better:
		return reports.Improved
	}
	return reports.Pass
}

// beyond tells on which side of the limits a value lies, if on any.
func (b Bound) beyond(x float64) (worse, better bool) {
	lo, hi := b.limits()
	worse = x < lo-edge*max(1, math.Abs(lo))
	better = x > hi+edge*max(1, math.Abs(hi))
	if lowerIsBetter(b.Measure) {
		worse, better = better, worse
	}
	return worse, better
}

func (b Bound) worse(x float64) bool {
	worse, _ := b.beyond(x)
	return worse
}

// judgeBounded judges a value of which only one side is known; ok is false where
// the limits lie beyond it, so that the true value may pass or not.
func (b Bound) judgeBounded(x float64, known metrics.Bound) (o reports.Outcome, ok bool) {
	end := x
	switch known {
	case metrics.AtLeast:
		_, end = measureRange(b.Measure)
	case metrics.AtMost:
		end, _ = measureRange(b.Measure)
	}
	o = b.judge(x)
	return o, o == b.judge(end)
}

// String writes the bound as people say it.
func (b Bound) String() string {
	switch {
	case b.Expected != nil && b.Relative:
		return fmt.Sprintf("%s ± %s %%", digits(*b.Expected), digits(b.Tolerance*100))
	case b.Expected != nil:
		return fmt.Sprintf("%s ± %s", digits(*b.Expected), digits(b.Tolerance))
	case b.Min != nil && b.Max != nil:
		return fmt.Sprintf("%s to %s", digits(*b.Min), digits(*b.Max))
	case b.Min != nil:
		return "at least " + digits(*b.Min)
	}
	return "at most " + digits(*b.Max)
}

// digits writes a value with as many digits as a verdict may hang on.
func digits(x float64) string { return fmt.Sprintf("%.6g", x) }
