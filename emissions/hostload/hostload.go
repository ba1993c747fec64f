// Package hostload estimates energy from the processor's load where a machine
// shows no energy counter, as most virtual machines do.
//
// Policy: an estimate is called one. It is power = idle + (TDP - idle) × load
// and a constant for memory, with bounds that are our own stated assumptions,
// and every reading names what was assumed. Memory that comes out larger than
// the processor is pointed at, since only its size says so. A processor's thermal design
// power is taken from the user or an exact match in a small table, never from
// a similar name.
package hostload

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/disteval/disteval/emissions"
)

// Method is the name of this source of energy.
const Method = "estimate"

// The power model of processors: this package's assumptions, kept wide.
const (
	idleShare, idleShareLow, idleShareHigh = 0.20, 0.05, 0.40 // of TDP
	peakLow, peakHigh                      = 0.70, 1.30       // of a known TDP, at full load
	wholeShare, wholeLow                   = 0.50, 0.25       // of the most that a whole computer draws, at full load of its processor
	threadW, threadWLow, threadWHigh       = 4.0, 2.0, 10.0   // per hardware thread of an unknown processor
)

// period is how often the load is read.
const period = time.Second

// tick is how finely the kernel counts processor time.
const tick = tickUS * time.Microsecond

// Options say where to look and what the user knows better.
type Options struct {
	Procfs string              // usually /proc
	Sysfs  string              // usually /sys, for cgroups
	TDPW   float64             // thermal design power of one processor in W; 0: look it up
	Getenv func(string) string // for SLURM's variables; nil for none

	Host func() (Host, error) // tells what Inspect found, where it has been called; nil: the Meter calls it
}

// Meter is an emissions.Meter by load.
type Meter struct {
	opts    Options
	host    Host
	power   power
	busy    emissions.Series // busy time of all processors in µs
	reason  string
	sampler *emissions.Sampler

	mu   sync.Mutex
	stat statFile
	read time.Time // when the load was read last
	last uint64    // what it was, µs
}

// power is the model for one host: W at rest and at full load.
type power struct {
	idle, full, low0, low1, high0, high1 float64
	memory                               memory
	notes                                []string
}

// New returns a Meter; Start finds out about the host.
func New(o Options) *Meter {
	if o.Host == nil {
		o.Host = func() (Host, error) { return Inspect(o) }
	}
	return &Meter{opts: o, stat: statFile{path: filepath.Join(o.Procfs, "stat")}}
}

// Start looks at the host and begins to read its load. It does not fail:
// where there is no load to read, readings are unavailable with the reason.
func (m *Meter) Start(ctx context.Context) error {
	host, err := m.opts.Host()
	if err != nil {
		m.reason = fmt.Sprintf("energy cannot be estimated: %v; the estimate needs Linux's /proc", err)
		return nil
	}
	m.host, m.power = host, model(host, m.opts.TDPW)
	m.sampler = emissions.StartSampler(context.WithoutCancel(ctx), func() time.Duration {
		m.sample()
		return period
	})
	return nil
}

// Close ends the sampling.
func (m *Meter) Close() error {
	err := m.sampler.Close()
	m.stat.close()
	return err
}

// sample reads the load, or, within a tick of the last time, repeats what was
// read then: the kernel counts in ticks, and a question may take far less.
func (m *Meter) sample() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if now.Sub(m.read) >= tick {
		busy, err := m.stat.busy()
		if err != nil {
			return // the next good reading bridges it: the count goes on
		}
		m.read, m.last = now, busy
	}
	m.busy.Add(now, m.last)
}

// Read returns the estimated energy of [from, to].
func (m *Meter) Read(from, to time.Time) emissions.Reading {
	r := emissions.Reading{Start: from, End: to, Method: Method, Quality: emissions.Unavailable, Reason: m.reason}
	if m.reason != "" {
		return r
	}
	if m.busy.Newest().Before(to) {
		m.sample()
	}
	change := m.busy.Between(from, to)
	seconds := to.Sub(from).Seconds()
	busy := float64(change.Amount) / 1e6 / m.host.Cores
	busy = min(busy, seconds)
	energy := func(idle, full float64) emissions.Energy {
		return emissions.Energy((idle*seconds + (full-idle)*busy) * 1e6)
	}
	p := m.power
	memory := energy(p.memory.w, p.memory.w)
	cpu := energy(p.idle, p.full)
	r.Quality = emissions.Estimated
	r.Energy = cpu + memory
	r.Low = energy(p.low0, p.low1) + energy(p.memory.low, p.memory.low)
	if m.host.HyperThreads { // the busy threads may be one of every core
		busy = min(2*busy, seconds)
	}
	r.High = energy(p.high0, p.high1) + energy(p.memory.high, p.memory.high)
	r.Zones = []emissions.Zone{
		{Name: "cpu", Kind: emissions.CPU, Energy: cpu, Counted: true, Estimated: true, Note: "estimated"},
		{Name: "memory", Kind: emissions.Memory, Energy: memory, Counted: true, Estimated: true, Note: "estimated"},
	}
	r.Modelled = r.Energy
	r.Warnings = append([]string(nil), p.notes...)
	if memory > cpu && m.host.MemoryGB > 0 && seconds >= tick.Seconds() { // less says nothing of the load
		r.Warnings = append(r.Warnings, fmt.Sprintf("of the estimate, memory is the larger part (%.3g W beside the processor's %.3g W), by nothing but its size or the number of its modules",
			p.memory.w, cpu.Joules()/seconds))
	}
	if missing := change.Lost; missing > period/10 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the load is not known for %v of the interval and taken as idle", missing.Round(time.Millisecond)))
	}
	return r
}

// model makes the power model and names its assumptions.
func model(h Host, tdp float64) power {
	part := 1.0
	if h.Threads > 0 {
		part = min(1, h.Cores/float64(h.Threads))
	}
	known := design{w: tdp, source: "as configured"}
	if tdp == 0 {
		known = lookup(h.Model)
	}
	mem := memoryOf(h)
	notes := []string{mem.note}
	held := 1.0
	if h.FrequencyCap > 0 && h.FrequencyCap < 1 {
		held = h.FrequencyCap
		notes = append(notes, fmt.Sprintf("the processor is held to %.0f %% of its highest frequency: its lower bound reckons with it", 100*held))
	}
	switch {
	case known.whole:
		return computer(h, known, part)
	case known.w > 0:
		all := known.w * float64(max(1, h.Sockets)) * part
		return power{
			idle: all * idleShare, full: all, low0: all * idleShareLow, low1: all * peakLow * held,
			high0: all * idleShareHigh, high1: all * peakHigh, memory: mem,
			notes: append([]string{fmt.Sprintf("estimated, not measured: %d × %.0f W TDP (%s), %.3g of %d hardware threads, idle at %.0f %% of it",
				max(1, h.Sockets), known.w, known.source, h.Cores, h.Threads, 100*idleShare)}, notes...),
		}
	}
	n := h.Cores
	return power{
		idle: n * threadW * idleShare, full: n * threadW,
		low0: n * threadWLow * idleShareLow, low1: n * threadWLow * held,
		high0: n * threadWHigh * idleShareHigh, high1: n * threadWHigh, memory: mem,
		notes: append([]string{fmt.Sprintf("estimated, not measured: the processor %q is not in our table: assumed %.0f W (%.0f to %.0f) for each of %.3g hardware threads; set emissions.cpu_tdp_w",
			h.Model, threadW, threadWLow, threadWHigh, n)}, notes...),
	}
}

// computer makes the power model of one whose maker states only the most that
// all of it draws: the processor at full load is a part of that, and memory and
// graphics are in it.
func computer(h Host, most design, part float64) power {
	all := most.w * part
	return power{
		idle: all * wholeShare * idleShare, full: all * wholeShare, low0: all * wholeLow * idleShareLow, low1: all * wholeLow,
		high0: all * idleShareHigh, high1: all,
		notes: []string{fmt.Sprintf("estimated, not measured: no TDP of the %s is stated; assumed %.0f %% (%.0f to 100) of %.0f W with its memory (%s), %.3g of %d hardware threads; its graphics are not seen in the load",
			h.Model, 100*wholeShare, 100*wholeLow, most.w, most.source, h.Cores, h.Threads)},
	}
}
