package emissions

import (
	"math"
	"time"
)

// IntegrationPeriod is how often power is read where there is no counter of
// energy: 10 Hz.
const IntegrationPeriod = 100 * time.Millisecond

// unbridged is the longest silence between two powers over which the power is
// still taken to go from the one to the other.
const unbridged = 10 * IntegrationPeriod

// Integral is the energy of a power that is read again and again, with what
// the readings leave open: between two of them the power went from one to the
// other, and how it went is bounded by the two. It is for one goroutine at a time.
type Integral struct {
	mid, low, high   Series // µJ
	sum, least, most float64
	at               time.Time
	watts            float64
	failed           string // the reason while reads fail
	peakW            float64
}

// Add takes a reading.
func (i *Integral) Add(t time.Time, watts float64) {
	if math.IsNaN(watts) || watts < 0 {
		i.Fail("the power is not a number of watts")
		return
	}
	if !i.at.IsZero() && !t.After(i.at) {
		return
	}
	silent := t.Sub(i.at)
	i.peakW = math.Max(i.peakW, watts)
	switch us := silent.Seconds() * 1e6; {
	case i.at.IsZero():
		i.each(func(s *Series, sum float64) { s.Add(t, uint64(sum)) })
	case silent > unbridged:
		reason := i.failed
		if reason == "" {
			reason = "the power was not read in time"
		}
		i.each(func(s *Series, sum float64) { s.AddLost(t, uint64(sum), reason) })
	default:
		if i.failed != "" {
			i.mid.AddGap(i.at, t, i.failed)
		}
		i.sum += us * (i.watts + watts) / 2
		i.least += us * math.Min(i.watts, watts)
		i.most += us * math.Max(i.watts, watts)
		i.each(func(s *Series, sum float64) { s.Add(t, uint64(sum)) })
	}
	i.at, i.watts, i.failed = t, watts, ""
}

func (i *Integral) each(f func(s *Series, sum float64)) {
	f(&i.mid, i.sum)
	f(&i.low, i.least)
	f(&i.high, i.most)
}

// Fail takes a reading that failed.
func (i *Integral) Fail(reason string) {
	if i.failed == "" {
		i.failed = reason
	}
}

// Failed is why readings fail now, empty where they do not.
func (i *Integral) Failed() string { return i.failed }

// Newest returns the time of the last good reading, zero where there was none.
func (i *Integral) Newest() time.Time { return i.at }

// PeakW is the highest power seen.
func (i *Integral) PeakW() float64 { return i.peakW }

// Between returns the energy over [from, to] in µJ, and the least and the most
// that it can have been over the part of the interval that is known.
func (i *Integral) Between(from, to time.Time) (c Change, least, most Energy) {
	c = i.mid.Between(from, to)
	low, high := i.low.Between(from, to), i.high.Between(from, to)
	return c, Energy(min(low.Amount, c.Amount)), Energy(max(high.Amount, c.Amount))
}
