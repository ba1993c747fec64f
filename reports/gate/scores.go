package gate

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// alike is how far a score made on another machine may be off.
const alike = 1e-6

// scores checks that the stored scores are what the stored replies give, as far
// as that can be told without a server: a reply or a score that was changed
// after the scoring, or scores by the rules of another version, are no ground
// for a verdict.
func (c *checker) scores(ctx context.Context) error {
	if c.report.Scoring == nil {
		return nil // then no metric has a value to judge
	}
	by := c.report.Scoring.Scoring
	cfg := scoring.Config{IncludePrompt: by.IncludePrompt}
	scorer := scoring.New(cfg)
	stale := make(map[string][]string)
	for s, err := range c.report.Replies(ctx) {
		if err != nil {
			return fmt.Errorf("check the scores of run %s: %w", c.report.RunID, err)
		}
		if s.Reply.Failure != nil {
			continue
		}
		fresh, err := scorer.Score(ctx, cfg.Pair(s.Query, s.Reply.Text))
		if err != nil {
			return fmt.Errorf("check the scores of run %s: %w", c.report.RunID, err)
		}
		if differ(s.Scores, fresh.Scores, by.Embedding != eval.EmbeddingBuiltin) {
			stale[s.Reply.Job.Model] = append(stale[s.Reply.Job.Model], s.Reply.Job.Query)
		}
	}
	for _, m := range c.expected.Models {
		if ids := stale[m.Name]; len(ids) > 0 {
			c.add(reports.Check{Model: m.Name, Measure: "scores", Expected: "those of the stored replies",
				Got: fmt.Sprintf("%d differ", len(ids)), Outcome: reports.Inconclusive,
				Reason: "replies or scores were changed after the scoring, or it followed other rules (" + some(ids) + "); score the run again with disteval score"})
		}
	}
	return nil
}

// differ tells whether a stored score is not the one made anew. Vectors of a
// server cannot be had here, nor the floor under cosine_lift.
func differ(stored, fresh []metrics.Score, served bool) bool {
	for _, s := range stored {
		at := slices.IndexFunc(fresh, func(f metrics.Score) bool { return f.Metric == s.Metric })
		switch {
		case s.Status != metrics.Scored, s.Metric == metrics.CosineLift:
		case served && (s.Metric == metrics.Cosine || s.Metric == metrics.CosineBest):
		case at < 0 || fresh[at].Status != metrics.Scored || math.Abs(fresh[at].Value-s.Value) > alike:
			return true
		}
	}
	return false
}

// some lists the first few of many.
func some(ids []string) string {
	const most = 5
	if len(ids) > most {
		return strings.Join(ids[:most], ", ") + " and others"
	}
	return strings.Join(ids, ", ")
}
