package reports

import (
	"maps"
	"math"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
)

// summarizeReviews sets people's verdicts beside em and beside each other;
// "unsure" enters neither.
func summarizeReviews(reviews []eval.Review, p eval.Plan, t []*tally) *ReviewSummary {
	if len(reviews) == 0 {
		return nil
	}
	out := &ReviewSummary{N: len(reviews)}
	by := make(map[string]map[eval.JobID]bool)
	for _, r := range reviews {
		if by[r.Reviewer] == nil {
			by[r.Reviewer] = make(map[eval.JobID]bool)
			out.Reviewers = append(out.Reviewers, r.Reviewer)
		}
		if r.Verdict != "unsure" {
			by[r.Reviewer][r.JobID] = r.Verdict == "right"
		}
	}
	slices.Sort(out.Reviewers)
	em := emByJob(p, t)
	for i, a := range out.Reviewers {
		out.WithEM = append(out.WithEM, agreement(a, "em", by[a], em))
		for _, b := range out.Reviewers[i+1:] {
			out.Between = append(out.Between, agreement(a, b, by[a], by[b]))
		}
	}
	return out
}

func emByJob(p eval.Plan, t []*tally) map[eval.JobID]bool {
	out := make(map[eval.JobID]bool)
	for i, m := range p.Models {
		if s := t[i].samples; s != nil {
			maps.Copy(out, s.em)
			continue
		}
		for q, v := range t[i].values[metrics.EM] {
			if !math.IsNaN(v) {
				out[eval.JobID{Model: m.Name, Query: p.Queries.Queries[q].ID}] = v == 1
			}
		}
	}
	return out
}

func agreement(a, b string, x, y map[eval.JobID]bool) ReviewAgreement {
	table := [][]int{{0, 0}, {0, 0}}
	index := map[bool]int{true: 0, false: 1}
	for job, v := range x {
		if w, ok := y[job]; ok {
			table[index[v]][index[w]]++
		}
	}
	return ReviewAgreement{A: a, B: b, Agreement: stat.Kappa(table)}
}
