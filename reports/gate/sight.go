package gate

import (
	"context"
	"fmt"
	"strings"

	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// sight is what one look at a model's replies finds out.
type sight struct {
	replies  int
	unscored []string           // queries whose reply has no score at all
	dumps    int                // replies flagged as dumps of answers
	dumped   map[string]float64 // by metric: the sum of the flagged replies' values
}

// look goes once over a run's replies, by model.
func look(ctx context.Context, r reports.Report) (map[string]sight, error) {
	out := make(map[string]sight)
	for s, err := range r.Replies(ctx) {
		if err != nil {
			return nil, fmt.Errorf("check the replies of run %s: %w", r.RunID, err)
		}
		if s.Reply.Failure != nil {
			continue
		}
		seen := out[s.Reply.Model]
		seen.replies++
		if r.Scoring != nil && !scoring.Any(s.Scores) { // without a scoring no metric has a value to judge
			seen.unscored = append(seen.unscored, s.Reply.Query)
		}
		if scoring.Dumped(s.Flags) {
			seen.addDump(s.Scores)
		}
		out[s.Reply.Model] = seen
	}
	return out, nil
}

func (s *sight) addDump(scores []metrics.Score) {
	s.dumps++
	if s.dumped == nil {
		s.dumped = make(map[string]float64)
	}
	for _, score := range scores {
		if x := score.Number(); x != nil {
			s.dumped[score.Metric] += *x
		}
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
