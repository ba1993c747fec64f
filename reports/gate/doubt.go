package gate

import (
	"fmt"
	"strings"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// counted reports whether a measure is the share of replies that are right.
func counted(measure string) bool {
	return measure == metrics.EM || measure == metrics.EMSubstring || measure == metrics.EMStrict
}

// share is a share of replies or queries, with what is in doubt about it.
type share struct {
	at        float64
	low, high float64  // what it could be, were the doubtful ones known
	common    bool     // dumps of answers are common
	why       []string // there is a doubt
}

// share counts every sample alike in what it could be: of a query's k samples
// each weighs 1/k, whether or not the others failed.
func (c *checker) share(measure string, m reports.Model) share {
	seen := c.sights[m.Model.Name]
	if sampled(measure) {
		return seen.shareOfQueries(measure, *value(measure, m))
	}
	metric, of, failed := m.Metric(measure), seen.sums[measure], float64(m.Failures)
	if c.report.Plan.Samples <= 1 {
		of.n, of.total = metric.N, metric.Mean*float64(metric.N)
	}
	n := float64(of.n) + failed
	s := share{at: metric.Mean, low: (of.total - of.dumped) / n, high: (of.total + failed) / n, common: seen.dumpsCommon()}
	if failed > 0 {
		s.why = append(s.why, fmt.Sprintf("%d failed", m.Failures))
	}
	if of.dumped > 0 {
		s.why = append(s.why, fmt.Sprintf("%d hold the answers of many other queries", seen.dumps))
	}
	return s
}

// judgeShare judges a share that failures and dumps of answers leave in doubt:
// they must not turn a verdict. Where even the best that it can be is too low,
// they cannot. decided is false where they could.
func (b Bound) judgeShare(s share) (outcome reports.Outcome, decided bool) {
	outcome = b.judge(s.at)
	switch {
	case b.worse(s.high):
		return reports.Regression, true
	case s.common:
		return reports.Inconclusive, false
	case b.passes(s.low) != b.passes(s.high), b.passes(s.low) != passed(outcome):
		return reports.Inconclusive, false
	case passed(outcome) && b.judge(s.low) != outcome:
		return reports.Pass, true
	}
	return outcome, true
}

func (b Bound) passes(x float64) bool { return passed(b.judge(x)) }

func passed(o reports.Outcome) bool { return o == reports.Pass || o == reports.Improved }

// doubt says why a share is not judged.
func (c *checker) doubt(s share, m reports.Model) string {
	if s.common {
		return c.sights[m.Model.Name].dumpReason()
	}
	return fmt.Sprintf("the verdict hangs on replies that may be right or wrong (%s): it lies between %s and %s",
		strings.Join(s.why, ", "), digits(s.low), digits(s.high))
}
