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
// has strictly the fewest. It needs every candidate exactly.
func Choose(right Form, others []Form) Choice {
	c := Choice{Candidates: 1 + len(others)}
	if len(others) == 0 {
		c.Score = unscored(metrics.Choice, "fewer than two candidates")
		return c
	}
	best, tie := 0, false
	all := append([]Form{right}, others...)
	for i, f := range all {
		if !f.Exact() {
			c.Score = unscored(metrics.Choice, fmt.Sprintf("needs every candidate exactly; %s", f.reason()))
			return c
		}
		if i == 0 {
			continue
		}
		switch a, b := perByte(f), perByte(all[best]); {
		case math.Abs(a-b) <= alike*b:
			tie = true
		case a < b:
			best, tie = i, false
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

// alike is the relative difference of two sums that only their order of adding
// sets apart.
const alike = 1e-12

func perByte(f Form) float64 {
	lo, _ := f.Bits()
	return lo / float64(f.Bytes)
}
