package exporter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/disteval/disteval/emissions"
)

// Meter is an emissions.Meter over the exporters of one machine.
type Meter struct {
	endpoints []*endpoint
	samplers  []*emissions.Sampler
	ctx       context.Context
	stop      context.CancelFunc
}

// New returns a Meter over the exporters at these addresses, all of one
// machine.
func New(urls []string) (*Meter, error) {
	m := &Meter{}
	for _, u := range urls {
		e, err := newEndpoint(u)
		if err != nil {
			return nil, err
		}
		m.endpoints = append(m.endpoints, e)
	}
	if len(m.endpoints) == 0 {
		return nil, errors.New("no exporter is named")
	}
	return m, nil
}

// Start asks every exporter once, all at the same time, and goes on asking.
// It does not fail: where none answers the readings are unavailable and say why.
func (m *Meter) Start(ctx context.Context) error {
	m.ctx, m.stop = context.WithCancel(context.WithoutCancel(ctx))
	m.samplers = make([]*emissions.Sampler, len(m.endpoints))
	var first sync.WaitGroup
	for i, e := range m.endpoints {
		first.Go(func() {
			m.samplers[i] = emissions.StartSampler(m.ctx, func() time.Duration {
				e.scrape(m.ctx)
				return pace
			})
		})
	}
	first.Wait()
	return nil
}

// Close ends the asking.
func (m *Meter) Close() error {
	if m.stop != nil {
		m.stop() // ends a question that is in flight, too
	}
	for _, s := range m.samplers {
		_ = s.Close() // it never fails
	}
	return nil
}

// Read returns the energy of [from, to].
func (m *Meter) Read(from, to time.Time) emissions.Reading {
	var asking sync.WaitGroup
	for _, e := range m.endpoints {
		asking.Go(func() { e.bracket(m.ctx, to) })
	}
	asking.Wait()
	r := emissions.Reading{Start: from, End: to, Method: Method, Quality: emissions.Unavailable}
	t := tally{reading: &r, several: len(m.endpoints) > 1, taken: map[string]*endpoint{}}
	for _, e := range m.endpoints {
		e.mu.Lock()
		t.add(e)
		e.mu.Unlock()
	}
	t.finish()
	return r
}

// tally is what the counters of a reading add up to.
type tally struct {
	reading *emissions.Reading
	several bool                 // exporters
	taken   map[string]*endpoint // by domain or card: the exporter whose counters of it are summed
	known   bool
	counted int // zones
	models  int // of them by a model
	reasons []string
}

func (t *tally) add(e *endpoint) {
	r := t.reading
	if len(e.counters) == 0 {
		t.reasons = append(t.reasons, fmt.Sprintf("the exporter %s: %s", e.url.Redacted(), e.failed))
		return
	}
	packages := slices.ContainsFunc(e.counters, func(c *counter) bool { return c.domain == "package" && !c.secondary })
	for _, c := range e.counters {
		change, low, high := c.between(r.Start, r.End)
		z := emissions.Zone{Name: c.name(), Kind: c.kind(), Energy: emissions.Energy(change.Amount), Estimated: c.modelled, Note: c.key}
		if t.several {
			z.Name += " (" + e.name + ")"
		}
		var why string
		z.Counted, why = t.counts(e, c, packages)
		z.Note = strings.TrimPrefix(why+"; "+z.Note, "; ")
		r.Zones = append(r.Zones, z)
		for _, g := range slices.Concat(change.Gaps, change.Spans) {
			g.Zone = z.Name
			r.Gaps = append(r.Gaps, g)
		}
		if !z.Counted {
			continue
		}
		t.counted++
		t.known = t.known || change.Lost < r.End.Sub(r.Start)
		r.Energy, r.Low, r.High = r.Energy+z.Energy, r.Low+low, r.High+high+c.most(change.Lost)
		if c.modelled {
			t.models++
			r.Modelled += z.Energy
			r.Low, r.High = r.Low-low/2, r.High+z.Energy
		}
		for _, g := range change.Spans {
			t.reasons = append(t.reasons, fmt.Sprintf("%s: %.3f s are missing: %s", z.Name, g.End.Sub(g.Start).Seconds(), cmp.Or(c.failed, g.Reason)))
		}
		if c.step > 2*pace && r.Quality != emissions.Estimated {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s: its exporter moves the counter only every %.0f s, which leaves the ends of the interval open by as much", z.Name, c.step.Seconds()))
		}
	}
	if e.slow > pace {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the exporter %s took up to %.1f s to answer: its counters' times are uncertain by half of that", e.name, e.slow.Seconds()))
	}
}

// counts tells whether a counter is part of the sum, and why it is not.
func (t *tally) counts(e *endpoint, c *counter, packages bool) (bool, string) {
	switch {
	case c.secondary:
		return false, "another view of a counter that is there"
	case c.domain == "psys" && packages:
		return false, "the platform, which contains the packages"
	case !c.whole() && c.domain != "psys":
		return false, "part of its package"
	}
	// A card is known by its name, wherever it is shown; a counter of cards
	// without names is the sum of them.
	id, also := c.domain, c.domain
	if c.card != "" {
		id, also = c.card, "nameless gpu"
	}
	if by := cmp.Or(t.taken[id], t.taken[also]); by != nil && (by != e || t.taken[c.card] != nil) {
		return false, "counted by the exporter " + by.name
	}
	t.taken[id], t.taken[c.domain] = e, cmp.Or(t.taken[c.domain], e)
	if c.domain == "gpu" && c.card == "" {
		t.taken["nameless gpu"] = e
	}
	return true, ""
}

func (t *tally) finish() {
	r := t.reading
	r.Reason = strings.Join(t.reasons, "; ")
	switch {
	case !t.known:
		r.Energy, r.Low, r.High, r.Modelled = 0, 0, 0, 0
		r.Reason = cmp.Or(r.Reason, "no counter of an exporter is part of the sum")
	case t.models == t.counted:
		r.Quality = emissions.Estimated
	case len(t.reasons) > 0 || t.models > 0:
		r.Quality = emissions.Partial
	default:
		r.Quality = emissions.Measured
	}
}

// Probe is what an exporter offers.
type Probe struct {
	URL    string
	Zones  []Zone
	Reason string // why it offers nothing, and what to do; empty where it does
}

// Zone is one counter of an exporter.
type Zone struct {
	Name     string
	Kind     emissions.Kind
	Counter  string // metric and labels
	Counted  bool
	Why      string // why it is not counted
	Modelled bool   // not measured
	Failed   string // why its value cannot be read; empty where it can
}

// Examine asks every exporter once.
func Examine(ctx context.Context, urls []string) ([]Probe, error) {
	m, err := New(urls)
	if err != nil {
		return nil, err
	}
	var asking sync.WaitGroup
	for _, e := range m.endpoints {
		asking.Go(func() { e.scrape(ctx) })
	}
	asking.Wait()
	t := tally{reading: &emissions.Reading{}, taken: map[string]*endpoint{}}
	var all []Probe
	for _, e := range m.endpoints {
		p := Probe{URL: e.url.Redacted(), Reason: e.failed}
		packages := slices.ContainsFunc(e.counters, func(c *counter) bool { return c.domain == "package" && !c.secondary })
		for _, c := range e.counters {
			counted, why := t.counts(e, c, packages)
			p.Zones = append(p.Zones, Zone{Name: c.name(), Kind: c.kind(), Counter: c.key, Counted: counted, Why: why, Modelled: c.modelled, Failed: c.failed})
		}
		all = append(all, p)
	}
	return all, nil
}

// Host is the host of an exporter's address.
func Host(text string) string {
	e, err := newEndpoint(text)
	if err != nil {
		return ""
	}
	if host, _, err := net.SplitHostPort(e.url.Host); err == nil {
		return host
	}
	return e.url.Host
}
