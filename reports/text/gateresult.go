package text

import "github.com/disteval/disteval/reports"

// gateResult is what the gate says; the paired comparison is in judgement.json.
type gateResult struct {
	Status   reports.Outcome         `json:"status"`
	Baseline *string                 `json:"baseline"` // run that it was compared with query by query
	Counts   map[reports.Outcome]int `json:"counts"`   // of checks, by every outcome
	Checks   []reports.Check         `json:"checks"`
	Unjudged []string                `json:"unjudged"`
}

func judgementOf(j *reports.Judgement) *gateResult {
	if j == nil {
		return nil
	}
	counts := make(map[reports.Outcome]int)
	for _, o := range []reports.Outcome{reports.Pass, reports.Regression, reports.Improved, reports.Inconclusive} {
		counts[o] = j.Count(o)
	}
	return &gateResult{j.Status(), stated(j.Baseline), counts, list(j.Checks), list(j.Unjudged)}
}
