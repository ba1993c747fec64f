package rapl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions"
)

// Read returns the energy of [from, to]. It reads the counters first if their
// newest readings are older than to.
func (m *Meter) Read(from, to time.Time) emissions.Reading {
	r := emissions.Reading{Start: from, End: to, Method: Method, Quality: emissions.Unavailable}
	m.bracket(to)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.noZones != "" && !slices.ContainsFunc(m.counters, (*counter).summable) {
		r.Reason = m.noZones
		return r
	}
	t := m.tally(&r)
	r.High += emissions.Energy(len(m.missing)) * (&counter{}).most(to.Sub(from))
	finish(&r, t, m.missing)
	return r
}

// tally is what the zones of a reading add up to.
type tally struct {
	known   bool     // some counted zone is known for some of the interval
	reasons []string // what is missing from the interval
}

func (m *Meter) tally(r *emissions.Reading) tally {
	var t tally
	var never unread
	copies := m.copies()
	alone := !slices.ContainsFunc(m.counters, func(c *counter) bool { return c.have && c.counts() })
	for _, c := range m.counters {
		if !c.have {
			if c.counts() {
				r.High += c.most(r.End.Sub(r.Start))
				never.add(c.label(), c.failed)
			}
			continue
		}
		change := c.series.Between(r.Start, r.End)
		z := emissions.Zone{Name: c.label(), Kind: c.kind(), Energy: emissions.Energy(change.Amount)}
		z.Counted = c.counts() && copies[c] == "" || alone && c.platform()
		z.Note = note(c, copies[c])
		r.Zones = append(r.Zones, z)
		if copies[c] != "" {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s %s: counted once", z.Name, z.Note))
		}
		for _, g := range slices.Concat(change.Gaps, change.Spans) {
			g.Zone = z.Name
			r.Gaps = append(r.Gaps, g)
		}
		if !z.Counted {
			continue
		}
		r.Energy += z.Energy
		r.High += z.Energy + c.most(change.Lost)
		t.known = t.known || change.Lost < r.End.Sub(r.Start)
		for _, g := range change.Spans {
			why := g.Reason
			if g.End.Equal(r.End) {
				why = cmp.Or(c.failed, why) // it fails still
			}
			t.reasons = append(t.reasons, fmt.Sprintf("%s: %.3f s are missing: %s", z.Name, g.End.Sub(g.Start).Seconds(), why))
		}
	}
	t.reasons = slices.Concat(never.sentences(), t.reasons)
	if alone && t.known {
		t.reasons = append(t.reasons, platformOnly)
	}
	return t
}

// copies returns the counters that repeat another die's, with its name.
func (m *Meter) copies() map[*counter]string {
	out := map[*counter]string{}
	for _, p := range m.mirrors {
		if p.same() && out[p.kept] == "" {
			out[p.copy] = p.kept.label()
		}
	}
	return out
}

func note(c *counter, copyOf string) string {
	switch {
	case copyOf != "":
		return "mirrors " + copyOf
	case c.view:
		return "another view of a zone that is counted"
	case c.place.domain == "psys":
		return "the platform, which contains the packages"
	case !c.counts():
		return "part of its package"
	}
	return ""
}

// finish sets quality, bounds and reason.
func finish(r *emissions.Reading, t tally, missing []string) {
	r.Low = r.Energy
	reasons := slices.Concat(missing, t.reasons)
	r.Reason = strings.Join(reasons, "; ")
	switch {
	case !t.known:
		r.Quality = emissions.Unavailable
		r.Energy, r.Low, r.High = 0, 0, 0
		r.Reason = cmp.Or(r.Reason, "no counter covers the interval")
	case len(reasons) > 0:
		r.Quality = emissions.Partial
	default:
		r.Quality = emissions.Measured
	}
}
