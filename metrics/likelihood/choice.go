package likelihood

import (
	"cmp"
	"fmt"
	"math"
	"slices"

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

// Narrow follows forms, which must be Cut, as far as the one with the fewest
// bits per byte can be told from the others: open lists those to follow, and
// step takes one a step further, clearing Cut at its end. The most promising by
// their first step come first. Forms that are exact already count.
func Narrow(forms []Form, open []int, step func(i int) error) error {
	for _, i := range open {
		if err := step(i); err != nil {
			return err
		}
	}
	slices.SortStableFunc(open, func(a, b int) int { return cmp.Compare(forms[a].PerByte(), forms[b].PerByte()) })
	least := math.Inf(1)
	if best, _ := fewest(forms); best >= 0 {
		least = forms[best].PerByte()
	}
	for _, i := range open {
		for forms[i].Cut && forms[i].Reason == "" && forms[i].PerByte() <= least {
			if err := step(i); err != nil {
				return err
			}
		}
		if forms[i].Exact() {
			least = min(least, forms[i].PerByte())
		}
	}
	return nil
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
