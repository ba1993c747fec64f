package emissions

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Bounds of a Power: some 60 kB as JSON, whatever the time and the machine.
const (
	mostSteps  = 240
	mostZones  = 32
	finestStep = 250 * time.Millisecond // no counter is read more often for its own sake
)

// Power is what a meter's zones drew over a time, step by step. Within a step
// the power is the mean: energy by time.
type Power struct {
	Start  time.Time       `json:"start"`
	Ends   []time.Duration `json:"ends_ns"` // of the steps, since Start; the first begins at Start
	Zones  []ZonePower     `json:"zones"`
	Left   int             `json:"left,omitempty"`   // zones that are left out, those that are not counted first
	Reason string          `json:"reason,omitempty"` // why there are no zones
}

// ZonePower is the power of one zone.
type ZonePower struct {
	Name      string     `json:"name"`
	Kind      Kind       `json:"kind"`
	Counted   bool       `json:"counted"`
	Estimated bool       `json:"estimated,omitempty"`
	W         []*float64 `json:"w"` // by step, to a milliwatt; nil where the zone was not read for half of it or more
}

// ReadPower reads back what m's zones drew between the first and the last of
// cuts, which are in order. No step reaches over a cut, so that each is wholly
// of one phase; beyond that the steps are alike, at least 250 ms and at most
// 240 for all. It costs as many calls of Read.
func ReadPower(m Meter, cuts []time.Time) Power {
	p := Power{Start: cuts[0]}
	last := cuts[len(cuts)-1]
	width := max(last.Sub(p.Start)/mostSteps, finestStep)
	for i, from := range cuts[:len(cuts)-1] {
		whole := cuts[i+1].Sub(from)
		steps := max(1, whole/width)
		for n := range steps {
			begin, end := from.Add(whole*n/steps), from.Add(whole*(n+1)/steps)
			if end.After(begin) {
				p.add(m.Read(begin, end))
			}
		}
	}
	p.bound()
	return p
}

// add appends a step.
func (p *Power) add(r Reading) {
	at := len(p.Ends)
	p.Ends = append(p.Ends, r.End.Sub(p.Start))
	for i := range p.Zones {
		p.Zones[i].W = append(p.Zones[i].W, nil)
	}
	if r.Quality == Unavailable {
		p.Reason = cmp.Or(p.Reason, r.Reason)
		return
	}
	for _, z := range r.Zones {
		i := slices.IndexFunc(p.Zones, func(have ZonePower) bool { return have.Name == z.Name })
		if i < 0 {
			i = len(p.Zones)
			p.Zones = append(p.Zones, ZonePower{Name: z.Name, Kind: z.Kind, W: make([]*float64, at+1)})
		}
		p.Zones[i].Counted, p.Zones[i].Estimated = z.Counted, z.Estimated
		if 2*unread(r, z.Name) < r.End.Sub(r.Start) {
			w := math.Round(1e3*r.ZoneW(z)) / 1e3
			p.Zones[i].W[at] = &w
		}
	}
}

// unread is for how long of a reading a zone was not read, overlaps counted twice.
func unread(r Reading, zone string) (sum time.Duration) {
	for _, g := range r.Gaps {
		if g.Zone == zone {
			sum += g.End.Sub(g.Start)
		}
	}
	return sum
}

// Whole reports whether every zone has a power, or none, for every step, and
// the steps are in order: what is read from a file may be otherwise.
func (p Power) Whole() bool {
	begin := time.Duration(0)
	for _, end := range p.Ends {
		if end <= begin {
			return false
		}
		begin = end
	}
	return !slices.ContainsFunc(p.Zones, func(z ZonePower) bool { return len(z.W) != len(p.Ends) })
}

// bound leaves out what is too much, and steps without any zone.
func (p *Power) bound() {
	if len(p.Zones) == 0 {
		p.Ends = nil
		return
	}
	p.Reason = ""
	if p.Left = max(0, len(p.Zones)-mostZones); p.Left == 0 {
		return
	}
	slices.SortStableFunc(p.Zones, func(a, b ZonePower) int {
		switch {
		case a.Counted == b.Counted:
			return 0
		case a.Counted:
			return -1
		}
		return 1
	})
	p.Zones = p.Zones[:mostZones]
}
