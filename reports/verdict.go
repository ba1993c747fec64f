package reports

import (
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

// Verdict is what the gate says of a run.
type Verdict struct {
	RunID    string
	Baseline string   // run that Paired compares with; empty: none
	Checks   []Check  // the run's first, then the models' in the order of the file
	Paired   []Paired // by model; empty without a baseline
	Unjudged []string // models of the run that nothing is expected of
}

// Check is one thing that was expected and what came.
type Check struct {
	Model    string // empty: of the whole run
	Measure  string // such as em, duration_s, failures or queries
	Query    string // of a check on one query; else empty
	Expected string
	Got      string // None where there is nothing
	Outcome  Outcome
	Reason   string // why it did not pass and what to do; may hold text of a server: untrusted
}

// Paired is one model's em against the baseline run's on the same queries.
type Paired struct {
	Model         string
	Before, After float64 // mean em on the pairs, [0, 1]
	stat.Comparison
	NewlyWrong, NewlyRight []Change // in the order of the queries
	Discordance            float64  // share of the queries that Detectable supposes to differ
	Detectable             *float64 // smallest difference found with 80 % power; nil: none can be
}

// Change is one query whose em differs from the baseline's.
type Change struct {
	Query, Prompt, Keyword string
	Reply                  string // now; untrusted
}

// Status is inconclusive where any check is, or where there is none; else a
// regression where any check is; else a pass.
func (v Verdict) Status() Outcome {
	if len(v.Checks) == 0 {
		return Inconclusive
	}
	status := Pass
	for _, c := range v.Checks {
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

// ExitCode is 0 for a pass, 3 for a regression and 4 where the gate could not
// tell. 4 outranks 3: a run that cannot be judged whole is not judged.
func (v Verdict) ExitCode() int {
	switch v.Status() {
	case Pass:
		return 0
	case Regression:
		return 3
	}
	return 4
}

// Count tells how many checks came to an outcome.
func (v Verdict) Count(o Outcome) int {
	n := 0
	for _, c := range v.Checks {
		if c.Outcome == o {
			n++
		}
	}
	return n
}
