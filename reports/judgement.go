package reports

import (
	"fmt"
	"strings"

	"github.com/disteval/disteval/metrics/stat"
)

// Outcome is what one check, or all of them together, came to.
type Outcome string

const (
	Pass         Outcome = "pass"
	Regression   Outcome = "regression"   // worse than expected, beyond the tolerance
	Improved     Outcome = "improved"     // better than expected, beyond the tolerance; it does not fail
	Inconclusive Outcome = "inconclusive" // what is missing or of another kind cannot be judged, and never passes
)

// Judgement is what the gate says of a run.
type Judgement struct {
	RunID    string   `json:"run_id"`
	Baseline string   `json:"baseline"` // run that Paired compares with; empty: none
	Checks   []Check  `json:"checks"`   // the run's first, then the models' in the order of the file
	Paired   []Paired `json:"paired"`   // by model; empty without a baseline
	Unjudged []string `json:"unjudged"` // models of the run that nothing is expected of
}

// Check is one thing that was expected and what came.
type Check struct {
	Model    string  `json:"model"`   // empty: of the whole run
	Measure  string  `json:"measure"` // such as em, duration_s, failures or queries
	Query    string  `json:"query"`   // of a check on one query; else empty
	Expected string  `json:"expected"`
	Got      string  `json:"got"` // None where there is nothing
	Outcome  Outcome `json:"outcome"`
	Reason   string  `json:"reason"` // why it did not pass and what to do; may hold text of a server: untrusted
}

// Paired is one model's em against the baseline run's on the same queries.
type Paired struct {
	Model           string  `json:"model"`
	Before          float64 `json:"before"` // mean em on the pairs, [0, 1]
	After           float64 `json:"after"`
	stat.Comparison `json:"comparison"`
	PHolm           *float64 `json:"p_holm"`      // Comparison.P corrected for the number of models compared; nil without a pair
	NewlyWrong      []Change `json:"newly_wrong"` // in the order of the queries
	NewlyRight      []Change `json:"newly_right"`
	Discordance     float64  `json:"discordance"` // share of the queries that Detectable supposes to differ
	Detectable      *float64 `json:"detectable"`  // smallest difference found with 80 % power; nil: none can be
}

// Change is one query whose em differs from the baseline's.
type Change struct {
	Query   string `json:"query"`
	Prompt  string `json:"prompt"`
	Keyword string `json:"keyword"`
	Before  string `json:"before"` // the baseline's reply; untrusted
	Reply   string `json:"reply"`  // now; untrusted
}

// Status is inconclusive where any check is, or where there is none; else a
// regression where any check is; else a pass. Inconclusive outranks a
// regression: a run that cannot be judged whole is not judged.
func (j Judgement) Status() Outcome {
	if len(j.Checks) == 0 {
		return Inconclusive
	}
	status := Pass
	for _, c := range j.Checks {
		switch c.Outcome {
		case Pass, Improved:
		case Regression:
			status = Regression
		default:
			return Inconclusive
		}
	}
	return status
}

// Count tells how many checks came to an outcome.
func (j Judgement) Count(o Outcome) int {
	n := 0
	for _, c := range j.Checks {
		if c.Outcome == o {
			n++
		}
	}
	return n
}

// Counts says how many checks came to what, as in "of 12 checks: 1 regression, 11 pass".
func (j Judgement) Counts() string {
	if len(j.Checks) == 0 {
		return "nothing was checked"
	}
	var parts []string
	for _, o := range []Outcome{Inconclusive, Regression, Improved, Pass} {
		if n := j.Count(o); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	checks := "checks"
	if len(j.Checks) == 1 {
		checks = "check"
	}
	return fmt.Sprintf("of %d %s: %s", len(j.Checks), checks, strings.Join(parts, ", "))
}
