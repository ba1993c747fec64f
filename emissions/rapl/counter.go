package rapl

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/disteval/disteval/emissions"
)

const (
	// defaultLimitW stands for a zone's highest power until it is known.
	defaultLimitW = 500
	// absurdW is a power no zone reaches where its limit is not known.
	absurdW = 3000
	// burst is the slack for counters that are updated in steps.
	burst = 100 * time.Millisecond
	// powerWindow is the shortest time over which power is told from a counter:
	// over less, one late step of the counter would pass for a surge.
	powerWindow = 250 * time.Millisecond
)

// counter is one zone's energy as an integer state machine. A good reading is
// accepted if the growth since the last one, through a wrap if need be, is
// physically possible. One that is not is held back: if the next continues
// from the last accepted reading, it was a bad read and nothing is lost; if
// the next continues from it, the counter was reset, and the energy between
// the two is not known.
type counter struct {
	folder
	span   uint64  // µJ at which it wraps, 0 where not known
	limitW float64 // the zone's own power limit, 0 where not known

	series emissions.Series
	sum    uint64
	last   mark
	have   bool
	held   *mark
	failed string // the reason while reads fail; the gap, if there was a good read before, began at last.at

	peakW   float64 // highest power seen over powerWindow or longer
	peakAt  time.Time
	peakSum uint64
}

type mark struct {
	at  time.Time
	raw uint64
}

func newCounter(f folder) *counter {
	c := &counter{folder: f}
	// A range of 0 or none leaves wraps untold, as in CodeCarbon #1309.
	c.span, _ = readFunc(os.ReadFile).counter(filepath.Join(f.path, "max_energy_range_uj"))
	for _, file := range []string{"constraint_0_power_limit_uw", "constraint_0_max_power_uw"} {
		if uw, err := readFunc(os.ReadFile).counter(filepath.Join(f.path, file)); err == nil {
			c.limitW = math.Max(c.limitW, float64(uw)/1e6)
		}
	}
	return c
}

// summable tells whether the counter was ever read and can stand in a sum.
func (c *counter) summable() bool { return c.have && (c.counts() || c.platform()) }

// highW is the highest power to reckon with.
func (c *counter) highW() float64 {
	if high := math.Max(c.peakW, c.limitW); high > 0 {
		return high
	}
	return defaultLimitW
}

// most is the energy to reckon with where the counter was not read for d.
func (c *counter) most(d time.Duration) emissions.Energy {
	return emissions.Energy(d.Seconds() * c.highW() * 1e6)
}

// possible is the most energy in µJ the zone can use in d.
func (c *counter) possible(d time.Duration) float64 {
	w := float64(absurdW)
	if c.limitW > 0 {
		w = math.Max(4*c.limitW, 1000)
	}
	return w * 1e6 * (d + burst).Seconds()
}

// growth returns the energy between two readings, and whether it can be told.
func (c *counter) growth(from, to mark) (uint64, bool) {
	delta := to.raw - from.raw
	if to.raw < from.raw {
		if c.span == 0 || from.raw > c.span {
			return 0, false
		}
		delta = c.span - from.raw + to.raw
	}
	return delta, float64(delta) <= c.possible(to.at.Sub(from.at))
}

// fail takes a failed read.
func (c *counter) fail(reason string) {
	if c.failed == "" {
		c.failed = reason
	}
}

// take takes a good read.
func (c *counter) take(m mark) {
	if !c.have {
		c.have, c.last, c.failed = true, m, ""
		c.peakAt = m.at
		c.series.Add(m.at, 0)
		return
	}
	if !m.at.After(c.last.at) {
		return
	}
	if delta, ok := c.growth(c.last, m); ok {
		c.accept(m, delta)
		return
	}
	if c.held != nil {
		if delta, ok := c.growth(*c.held, m); ok {
			c.reset(*c.held)
			c.accept(m, delta)
			return
		}
	}
	c.held = &m
	c.fail(fmt.Sprintf("the counter jumped from %d to %d µJ", c.last.raw, m.raw))
}

// reset begins anew at m, after a step whose energy is not known.
func (c *counter) reset(m mark) {
	c.series.AddLost(m.at, c.sum, fmt.Sprintf("the counter stepped from %d to %d µJ, which no wrap explains", c.last.raw, m.raw))
	c.last, c.held, c.failed = m, nil, ""
	c.peakAt, c.peakSum = m.at, c.sum
}

func (c *counter) accept(m mark, delta uint64) {
	silent := m.at.Sub(c.last.at)
	c.sum += delta
	if c.span > 0 && silent > 2*burst && silent.Seconds()*c.highW()*1e6 >= float64(c.span) {
		c.series.AddLost(m.at, c.sum, fmt.Sprintf("no good reading for %.1f s, in which a wrap could hide", silent.Seconds()))
	} else {
		if c.failed != "" {
			c.series.AddGap(c.last.at, m.at, c.failed)
		}
		c.series.Add(m.at, c.sum)
	}
	c.last, c.held, c.failed = m, nil, ""
	if d := m.at.Sub(c.peakAt); d >= powerWindow {
		c.peakW = math.Max(c.peakW, float64(c.sum-c.peakSum)/1e6/d.Seconds())
		c.peakAt, c.peakSum = m.at, c.sum
	}
}

// period is how soon the zone must be read again, so that no wrap can hide;
// one that fails is tried again soon, so that its gap is no longer than that.
func (c *counter) period() time.Duration {
	longest := maxPeriod
	if c.have && c.failed != "" {
		longest = retryPeriod
	}
	if c.span == 0 {
		return longest
	}
	wrap := float64(c.span) / 1e6 / c.highW()
	return max(minPeriod, min(longest, time.Duration(wrap/4*float64(time.Second))))
}
