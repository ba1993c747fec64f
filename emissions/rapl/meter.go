package rapl

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/disteval/disteval/emissions"
)

// Method is the name of this source of energy.
const Method = "rapl"

const (
	maxPeriod   = time.Second
	minPeriod   = time.Millisecond
	retryPeriod = 100 * time.Millisecond
)

// Meter is an emissions.Meter over powercap counters. It never fails to
// start: where no counter can be read, its readings are unavailable and say why.
type Meter struct {
	root     string
	readFile readFunc
	sampler  *emissions.Sampler

	mu       sync.Mutex
	counters []*counter
	mirrors  []*mirror
	missing  []string // sockets without a zone and zones without a name
	noZones  string   // why nothing could be read when the meter was opened
}

// New returns a Meter over the sysfs mounted at sysfsRoot, usually /sys.
func New(sysfsRoot string) *Meter {
	return &Meter{root: sysfsRoot, readFile: os.ReadFile}
}

// Start takes the first samples and goes on sampling until Close, whatever
// becomes of ctx's deadline before: an interval needs good readings on both sides.
func (m *Meter) Start(ctx context.Context) error {
	m.open()
	m.sampler = emissions.StartSampler(context.WithoutCancel(ctx), m.sample)
	return nil
}

// Close ends the sampling.
func (m *Meter) Close() error { return m.sampler.Close() }

// open finds the zones. One that cannot be read now is tried in every round:
// it may have been written anew at that moment.
func (m *Meter) open() {
	p := examine(m.root, m.readFile)
	m.noZones = p.Reason
	m.missing = p.missing
	for _, z := range p.Zones {
		m.counters = append(m.counters, newCounter(z.folder))
	}
	m.mirrors = pairMirrors(m.counters)
}

// sample reads every counter once and returns the time to the next round.
func (m *Meter) sample() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.round()
	next := maxPeriod
	for _, c := range m.counters {
		next = min(next, c.period())
	}
	return next
}

func (m *Meter) round() {
	for _, c := range m.counters {
		raw, err := m.readFile.counter(filepath.Join(c.path, "energy_uj"))
		if err != nil {
			c.fail(explain(err))
			continue
		}
		c.take(mark{time.Now(), raw})
	}
	for _, p := range m.mirrors {
		p.compare()
	}
}

// bracket makes sure that the newest readings are not older than to, as far
// as the counters can be read at all.
func (m *Meter) bracket(to time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.counters {
		if c.last.at.Before(to) {
			m.round()
			return
		}
	}
}
