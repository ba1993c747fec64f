package gate

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// tally is how far the answering of one model has come.
type tally struct {
	asked            int // questions in all, answered or not
	samples          int // of a query
	answered, failed int
	dumps            int            // answers that are dumps
	sums             map[string]sum // by metric
}

// sum is what the answers so far have of one metric.
type sum struct {
	n      int // scored
	total  float64
	dumped float64 // part of total that is of dumps
}

func (t tally) open() int { return t.asked - t.answered - t.failed }

// rounding is more than two ways of adding up the same scores differ by.
const rounding = 1e-12

// mustFail reports whether a check comes to a regression however the open
// questions are answered; at is then the value that it cannot get beyond.
func (b Bound) mustFail(t tally) (at float64, must bool) {
	needed := b.MinScored * t.samples
	if needed > t.asked {
		return 0, false // too few can be scored for a verdict
	}
	if counted(b.Measure) {
		return b.mustFailCount(t)
	}
	s, open := t.sums[b.Measure], float64(t.open())
	m, is := metrics.Named(b.Measure)
	if !is || float64(s.n)+open == 0 || math.IsInf(m.Min, 0) || math.IsInf(m.Max, 0) {
		return 0, false
	}
	if !alwaysScored(b.Measure) && s.n < max(needed, int(math.Ceil(minScored*float64(t.asked)))) {
		return 0, false // it may come to too few scores, and so to no verdict
	}
	n := float64(s.n) + open
	low, high := (s.total+open*m.Min)/n-rounding, (s.total+open*m.Max)/n+rounding
	best, worst := high, low
	if lowerIsBetter(b.Measure) {
		best, worst = low, high
	}
	if b.worse(best) {
		return best, true
	}
	return worst, !b.worse(worst) && b.judge(worst) == reports.Regression // too good for a limit on that side
}

// mustFailCount does that for shares of right replies. Failures count as what
// helps, as judgeShare counts them.
func (b Bound) mustFailCount(t tally) (at float64, must bool) {
	s, n := t.sums[b.Measure], float64(t.asked)
	if s.n < t.answered {
		return 0, false // a reply that cannot be scored leaves no verdict
	}
	if high := (s.total + float64(t.failed+t.open())) / n; b.worse(high) {
		return high, true
	}
	low := (s.total - s.dumped) / n
	mayBeDumps := float64(t.dumps+t.open()) > commonDumps*float64(t.answered+t.open())
	return low, !mayBeDumps && !b.worse(low) && b.judge(low) == reports.Regression
}

// alwaysScored holds for the metrics that every reply has.
func alwaysScored(measure string) bool {
	return slices.Contains([]string{metrics.RougeLPrecision, metrics.RougeLRecall, metrics.RougeLF1}, measure)
}

// decided makes the check of a bound that must fail.
func (b Bound) decided(model string, t tally, at float64) reports.Check {
	got := digits(at) + " at the least"
	if b.worse(at) != lowerIsBetter(b.Measure) {
		got = digits(at) + " at the most"
	}
	return reports.Check{Model: model, Measure: b.Measure, Expected: b.String(), Got: got, Outcome: reports.Regression,
		Reason: fmt.Sprintf("%s, however the %d open ones are answered", t.after(), t.open())}
}

func (t tally) after() string {
	return fmt.Sprintf("after %d of %d questions", t.answered+t.failed, t.asked)
}

// tooMany makes the check of a model with more failures than are allowed.
func (m Model) tooMany(t tally, why string) reports.Check {
	return reports.Check{Model: m.Name, Measure: "replies", Expected: fmt.Sprintf("all, at most %d failed", m.MaxFailures),
		Got: fmt.Sprintf("%d answered, %d failed, %d open", t.answered, t.failed, t.open()), Outcome: reports.Inconclusive,
		Reason: strings.TrimSuffix(t.after()+": "+why, ": ")}
}
