package gate

import (
	"context"
	"fmt"
	"strings"

	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// scores checks that every reply of a run is scored. whose is empty, or says
// which other run it is.
func (c *checker) scores(ctx context.Context, r reports.Report, whose string) error {
	missing, err := unscored(ctx, r)
	if err != nil {
		return err
	}
	for _, m := range c.expected.Models {
		if ids := missing[m.Name]; len(ids) > 0 {
			c.add(reports.Check{Model: m.Name, Measure: whose + "scores", Expected: "of every reply",
				Got: fmt.Sprintf("%d have none", len(ids)), Outcome: reports.Inconclusive, Reason: unscoredReason(r, ids)})
		}
	}
	return nil
}

func unscoredReason(r reports.Report, ids []string) string {
	return "the scoring is not whole (" + some(ids) + "); score the run again with disteval score " + r.Dir
}

// unscored lists by model the queries whose reply has no score at all.
func unscored(ctx context.Context, r reports.Report) (map[string][]string, error) {
	out := make(map[string][]string)
	if r.Scoring == nil {
		return out, nil // then no metric has a value to judge
	}
	for s, err := range r.Replies(ctx) {
		if err != nil {
			return nil, fmt.Errorf("check the scores of run %s: %w", r.RunID, err)
		}
		if id := s.Reply.JobID; s.Reply.Failure == nil && !scoring.Any(s.Scores) {
			out[id.Model] = append(out[id.Model], id.Query)
		}
	}
	return out, nil
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
