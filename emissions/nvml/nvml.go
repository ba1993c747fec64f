//go:build nvml && cgo

package nvml

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/disteval/disteval/emissions"
)

// period is how often the counters are read. They are 64 bits of millijoules
// since the driver was loaded and do not wrap.
const period = 500 * time.Millisecond

// source is a device's counter in mJ.
type source struct {
	name string
	read func() (mJ uint64, err error)
}

// device is the history of one counter.
type device struct {
	source
	series emissions.Series
	sum    uint64 // µJ
	last   uint64 // mJ
	lastAt time.Time
	failed string
}

// take reads the counter once. A step back is a driver that was loaded anew.
func (d *device) take() {
	mJ, err := d.read()
	now := time.Now()
	switch {
	case err != nil:
		d.failed = err.Error()
		return
	case d.lastAt.IsZero():
		d.series.Add(now, 0)
	case mJ < d.last:
		d.series.AddLost(now, d.sum, fmt.Sprintf("the counter stepped from %d to %d mJ", d.last, mJ))
	default:
		if d.failed != "" {
			d.series.AddGap(d.lastAt, now, d.failed)
		}
		d.sum += (mJ - d.last) * 1000
		d.series.Add(now, d.sum)
	}
	d.last, d.lastAt, d.failed = mJ, now, ""
}

type meter struct {
	sampler *emissions.Sampler
	mu      sync.Mutex
	devices []*device
	reason  string
	missing []string
}

// New returns a Meter over every NVIDIA device of the machine.
func New() emissions.Meter { return &meter{} }

// Start opens NVML and begins to sample. It does not fail: without a counter
// the readings are unavailable and say why.
func (m *meter) Start(ctx context.Context) error {
	sources, missing, err := open()
	if err != nil {
		m.reason = err.Error()
		return nil
	}
	m.missing = missing
	for _, s := range sources {
		m.devices = append(m.devices, &device{source: s})
	}
	m.sampler = emissions.StartSampler(context.WithoutCancel(ctx), func() time.Duration {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.round()
		return period
	})
	return nil
}

func (m *meter) round() {
	for _, d := range m.devices {
		d.take()
	}
}

func (m *meter) Close() error {
	err := m.sampler.Close()
	if m.reason == "" {
		nvml.Shutdown()
	}
	return err
}

func (m *meter) Read(from, to time.Time) emissions.Reading {
	r := emissions.Reading{Start: from, End: to, Method: Method, Quality: emissions.Unavailable, Reason: m.reason}
	if m.reason != "" {
		return r
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.devices {
		if d.lastAt.Before(to) {
			m.round()
			break
		}
	}
	reasons := append([]string(nil), m.missing...)
	known := false
	for _, d := range m.devices {
		c := d.series.Between(from, to)
		e := emissions.Energy(c.Amount)
		r.Zones = append(r.Zones, emissions.Zone{Name: d.name, Kind: emissions.GPU, Energy: e, Counted: true})
		r.Energy += e
		known = known || c.Lost < to.Sub(from)
		for _, g := range append(c.Gaps, c.Spans...) {
			g.Zone = d.name
			r.Gaps = append(r.Gaps, g)
		}
		for _, g := range c.Spans {
			reasons = append(reasons, fmt.Sprintf("%s: %v are missing: %s", d.name, g.End.Sub(g.Start), g.Reason))
		}
	}
	r.Low, r.High = r.Energy, r.Energy
	r.Reason = strings.Join(reasons, "; ")
	switch {
	case !known:
		r.Energy, r.Low, r.High = 0, 0, 0
	case len(reasons) > 0:
		r.Quality = emissions.Partial
	default:
		r.Quality = emissions.Measured
	}
	return r
}

// Examine tries every device's counter once.
func Examine() Probe {
	sources, _, err := open()
	if err != nil {
		return Probe{Reason: err.Error()}
	}
	defer nvml.Shutdown()
	var p Probe
	for _, s := range sources {
		p.Devices = append(p.Devices, s.name)
	}
	return p
}

// open initialises NVML and returns the devices that have an energy counter,
// and those that have none. The caller shuts NVML down.
func open() (sources []source, missing []string, err error) {
	if ret := nvml.Init(); ret != nvml.SUCCESS {
		return nil, nil, fmt.Errorf("NVML does not start: %s; is NVIDIA's driver loaded?", nvml.ErrorString(ret))
	}
	n, ret := nvml.DeviceGetCount()
	if ret != nvml.SUCCESS {
		nvml.Shutdown()
		return nil, nil, fmt.Errorf("count NVIDIA devices: %s", nvml.ErrorString(ret))
	}
	for i := range n {
		s, err := openDevice(i)
		if err != nil {
			missing = append(missing, err.Error())
			continue
		}
		sources = append(sources, s)
	}
	if len(sources) == 0 {
		nvml.Shutdown()
		return nil, nil, fmt.Errorf("no NVIDIA device has an energy counter (Volta and later have): %s", strings.Join(missing, "; "))
	}
	return sources, missing, nil
}

func openDevice(index int) (source, error) {
	handle, ret := nvml.DeviceGetHandleByIndex(index)
	if ret != nvml.SUCCESS {
		return source{}, fmt.Errorf("open gpu-%d: %s", index, nvml.ErrorString(ret))
	}
	name, _ := handle.GetName()
	s := source{name: fmt.Sprintf("gpu-%d %s", index, name), read: func() (uint64, error) {
		mJ, ret := handle.GetTotalEnergyConsumption()
		if ret != nvml.SUCCESS {
			return 0, fmt.Errorf("read the energy of gpu-%d: %s", index, nvml.ErrorString(ret))
		}
		return mJ, nil
	}}
	if _, err := s.read(); err != nil {
		return source{}, err
	}
	return s, nil
}
