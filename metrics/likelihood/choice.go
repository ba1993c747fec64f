package likelihood

import (
	"fmt"
	"math"

	"github.com/disteval/disteval/metrics"
)

// Choice is what a model would choose among several answers.
type Choice struct {
	Score      metrics.Score
	Candidates int    // the right one included
	Chosen     string // the candidate with the fewest bits per byte; empty where it is not known or two tie
}

// Chance is the probability that a blind choice is right; 0 where there is
// nothing to choose.
func (c Choice) Chance() float64 {
	if c.Candidates < 2 {
		return 0
	}
	return 1 / float64(c.Candidates)
}

// Choose compares the right answer with the others by bits per byte: 1 where it
// has strictly the fewest. It needs every candidate exactly, but for those that
// were cut because they have more than another already.
func Choose(right Form, others []Form) Choice {
	c := Choice{Candidates: 1 + len(others)}
	if len(others) == 0 {
		c.Score = unscored(metrics.Choice, "fewer than two candidates")
		return c
	}
	all := append([]Form{right}, others...)
	best, tie := fewest(all)
	for _, f := range all {
		if !f.Exact() && (best < 0 || !f.Cut || f.Reason != "" || f.PerByte() <= all[best].PerByte()) {
			c.Score = unscored(metrics.Choice, fmt.Sprintf("needs every candidate exactly; %s", f.reason()))
			return c
		}
	}
	c.Score = scored(metrics.Choice, 0)
	if !tie {
		c.Chosen = all[best].Text
		if best == 0 {
			c.Score.Value = 1
		}
	}
	return c
}

// fewest is the exact form with the fewest bits per byte, -1 without one, and
// whether another has as few.
func fewest(forms []Form) (best int, tie bool) {
	best = -1
	for i, f := range forms {
		switch {
		case !f.Exact():
		case best < 0:
			best = i
		case math.Abs(f.PerByte()-forms[best].PerByte()) <= alike*forms[best].PerByte():
			tie = true
		case f.PerByte() < forms[best].PerByte():
			best, tie = i, false
		}
	}
	return best, tie
}

// alike is the relative difference of two sums that only their order of adding
// sets apart.
const alike = 1e-12
