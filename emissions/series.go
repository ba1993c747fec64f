package emissions

import (
	"sort"
	"sync"
	"time"
)

// resolution bounds the memory of a Series: points may lie as far apart as
// their age divided by it. The far end of an interval that reaches to the
// present is therefore interpolated over at most 1/4096 of its length, and a
// day of ten samples a second takes at most some 60,000 points of 24 bytes.
const resolution = 4096

// Series is the history of a cumulative quantity (energy in µJ, CPU time in
// µs) sampled at irregular times, with the spans over which it is not known.
// It answers for any interval, interpolating to its ends, and its memory
// grows with the logarithm of its age. It is safe for concurrent use.
type Series struct {
	mu     sync.Mutex
	base   time.Time
	points []point
	thinAt int // number of points at which the next thinning is due
	lost   []Gap
	gaps   []Gap
}

type point struct {
	at   time.Duration // since base
	sum  uint64
	edge bool // the end of a lost span: never thinned away
}

// Change is what a Series knows of an interval.
type Change struct {
	Amount uint64        // the quantity's growth over the known part of the interval
	Lost   time.Duration // how much of the interval is not known
	Spans  []Gap         // the parts that are not known, clipped to the interval
	Gaps   []Gap         // failed reads bridged by good ones: their amount is known
}

// Add appends the cumulative sum at t. Points out of order are ignored.
func (s *Series) Add(t time.Time, sum uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(t, sum, false)
}

// AddLost appends a point after a span, beginning at the newest point, over
// which the quantity's growth is not known; sum holds the least that it was.
func (s *Series) AddLost(t time.Time, sum uint64, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.points); n > 0 {
		s.points[n-1].edge = true
		s.lost = append(s.lost, Gap{Start: s.base.Add(s.points[n-1].at), End: t, Reason: reason})
	}
	s.add(t, sum, true)
}

// AddGap notes failed reads between two good ones.
func (s *Series) AddGap(start, end time.Time, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gaps = append(s.gaps, Gap{Start: start, End: end, Reason: reason})
}

func (s *Series) add(t time.Time, sum uint64, edge bool) {
	if s.base.IsZero() {
		s.base, s.thinAt = t, 2*resolution
	}
	at := t.Sub(s.base)
	if n := len(s.points); n > 0 && at <= s.points[n-1].at {
		return
	}
	s.points = append(s.points, point{at, sum, edge})
	if len(s.points) >= s.thinAt {
		s.thin(at)
	}
}

func (s *Series) thin(now time.Duration) {
	kept := s.points[:1]
	for i := 1; i < len(s.points); i++ {
		p := s.points[i]
		if i+1 < len(s.points) && !p.edge {
			next := s.points[i+1].at
			if next-kept[len(kept)-1].at < (now-p.at)/resolution {
				continue
			}
		}
		kept = append(kept, p)
	}
	s.points = kept
	s.thinAt = max(2*len(kept), 2*resolution)
}

// Newest returns the time of the newest point, zero where there is none.
func (s *Series) Newest() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.points) == 0 {
		return time.Time{}
	}
	return s.base.Add(s.points[len(s.points)-1].at)
}

// Between returns the change over [from, to]. What lies before the first
// point or after the newest is lost.
func (s *Series) Between(from, to time.Time) Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.points) == 0 {
		return Change{Lost: to.Sub(from), Spans: []Gap{{Start: from, End: to, Reason: "never read"}}}
	}
	lo, hi := from.Sub(s.base), to.Sub(s.base)
	first, last := s.points[0].at, s.points[len(s.points)-1].at
	c := Change{Gaps: clip(s.gaps, from, to), Spans: clip(s.lost, from, to)}
	if lo < first {
		c.Spans = append(c.Spans, Gap{Start: from, End: s.base.Add(min(first, hi)), Reason: "before the first good reading"})
	}
	if hi > last {
		c.Spans = append(c.Spans, Gap{Start: s.base.Add(max(last, lo)), End: to, Reason: "after the last good reading", Open: true})
	}
	for _, g := range c.Spans {
		c.Lost += g.End.Sub(g.Start)
	}
	c.Amount = s.at(hi) - s.at(lo)
	return c
}

// Around returns the sums at the points before and after t: the sum at t is
// between them. At a point, and beyond the ends, they are one.
func (s *Series) Around(t time.Time) (before, after uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.points) == 0 {
		return 0, 0
	}
	at := t.Sub(s.base)
	i := sort.Search(len(s.points), func(i int) bool { return s.points[i].at >= at })
	last := len(s.points) - 1
	if i > last {
		return s.points[last].sum, s.points[last].sum
	}
	if i == 0 || s.points[i].at == at {
		return s.points[i].sum, s.points[i].sum
	}
	return s.points[i-1].sum, s.points[i].sum
}

// at interpolates; the caller holds the lock and there is a point.
func (s *Series) at(t time.Duration) uint64 {
	i := sort.Search(len(s.points), func(i int) bool { return s.points[i].at >= t })
	switch {
	case i == len(s.points):
		return s.points[i-1].sum
	case i == 0:
		return s.points[0].sum
	}
	a, b := s.points[i-1], s.points[i]
	share := float64(t-a.at) / float64(b.at-a.at)
	return a.sum + uint64(share*float64(b.sum-a.sum))
}

// clip returns the parts of the gaps that lie within [from, to]. Gaps are in
// order of time.
func clip(gaps []Gap, from, to time.Time) []Gap {
	var out []Gap
	first := sort.Search(len(gaps), func(i int) bool { return gaps[i].End.After(from) })
	for _, g := range gaps[first:] {
		if !g.Start.Before(to) {
			break
		}
		if g.Start.Before(from) {
			g.Start = from
		}
		if g.End.After(to) {
			g.End = to
		}
		out = append(out, g)
	}
	return out
}
