package machine

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/codecarbon"
	"github.com/disteval/disteval/emissions/hostload"
	"github.com/disteval/disteval/emissions/hwmon"
	"github.com/disteval/disteval/emissions/nvml"
	"github.com/disteval/disteval/emissions/rapl"
)

// source is one way to energy.
type source struct {
	method string
	title  string
	open   func(Options) emissions.Meter
	probe  func(Options) Finding // nil for one that is taken only by name
}

// sources lists every source of this machine; auto chooses from it, in this order.
var sources = []source{
	{rapl.Method, "Processors and memory", func(o Options) emissions.Meter { return rapl.New(o.Sysfs) }, probeRAPL},
	{hwmon.MethodCPU, "AMD processors by amd_energy", func(o Options) emissions.Meter { return hwmon.NewCPU(o.Sysfs) },
		func(o Options) Finding { return probeSensors(emissions.CPU, hwmon.ExamineCPU(o.Sysfs)) }},
	{hostload.Method, "Load of the host", func(o Options) emissions.Meter { return hostload.New(o.load()) }, probeLoad},
	{nvml.Method, "NVIDIA accelerators", func(o Options) emissions.Meter {
		return &cardUsers{Meter: nvml.New(), procfs: o.Procfs, server: o.server}
	}, probeNVML},
	{hwmon.Method, "Intel and AMD graphics", func(o Options) emissions.Meter { return hwmon.New(o.Sysfs) },
		func(o Options) Finding { return probeSensors(emissions.GPU, hwmon.Examine(o.Sysfs)) }},
	{codecarbon.Method, "CodeCarbon's constant mode", openCodeCarbon, nil},
}

// Finding is what a source offers on this machine.
type Finding struct {
	Method  string            `json:"method"`
	Title   string            `json:"title"`
	Quality emissions.Quality `json:"quality"` // Unavailable where it offers nothing
	Kind    emissions.Kind    `json:"kind"`    // what it meters first of all
	Present bool              `json:"present"` // whether the machine has what it meters, readable or not
	Zones   []Zone            `json:"zones"`
	Missing []string          `json:"missing"` // what should be part of the sum and cannot be, with the reason
	Notes   []string          `json:"notes"`   // what it is, or what is assumed
	Reason  string            `json:"reason"`  // why it is Unavailable, and what to do

	source source
}

// Zone is one counter of a source.
type Zone struct {
	Name    string `json:"name"`
	ID      string `json:"id"`      // how the system calls it
	Counted bool   `json:"counted"` // whether it is part of the sum
	Detail  string `json:"detail"`  // what kind of counter it is
	State   string `json:"state"`   // readable, or why not
}

// readable is the state of a counter that can be read.
const readable = "readable"

// Probe is what this machine can measure.
type Probe struct {
	Findings []Finding         `json:"sources"`
	Auto     []string          `json:"auto"`    // the methods that auto takes
	Quality  emissions.Quality `json:"quality"` // of their sum
	Without  []string          `json:"without"` // titles of what the machine has and auto cannot meter
}

// Examine tries every source once. Exporters are reported beside the sources
// of this machine; auto is what it takes without them.
func Examine(ctx context.Context, o Options) Probe {
	p := Probe{Findings: examine(o.withDefaults()), Quality: emissions.Unavailable}
	taken := chosen(p.Findings)
	if len(o.Exporters) > 0 {
		p.Findings = append(p.Findings, probeExporters(ctx, o.Exporters)...)
	}
	for _, f := range taken {
		if f.Quality == emissions.Unavailable {
			p.Without = append(p.Without, f.Title)
			continue
		}
		if len(p.Auto) == 0 {
			p.Quality = f.Quality
		}
		p.Auto = append(p.Auto, f.Method)
		p.Quality = emissions.QualityOfSum(p.Quality, f.Quality)
	}
	if len(p.Auto) > 0 && len(p.Without) > 0 {
		p.Quality = emissions.Worse(p.Quality, emissions.Partial)
	}
	return p
}

// examine probes the sources at the same time: each waits for other files or
// another library.
func examine(o Options) []Finding {
	probed := slices.DeleteFunc(slices.Clone(sources), func(s source) bool { return s.probe == nil })
	all := make([]Finding, len(probed))
	var probing sync.WaitGroup
	for i, s := range probed {
		probing.Go(func() {
			f := s.probe(o)
			f.Method, f.Title, f.source = s.method, s.title, s
			f.Zones, f.Missing, f.Notes = append([]Zone{}, f.Zones...), append([]string{}, f.Missing...), append([]string{}, f.Notes...)
			all[i] = f
		})
	}
	probing.Wait()
	return all
}

// chosen is what auto takes: every counter of what the machine has. The
// processor's load stands in only where no counter of the processor can be
// read, and an accelerator that cannot be read leaves the sum partial.
func chosen(all []Finding) []Finding {
	counted := slices.ContainsFunc(all, func(f Finding) bool {
		return f.Kind == emissions.CPU && f.Method != hostload.Method && f.Quality != emissions.Unavailable
	})
	var out []Finding
	processor := false // one source of the processor's energy is enough
	for _, f := range all {
		available := f.Quality != emissions.Unavailable
		switch {
		case f.Kind != emissions.CPU && (available || f.Present),
			f.Method == hostload.Method && !counted,
			f.Kind == emissions.CPU && f.Method != hostload.Method && available && !processor:
			out = append(out, f)
			processor = processor || f.Kind == emissions.CPU
		}
	}
	return out
}

func probeRAPL(o Options) Finding {
	p := rapl.Examine(o.Sysfs)
	f := Finding{Kind: emissions.CPU, Quality: emissions.Measured, Missing: p.Missing(), Present: len(p.Zones) > 0}
	switch {
	case p.Reason != "":
		f.Quality = emissions.Unavailable
	case len(f.Missing) > 0:
		f.Quality = emissions.Partial
	}
	for _, z := range p.Zones {
		state := readable
		if !z.Readable {
			state, _, _ = strings.Cut(z.Why, "; ") // what to do is said once, among the missing
		}
		detail := "range not known"
		if z.RangeUJ > 0 {
			detail = fmt.Sprintf("wraps at %.1f kJ", float64(z.RangeUJ)/1e9)
		}
		f.Zones = append(f.Zones, Zone{z.Name, z.ID, z.Counted, detail, state})
	}
	if !slices.ContainsFunc(p.Zones, func(z rapl.Zone) bool { return z.Counted }) {
		f.Reason = p.Reason
	}
	return f
}

func probeNVML(o Options) Finding {
	p := nvml.Examine()
	f := Finding{Kind: emissions.GPU, Quality: emissions.Measured, Present: p.Reason == "" || hasNVIDIA(o.Procfs), Missing: p.Missing}
	switch {
	case p.Reason != "":
		f.Quality, f.Reason = emissions.Unavailable, p.Reason
	case len(p.Missing) > 0:
		f.Quality = emissions.Partial
	}
	for _, d := range p.Devices {
		z := Zone{Name: d.Name, ID: d.UUID, Counted: true, Detail: "counter of energy", State: readable}
		if d.Integrated {
			z.Detail = "no counter of energy: its power is integrated at 10 Hz"
		}
		if d.MIG {
			z.Detail += ", split into instances (MIG): the whole card's"
		}
		f.Zones = append(f.Zones, z)
	}
	return f
}

func probeSensors(kind emissions.Kind, found []hwmon.Sensor) Finding {
	f := Finding{Kind: kind, Quality: emissions.Unavailable, Present: slices.ContainsFunc(found, func(s hwmon.Sensor) bool { return s.Counted })}
	if len(found) == 0 {
		f.Reason = "there is none, or its driver shows no sensor of energy or power"
	}
	for _, s := range found {
		z := Zone{Name: s.Name, ID: s.Path, Counted: s.Counted, Detail: "counter of energy", State: readable}
		if s.Integrated {
			z.Detail = "its power is integrated at 10 Hz"
		}
		switch {
		case !s.Readable:
			z.State = s.Why
			f.Missing = append(f.Missing, s.Name+" cannot be read: "+s.Why)
		case s.Counted:
			f.Quality = emissions.Measured
		default:
			z.Detail = s.Why
		}
		f.Zones = append(f.Zones, z)
	}
	if f.Quality == emissions.Measured && len(f.Missing) > 0 {
		f.Quality = emissions.Partial
	}
	return f
}

// hasNVIDIA tells whether NVIDIA's driver runs an accelerator here.
func hasNVIDIA(procfs string) bool {
	devices, err := os.ReadDir(filepath.Join(procfs, "driver/nvidia/gpus"))
	return err == nil && len(devices) > 0
}

func (o Options) load() hostload.Options {
	return hostload.Options{Procfs: o.Procfs, Sysfs: o.Sysfs, TDPW: o.CPUTDPW, Getenv: os.Getenv, Host: o.host}
}

func probeLoad(o Options) Finding {
	h, err := o.host()
	if err != nil {
		return Finding{Kind: emissions.CPU, Quality: emissions.Unavailable, Reason: err.Error()}
	}
	f := Finding{Kind: emissions.CPU, Quality: emissions.Estimated, Present: true, Notes: []string{
		fmt.Sprintf("processor %q, %d hardware threads of which this job has %.3g, %.1f GB of memory", h.Model, h.Threads, h.Cores, h.MemoryGB),
		h.Design()}}
	return f
}

func openCodeCarbon(o Options) emissions.Meter {
	host, err := o.host()
	if err != nil {
		return emissions.NewUnavailable(codecarbon.Method, fmt.Sprintf("the size of the memory is not known: %v", err))
	}
	return codecarbon.NewMeter(cmp.Or(o.CPUTDPW, host.TDPW()), host.MemoryGB)
}
