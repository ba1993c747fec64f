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

// scores checks that a run's stored scores are what its replies give. whose is
// empty, or says which other run it is.
func (c *checker) scores(ctx context.Context, r reports.Report, whose string) error {
	changed, err := stale(ctx, r)
	if err != nil {
		return err
	}
	for _, m := range c.expected.Models {
		if ids := changed[m.Name]; len(ids) > 0 {
			c.add(reports.Check{Model: m.Name, Measure: whose + "scores", Expected: "those of the stored replies",
				Got: fmt.Sprintf("%d differ", len(ids)), Outcome: reports.Inconclusive, Reason: staleReason(r, ids)})
		}
	}
	return nil
}

func staleReason(r reports.Report, ids []string) string {
	return "the scoring is not whole, or replies were changed after it, or it followed other rules (" + some(ids) +
		"); score the run again with disteval score " + r.Dir
}

// stale lists by model the queries whose stored scores are not what the stored
// reply gives, as far as that can be told without a server. A reply or a score
// that was changed, a score that is not there, and scores by the rules of
// another version are no ground for a verdict.
func stale(ctx context.Context, r reports.Report) (map[string][]string, error) {
	out := make(map[string][]string)
	if r.Scoring == nil {
		return out, nil // then no metric has a value to judge
	}
	by := r.Scoring.Scoring
	cfg := scoring.Config{IncludePrompt: by.IncludePrompt}
	scorer := scoring.New(cfg)
	for s, err := range r.Replies(ctx) {
		if err != nil {
			return nil, fmt.Errorf("check the scores of run %s: %w", r.RunID, err)
		}
		if s.Reply.Failure != nil {
			continue
		}
		fresh, err := scorer.Score(ctx, cfg.Pair(s.Query, s.Reply.Text))
		if err != nil {
			return nil, fmt.Errorf("check the scores of run %s: %w", r.RunID, err)
		}
		if id := s.Reply.Job; differ(s.Scores, fresh.Scores, by.Embedding != eval.EmbeddingBuiltin) {
			out[id.Model] = append(out[id.Model], id.Query)
		}
	}
	return out, nil
}

// differ tells whether a stored score is not the one made anew. Vectors of a
// server cannot be had here, nor the floor under cosine_lift.
func differ(stored, fresh []metrics.Score, served bool) bool {
	for _, s := range stored {
		at := slices.IndexFunc(fresh, func(f metrics.Score) bool { return f.Metric == s.Metric })
		switch {
		case s.Metric == metrics.CosineLift:
		case served && (s.Metric == metrics.Cosine || s.Metric == metrics.CosineBest):
		case at < 0 || fresh[at].Status != s.Status || math.Abs(fresh[at].Value-s.Value) > alike:
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
