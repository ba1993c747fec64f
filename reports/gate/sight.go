package gate

import (
	"fmt"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// sight is what one look at a model's replies finds out.
type sight struct {
	replies  int
	unscored []string            // queries whose reply has no score at all
	dumps    int                 // replies flagged as dumps of answers
	sums     map[string]sum      // by metric
	draws    map[string]*drawing // by query, of a run that asks it more than once
}

func (s *sight) add(r eval.ScoredReply, scored bool) {
	s.replies++
	if scored && !scoring.Any(r.Scores) {
		s.unscored = append(s.unscored, r.Reply.Query)
	}
	dumped := scoring.Dumped(r.Flags)
	if dumped {
		s.dumps++
	}
	addTo(s.sums, r.Scores, dumped)
}

// addTo adds a reply's scores to the sums by metric.
func addTo(sums map[string]sum, scores []metrics.Score, dumped bool) {
	for _, score := range scores {
		x := score.Number()
		if x == nil {
			continue
		}
		sum := sums[score.Metric]
		sum.n++
		sum.total += *x
		if dumped {
			sum.dumped += *x
		}
		sums[score.Metric] = sum
	}
}

// commonDumps is the share of a model's replies above which dumps of answers
// leave nothing to say about em.
const commonDumps = 0.05

func (s sight) dumpsCommon() bool { return float64(s.dumps) > commonDumps*float64(s.replies) }

func (s sight) dumpReason() string {
	return fmt.Sprintf("%d of %d replies hold the answers of many other queries (flag %s), and so prove nothing by holding their own", s.dumps, s.replies, scoring.FlagAnswerDump)
}

// scores checks that every reply of a run is scored. whose is empty, or says
// which other run it is.
func (c *checker) scores(r reports.Report, seen map[string]sight, whose string) {
	for _, m := range c.expected.Models {
		if ids := seen[m.Name].unscored; len(ids) > 0 {
			c.add(reports.Check{Model: m.Name, Measure: whose + "scores", Expected: "of every reply",
				Got: fmt.Sprintf("%d have none", len(ids)), Outcome: reports.Inconclusive, Reason: unscoredReason(r, ids)})
		}
	}
}

func unscoredReason(r reports.Report, ids []string) string {
	return "the scoring is not whole (" + some(ids) + "); score the run again with disteval score " + r.Dir
}

// emOf is a reply's em, nil for a failure or an unscored reply.
func emOf(scores []metrics.Score) *float64 { return metrics.Find(scores, metrics.EM).Number() }

// some lists the first few of many.
func some(ids []string) string {
	const most = 5
	if len(ids) > most {
		return strings.Join(ids[:most], ", ") + " and others"
	}
	return strings.Join(ids, ", ")
}
