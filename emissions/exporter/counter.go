package exporter

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/disteval/disteval/emissions"
)

// maxStepW is a power that no counter of one machine shows.
const maxStepW = 20_000

// counter is the history of one counter of an exporter.
type counter struct {
	sample
	series  emissions.Series // µJ; a point at every change
	sum     uint64           // µJ
	at      time.Time        // of the last change
	checked time.Time        // of the last good reading
	failed  string           // the reason while readings fail
	step    time.Duration    // the longest time in which the counter did not change
	peakW   float64
}

// take takes a reading at t.
func (c *counter) take(t time.Time, joules float64) {
	switch {
	case math.IsNaN(joules) || joules < 0 || joules > maxJoules:
		c.fail(fmt.Sprintf("%g is not a count of joules", joules))
		return
	case c.at.IsZero():
		c.series.Add(t, 0)
		c.at = t
	case joules < c.joules:
		c.lose(t, fmt.Sprintf("the counter fell from %g to %g J: it was reset, or wrapped at a range that the exporter does not give", c.joules, joules))
	case joules == c.joules:
		c.step = max(c.step, t.Sub(c.at))
	case joules-c.joules > maxStepW*(t.Sub(c.checked).Seconds()+1):
		c.lose(t, fmt.Sprintf("the counter jumped from %g to %g J, which no machine uses in %.1f s", c.joules, joules, t.Sub(c.checked).Seconds()))
	default:
		if c.failed != "" {
			c.series.AddGap(c.checked, t, c.failed)
		}
		delta := joules - c.joules
		c.sum += uint64(delta * 1e6)
		c.series.Add(t, c.sum)
		c.step = max(c.step, t.Sub(c.at))
		c.peakW = math.Max(c.peakW, delta/t.Sub(c.at).Seconds())
		c.at = t
	}
	c.joules, c.checked, c.failed = joules, t, ""
}

func (c *counter) lose(t time.Time, reason string) {
	c.series.AddLost(t, c.sum, reason)
	c.at = t
}

func (c *counter) fail(reason string) { c.failed = cmp.Or(c.failed, reason) }

// most is the energy to reckon with where the counter is not known for d.
func (c *counter) most(d time.Duration) emissions.Energy {
	w := c.peakW
	if w == 0 {
		w = 1000
	}
	return emissions.Energy(d.Seconds() * w * 1e6)
}

// between returns the energy of an interval. A counter that its exporter moves
// only now and then is interpolated, so that both ends leave open as much as
// one of its steps; beyond the last step it goes on at the power of before.
func (c *counter) between(from, to time.Time) (change emissions.Change, low, high emissions.Energy) {
	change = c.series.Between(from, to)
	low, high = emissions.Energy(change.Amount), emissions.Energy(change.Amount)
	if c.step > 2*pace {
		before, after := c.series.Around(from)
		open := after - before
		before, after = c.series.Around(to)
		open += after - before
		low, high = low-min(low, emissions.Energy(open)), high+emissions.Energy(open)
	}
	n := len(change.Spans)
	if n == 0 || !change.Spans[n-1].Open || !from.Before(c.at) {
		return change, low, high
	}
	ahead := to.Sub(c.at)
	if c.failed != "" {
		return change, low, high
	}
	if ahead > max(2*pace, 2*c.step) {
		change.Spans[n-1].Reason = "the counter does not move"
		return change, low, high
	}
	back := min(max(c.step, pace), c.at.Sub(from))
	recent := c.series.Between(c.at.Add(-back), c.at)
	if back <= 0 || recent.Lost > 0 {
		return change, low, high
	}
	more := uint64(float64(recent.Amount) * ahead.Seconds() / back.Seconds())
	change.Amount += more
	change.Lost -= ahead
	change.Gaps = append(change.Gaps, change.Spans[n-1]) // stays open: the next reading closes it
	change.Spans = change.Spans[:n-1]
	return change, low, high + 2*emissions.Energy(more)
}
