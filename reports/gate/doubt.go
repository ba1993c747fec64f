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

// share is a metric that counts right replies, with what is in doubt about it.
type share struct {
	right, n float64 // of the replies that are scored
	failed   float64 // replies that could have been either
	dumped   float64 // right replies that are dumps of answers
	common   bool    // dumps are common
}

func (c *checker) share(measure string, m reports.Model) share {
	metric, seen := m.Metric(measure), c.sights[m.Model.Name]
	return share{right: metric.Mean * float64(metric.N), n: float64(metric.N), failed: float64(m.Failures),
		dumped: seen.dumped[measure], common: seen.dumpsCommon()}
}

// judge judges a share that failures and dumps of answers leave in doubt: they
// must not turn a verdict. Where even the best that it can be is too low, they
// cannot. decided is false where they could.
func (b Bound) judgeShare(s share) (outcome reports.Outcome, decided bool) {
	outcome = b.judge(s.right / s.n)
	low, high := (s.right-s.dumped)/(s.n+s.failed), (s.right+s.failed)/(s.n+s.failed)
	switch {
	case b.worse(high):
		return reports.Regression, true
	case s.common:
		return reports.Inconclusive, false
	case b.passes(low) != b.passes(high), b.passes(low) != passed(outcome):
		return reports.Inconclusive, false
	case passed(outcome) && b.judge(low) != outcome:
		return reports.Pass, true
	}
	return outcome, true
}

func (b Bound) passes(x float64) bool { return passed(b.judge(x)) }

func passed(o reports.Outcome) bool { return o == reports.Pass || o == reports.Improved }

// doubt says why a share is not judged.
func (c *checker) doubt(b Bound, m reports.Model) string {
	s, seen := c.share(b.Measure, m), c.sights[m.Model.Name]
	if s.common {
		return seen.dumpReason()
	}
	var why []string
	if s.failed > 0 {
		why = append(why, fmt.Sprintf("%d failed", m.Failures))
	}
	if s.dumped > 0 {
		why = append(why, fmt.Sprintf("%d hold the answers of many other queries", seen.dumps))
	}
	return fmt.Sprintf("the verdict hangs on replies that may be right or wrong (%s): it lies between %s and %s", strings.Join(why, ", "),
		digits((s.right-s.dumped)/(s.n+s.failed)), digits((s.right+s.failed)/(s.n+s.failed)))
}
