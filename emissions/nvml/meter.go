package nvml

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/disteval/disteval/emissions"
)

// period is how often the counters are read. They are 64 bits of millijoules
// since the driver was loaded and do not wrap.
const period = 500 * time.Millisecond

// card is one card as NVML gives it.
type card struct {
	Device
	millijoules func() (uint64, error) // since the driver was loaded
	milliwatts  func() (uint32, error)
	users       func() ([]int, error) // processes
}

// gauge is the history of one card.
type gauge struct {
	card
	series   emissions.Series // of the counter, µJ
	sum      uint64           // µJ
	last     uint64           // mJ
	lastAt   time.Time
	integral emissions.Integral // of the power, where there is no counter
	failed   string
}

// take reads the card once.
func (g *gauge) take() {
	if g.Integrated {
		mW, err := g.milliwatts()
		if err != nil {
			g.failed = err.Error()
			g.integral.Fail(g.failed)
			return
		}
		g.integral.Add(time.Now(), float64(mW)/1000)
		g.lastAt, g.failed = g.integral.Newest(), ""
		return
	}
	mJ, err := g.millijoules()
	now := time.Now()
	switch {
	case err != nil:
		g.failed = err.Error()
		return
	case g.lastAt.IsZero():
		g.series.Add(now, 0)
	case mJ < g.last: // the driver was loaded anew
		g.series.AddLost(now, g.sum, fmt.Sprintf("the counter stepped from %d to %d mJ", g.last, mJ))
	default:
		if g.failed != "" {
			g.series.AddGap(g.lastAt, now, g.failed)
		}
		g.sum += (mJ - g.last) * 1000
		g.series.Add(now, g.sum)
	}
	g.last, g.lastAt, g.failed = mJ, now, ""
}

// between returns what is known of an interval, with its bounds.
func (g *gauge) between(from, to time.Time) (c emissions.Change, low, high emissions.Energy) {
	if g.Integrated {
		return g.integral.Between(from, to)
	}
	c = g.series.Between(from, to)
	return c, emissions.Energy(c.Amount), emissions.Energy(c.Amount)
}

func (g *gauge) note() string {
	var notes []string
	if g.Integrated {
		notes = append(notes, "no counter: its power integrated at 10 Hz")
	}
	if g.MIG {
		notes = append(notes, "split into instances (MIG): the whole card's")
	}
	return strings.Join(notes, "; ")
}

// Meter is an emissions.Meter over every NVIDIA card of the machine.
type Meter struct {
	path    string // of the library
	library *library
	sampler *emissions.Sampler

	mu      sync.Mutex
	gauges  []*gauge
	missing []string
	reason  string
}

// New returns a Meter over every NVIDIA card of the machine.
func New() *Meter { return &Meter{path: libraryName} }

// Start opens NVML and begins to sample. It does not fail: without a card
// the readings are unavailable and say why.
func (m *Meter) Start(ctx context.Context) error {
	lib, cards, missing, err := open(m.path)
	if err != nil {
		m.reason = err.Error()
		return nil
	}
	m.library, m.missing = lib, missing
	every := period
	for _, c := range cards {
		m.gauges = append(m.gauges, &gauge{card: c})
		if c.Integrated {
			every = emissions.IntegrationPeriod
		}
	}
	m.sampler = emissions.StartSampler(context.WithoutCancel(ctx), func() time.Duration {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.round()
		return every
	})
	return nil
}

func (m *Meter) round() {
	for _, g := range m.gauges {
		g.take()
	}
}

// Close ends the sampling and closes NVML.
func (m *Meter) Close() error {
	err := m.sampler.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.library != nil {
		m.library.close()
		m.library, m.gauges, m.reason = nil, nil, "the meter is closed"
	}
	return err
}

// Read returns the energy of [from, to], of whole cards.
func (m *Meter) Read(from, to time.Time) emissions.Reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := emissions.Reading{Start: from, End: to, Method: Method, Quality: emissions.Unavailable, Reason: m.reason}
	if m.reason != "" {
		return r
	}
	if slices.ContainsFunc(m.gauges, func(g *gauge) bool { return g.lastAt.Before(to) }) {
		m.round()
	}
	reasons := slices.Clone(m.missing)
	known := false
	for _, g := range m.gauges {
		c, low, high := g.between(from, to)
		r.Zones = append(r.Zones, emissions.Zone{Name: g.Name, Kind: emissions.GPU, Energy: emissions.Energy(c.Amount), Counted: true, Note: g.note()})
		r.Energy, r.Low, r.High = r.Energy+emissions.Energy(c.Amount), r.Low+low, r.High+high
		known = known || c.Lost < to.Sub(from)
		for _, gap := range slices.Concat(c.Gaps, c.Spans) {
			gap.Zone = g.Name
			r.Gaps = append(r.Gaps, gap)
		}
		for _, gap := range c.Spans {
			reasons = append(reasons, fmt.Sprintf("%s: %.3f s are missing: %s", g.Name, gap.End.Sub(gap.Start).Seconds(), cmp.Or(g.failed, gap.Reason)))
			r.High += emissions.Energy(gap.End.Sub(gap.Start).Seconds() * maxW * 1e6)
		}
	}
	r.Reason = strings.Join(reasons, "; ")
	switch {
	case !known:
		r.Energy, r.Low, r.High = 0, 0, 0
		r.Reason = cmp.Or(r.Reason, "no counter covers the interval")
	case len(reasons) > 0:
		r.Quality = emissions.Partial
	default:
		r.Quality = emissions.Measured
	}
	return r
}

// maxW stands for the power of a card while it could not be read.
const maxW = 1000

// Users returns the processes on each card, by the card's name.
func (m *Meter) Users() map[string][]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string][]int{}
	for _, g := range m.gauges {
		if pids, err := g.users(); err == nil {
			all[g.Name] = pids
		}
	}
	return all
}

// Examine tries every card once.
func Examine() Probe { return examine(libraryName) }

func examine(path string) Probe {
	lib, cards, missing, err := open(path)
	if err != nil {
		return Probe{Reason: err.Error()}
	}
	defer lib.close()
	p := Probe{Missing: missing}
	for _, c := range cards {
		p.Devices = append(p.Devices, c.Device)
	}
	return p
}

// open starts NVML and returns the cards that can be metered and what is to be
// said of the others. The caller closes the library.
func open(path string) (lib *library, cards []card, missing []string, err error) {
	if lib, err = openLibrary(path); err != nil {
		return nil, nil, nil, err
	}
	all, errs, err := lib.cards()
	if err != nil {
		lib.close()
		return nil, nil, nil, err
	}
	for _, c := range all {
		if _, err := c.millijoules(); unsupported(err) {
			c.Integrated = true
			if _, err := c.milliwatts(); err != nil {
				errs = append(errs, err)
				continue
			}
		} else if err != nil {
			errs = append(errs, err)
			continue
		}
		cards = append(cards, c)
	}
	for _, err := range errs {
		missing = append(missing, err.Error())
	}
	if len(cards) == 0 {
		lib.close()
		return nil, nil, nil, fmt.Errorf("no NVIDIA card can be metered: %s", cmp.Or(strings.Join(missing, "; "), "NVML lists none"))
	}
	return lib, cards, missing, nil
}
