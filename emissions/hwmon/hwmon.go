// Package hwmon meters graphics cards, and AMD processors with the driver
// amd_energy, by what Linux's hardware monitoring shows in sysfs.
//
// Policy: only files that the kernel documents are read: energy1_input of
// Intel's drivers i915 and xe (microjoules; one for the card and one for its
// package, of which the card counts), power1_average or power1_input of AMD's
// driver amdgpu (microwatts, integrated at 10 Hz with the bounds that leaves
// open), and the socket counters of amd_energy. A card is known by its place
// on the bus. A processor with graphics is not counted beside the processor,
// whose power its driver shows. Counters are of any width: one that falls is a gap, since its
// range is not documented.
package hwmon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/disteval/disteval/emissions"
)

// The methods of this package: cards, and processors.
const (
	Method    = "hwmon"
	MethodCPU = "amd_energy"
)

// maxStepW is a power that neither a card nor a processor reaches.
const maxStepW = 5000

// sensor is one file that is read.
type sensor struct {
	name  string // gpu-0 and the driver, package-0
	path  string
	power bool   // µW, to be integrated; else a counter of µJ
	part  bool   // of another sensor, or containing it: shown and not summed
	why   string // of part
}

// gauge is the history of one sensor.
type gauge struct {
	sensor
	kind     emissions.Kind
	series   emissions.Series
	sum      uint64
	last     uint64 // µJ
	at       time.Time
	integral emissions.Integral
	failed   string
}

func (g *gauge) take() {
	v, err := readNumber(g.path)
	now := time.Now()
	switch {
	case err != nil:
		g.failed = cmp.Or(g.failed, explain(err))
		g.integral.Fail(g.failed)
		return
	case g.power:
		g.integral.Add(now, float64(v)/1e6)
	case g.at.IsZero():
		g.series.Add(now, 0)
	case v < g.last:
		g.series.AddLost(now, g.sum, fmt.Sprintf("the counter fell from %d to %d µJ", g.last, v))
	case float64(v-g.last)/1e6 > maxStepW*(now.Sub(g.at).Seconds()+0.1):
		g.series.AddLost(now, g.sum, fmt.Sprintf("the counter jumped from %d to %d µJ", g.last, v))
	default:
		if g.failed != "" {
			g.series.AddGap(g.at, now, g.failed)
		}
		g.sum += v - g.last
		g.series.Add(now, g.sum)
	}
	g.last, g.at, g.failed = v, now, ""
}

func (g *gauge) between(from, to time.Time) (c emissions.Change, low, high emissions.Energy) {
	if g.power {
		return g.integral.Between(from, to)
	}
	c = g.series.Between(from, to)
	return c, emissions.Energy(c.Amount), emissions.Energy(c.Amount)
}

func (g *gauge) note() string {
	if g.power && !g.part {
		return "no counter: its power integrated at 10 Hz"
	}
	return g.why
}

// Meter is an emissions.Meter over sensors.
type Meter struct {
	method  string
	find    func() []sensor
	kind    emissions.Kind
	none    string // why there is nothing to read
	sampler *emissions.Sampler

	mu     sync.Mutex
	gauges []*gauge
}

// New returns a Meter over the Intel and AMD cards below a sysfs root.
func New(sysfsRoot string) *Meter {
	return &Meter{method: Method, kind: emissions.GPU, none: noCards, find: func() []sensor { return cards(sysfsRoot) }}
}

// NewCPU returns a Meter over the sockets that the driver amd_energy shows.
func NewCPU(sysfsRoot string) *Meter {
	return &Meter{method: MethodCPU, kind: emissions.CPU, none: noSockets, find: func() []sensor { return sockets(sysfsRoot) }}
}

const (
	noCards   = "there is no Intel or AMD graphics card with a sensor of energy or power under class/drm"
	noSockets = "the driver amd_energy is not loaded"
)

// Start finds the sensors and begins to sample. It does not fail: without one
// the readings are unavailable and say why.
func (m *Meter) Start(ctx context.Context) error {
	every := time.Second
	for _, s := range m.find() {
		m.gauges = append(m.gauges, &gauge{sensor: s, kind: m.kind})
		if s.power {
			every = emissions.IntegrationPeriod
		}
	}
	if len(m.gauges) == 0 {
		return nil
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

// Close ends the sampling.
func (m *Meter) Close() error { return m.sampler.Close() }

// Read returns the energy of [from, to].
func (m *Meter) Read(from, to time.Time) emissions.Reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := emissions.Reading{Start: from, End: to, Method: m.method, Quality: emissions.Unavailable, Reason: m.none}
	if len(m.gauges) == 0 {
		return r
	}
	if slices.ContainsFunc(m.gauges, func(g *gauge) bool { return g.at.Before(to) }) {
		m.round()
	}
	var reasons []string
	known := false
	for _, g := range m.gauges {
		c, low, high := g.between(from, to)
		e := emissions.Energy(c.Amount)
		r.Zones = append(r.Zones, emissions.Zone{Name: g.name, Kind: g.kind, Energy: e, Counted: !g.part, Note: g.note()})
		for _, gap := range slices.Concat(c.Gaps, c.Spans) {
			gap.Zone = g.name
			r.Gaps = append(r.Gaps, gap)
		}
		if g.part {
			continue
		}
		r.Energy, r.Low, r.High = r.Energy+e, r.Low+low, r.High+high
		known = known || c.Lost < to.Sub(from)
		for _, gap := range c.Spans {
			lost := gap.End.Sub(gap.Start).Seconds()
			reasons = append(reasons, fmt.Sprintf("%s: %.3f s are missing: %s", g.name, lost, cmp.Or(g.failed, gap.Reason)))
			r.High += emissions.Energy(lost * unknownW * 1e6)
		}
	}
	r.Reason = strings.Join(reasons, "; ")
	switch {
	case !known:
		r.Energy, r.Low, r.High = 0, 0, 0
		r.Reason = cmp.Or(r.Reason, "no sensor covers the interval")
	case len(reasons) > 0:
		r.Quality = emissions.Partial
	default:
		r.Quality = emissions.Measured
	}
	return r
}

// unknownW stands for the power of what could not be read.
const unknownW = 500

// Sensor is one sensor as it was found.
type Sensor struct {
	Name, Path string
	Integrated bool // its power is integrated; else it counts energy
	Counted    bool
	Why        string // why it is not counted, or cannot be read
	Readable   bool
}

// Examine finds the cards' sensors below a sysfs root and reads each once.
func Examine(sysfsRoot string) []Sensor { return examine(cards(sysfsRoot)) }

// ExamineCPU is Examine for the driver amd_energy.
func ExamineCPU(sysfsRoot string) []Sensor { return examine(sockets(sysfsRoot)) }

func examine(found []sensor) []Sensor {
	var all []Sensor
	for _, s := range found {
		out := Sensor{Name: s.name, Path: s.path, Integrated: s.power, Counted: !s.part, Why: s.why, Readable: true}
		if _, err := readNumber(s.path); err != nil {
			out.Readable, out.Why = false, explain(err)
		}
		all = append(all, out)
	}
	return all
}

// cards finds the sensors of graphics cards. A card that the kernel shows under
// several names is one; its place on the bus tells.
func cards(root string) []sensor {
	links, _ := filepath.Glob(filepath.Join(root, "class/drm/card[0-9]*"))
	slices.SortFunc(links, func(a, b string) int { return cmp.Compare(cardNumber(a), cardNumber(b)) })
	var all []sensor
	seen := map[string]bool{}
	n := 0
	for _, link := range links {
		if cardNumber(link) < 0 { // a connector, such as card0-DP-1
			continue
		}
		device, err := filepath.EvalSymlinks(filepath.Join(link, "device"))
		if err != nil || seen[device] {
			continue
		}
		seen[device] = true
		found := cardSensors(device, fmt.Sprintf("gpu-%d", n))
		if len(found) > 0 {
			n++
		}
		all = append(all, found...)
	}
	return all
}

func cardNumber(path string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), "card"))
	if err != nil {
		return -1
	}
	return n
}

// cardSensors are those of one card, the card's own first: Intel's package
// contains its card, and a discrete card's package is the card itself.
func cardSensors(device, name string) []sensor {
	folders, _ := filepath.Glob(filepath.Join(device, "hwmon/hwmon*"))
	var all []sensor
	for _, dir := range folders {
		driver := text(filepath.Join(dir, "name"))
		s := sensor{name: name + " " + driver}
		switch {
		case strings.HasPrefix(driver, "i915"), strings.HasPrefix(driver, "xe"):
			s.path = energyFile(dir)
		case driver == "amdgpu":
			s.power, s.path = true, existing(dir, "power1_average", "power1_input")
			if text(filepath.Join(dir, "in1_label")) == "vddnb" { // which only these have
				s.part, s.why = true, "a processor with graphics: its power is the processor's, too"
			}
		}
		if s.path != "" {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b sensor) int { return cmp.Compare(a.path, b.path) })
	for i := range all {
		if i > 0 { // i915_gt0 beside i915, say
			all[i].part, all[i].why = true, "a part of the card"
		}
	}
	return all
}

// energyFile is an Intel card's counter. xe labels its counters: that of the
// card is taken, else that of the package.
func energyFile(dir string) string {
	files, _ := filepath.Glob(filepath.Join(dir, "energy[0-9]*_input"))
	slices.Sort(files)
	for _, label := range []string{"card", "pkg"} {
		for _, f := range files {
			if text(strings.TrimSuffix(f, "_input")+"_label") == label {
				return f
			}
		}
	}
	if len(files) > 0 {
		return files[0]
	}
	return ""
}

// sockets finds the counters of amd_energy, which labels them Esocket0 and, for
// its cores, Ecore000.
func sockets(root string) []sensor {
	folders, _ := filepath.Glob(filepath.Join(root, "class/hwmon/hwmon*"))
	var all []sensor
	for _, dir := range folders {
		if text(filepath.Join(dir, "name")) != MethodCPU {
			continue
		}
		labels, _ := filepath.Glob(filepath.Join(dir, "energy[0-9]*_label"))
		for _, l := range labels {
			if socket, ok := strings.CutPrefix(text(l), "Esocket"); ok {
				all = append(all, sensor{name: "package-" + socket, path: strings.TrimSuffix(l, "_label") + "_input"})
			}
		}
	}
	slices.SortFunc(all, func(a, b sensor) int { return cmp.Compare(a.name, b.name) })
	return all
}

func existing(dir string, names ...string) string {
	for _, n := range names {
		if _, err := os.Stat(filepath.Join(dir, n)); err == nil {
			return filepath.Join(dir, n)
		}
	}
	return ""
}

func text(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func readNumber(path string) (uint64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a whole number", strings.TrimSpace(string(data)))
	}
	return n, nil
}

func explain(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "permission denied: run as root or as a member of the group that may read it"
	case errors.Is(err, fs.ErrNotExist):
		return "the file is gone: was the card or its driver removed?"
	}
	return err.Error()
}
