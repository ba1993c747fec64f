package exporter

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/disteval/disteval/emissions"
)

// The metrics that are read, and their parts of interest.
var (
	nodeRAPL    = pattern(`^node_rapl_(package|dram|core|uncore|psys)(?:_([0-9]+)(?:_die_([0-9]+))?)?_joules_total$`)
	dcgm        = pattern(`^DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION$`)
	kepler      = pattern(`^kepler_node_(cpu|package|dram|core|uncore|platform|gpu)(_active|_idle)?_joules_total$`)
	interesting = pattern(`^(?:# TYPE )?(?:node_rapl_|DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION|kepler_node_[a-z_]+_joules_total)`)
)

// pattern compiles an expression once it is needed: few runs read an exporter.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// What an answer may hold at the most.
const (
	maxBytes  = 256 << 20 // read, to find the few lines that matter
	maxKept   = 1 << 20   // of these lines
	maxLine   = 64 << 10
	maxZones  = 1024
	maxJoules = 1e15 // of a counter
)

// sample is one counter in one answer.
type sample struct {
	key       string // metric and labels: what the counter is known by
	domain    string // package, dram, core, uncore, psys, gpu
	index     string // socket or card, empty where not known
	card      string // NVIDIA's name of a card, empty for anything else
	joules    float64
	modelled  bool // the exporter has no counter and reckons it from a model
	secondary bool // another view of a counter that is there, too
}

// kind is the part of the machine that a domain stands for.
func (s sample) kind() emissions.Kind {
	switch s.domain {
	case "dram":
		return emissions.Memory
	case "gpu":
		return emissions.GPU
	case "psys":
		return emissions.Platform
	}
	return emissions.CPU
}

// whole tells whether the domain is not part of another that is shown.
func (s sample) whole() bool {
	return s.domain == "package" || s.domain == "dram" || s.domain == "gpu"
}

func (s sample) name() string {
	if s.index == "" {
		return s.domain
	}
	return s.domain + "-" + s.index
}

// parse reads an answer in Prometheus' text format. Lines of other metrics are
// passed over unread, so that an exporter of many costs little memory.
func parse(answer io.Reader) ([]sample, error) {
	kept, err := filter(answer)
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(kept)
	if err != nil {
		return nil, fmt.Errorf("it is not in Prometheus' text format: %w", err)
	}
	var all []sample
	have := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(families)) {
		for _, m := range families[name].GetMetric() {
			if s, ok := identify(name, m); ok && !have[s.key] {
				have[s.key] = true
				all = append(all, s)
			}
		}
	}
	if len(all) > maxZones {
		return nil, fmt.Errorf("it lists %d counters of energy; one machine has at most %d", len(all), maxZones)
	}
	return once(mergeModes(all)), nil
}

func filter(answer io.Reader) (*bytes.Buffer, error) {
	limited := &io.LimitedReader{R: answer, N: maxBytes}
	lines := bufio.NewReaderSize(limited, maxLine)
	var kept bytes.Buffer
	for begun := false; ; {
		line, err := lines.ReadSlice('\n')
		long, end := errors.Is(err, bufio.ErrBufferFull), errors.Is(err, io.EOF)
		if err != nil && !long && !end {
			return nil, err
		}
		if !begun && !long && interesting().Match(line) {
			kept.Write(line)
		}
		begun = long // the rest of a line that is too long to be ours
		if kept.Len() > maxKept {
			return nil, fmt.Errorf("its counters of energy alone are more than %d KB", maxKept>>10)
		}
		if end {
			break
		}
	}
	if limited.N <= 0 {
		return nil, fmt.Errorf("it answers with more than %d MB: name one with fewer collectors, such as node_exporter with --collector.disable-defaults --collector.rapl", maxBytes>>20)
	}
	if n := kept.Len(); n > 0 && kept.Bytes()[n-1] != '\n' {
		kept.WriteByte('\n')
	}
	return &kept, nil
}

// identify tells what a metric counts.
func identify(name string, m *dto.Metric) (sample, bool) {
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	s := sample{key: key(name, labels), joules: value(m)}
	switch {
	case nodeRAPL().MatchString(name):
		part := nodeRAPL().FindStringSubmatch(name)
		s.domain, s.index = part[1], cmp.Or(part[2], labels["index"])
		if part[3] != "" {
			s.index += "-die-" + part[3]
		}
		s.secondary = strings.Contains(labels["path"], "-mmio:")
	case dcgm().MatchString(name):
		s.domain, s.index, s.card = "gpu", labels["gpu"], labels["UUID"]
		s.joules /= 1000
	case kepler().MatchString(name):
		part := kepler().FindStringSubmatch(name)
		s.domain, s.index = part[1], labels["package"]
		switch s.domain {
		case "cpu": // the zone has the domain
			s.domain, _, _ = strings.Cut(labels["zone"], "-")
			if _, n, ok := strings.Cut(labels["zone"], "-"); ok {
				s.index = n
			}
		case "platform":
			s.domain = "psys"
		}
		s.modelled = strings.Contains(labels["source"], "model")
	default:
		return s, false
	}
	return s, slices.Contains([]string{"package", "dram", "core", "uncore", "psys", "gpu"}, s.domain)
}

// value is a counter's, whatever type the exporter says it has.
func value(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	case m.Untyped != nil:
		return m.Untyped.GetValue()
	}
	return math.NaN()
}

func key(name string, labels map[string]string) string {
	parts := make([]string, 0, len(labels))
	for _, l := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, fmt.Sprintf("%s=%q", l, labels[l]))
	}
	return name + "{" + strings.Join(parts, ",") + "}"
}

// modes are the marks of a counter that Kepler splits into its busy and its
// idle part.
var modes = pattern(`(_active|_idle)_joules_total|mode="[a-z]+",?`)

// mergeModes adds up what Kepler splits, and leaves it out where the whole is
// there as well.
func mergeModes(all []sample) []sample {
	var out []sample
	at := map[string]int{}
	whole := map[string]bool{}
	for _, s := range all {
		if modes().FindString(s.key) == "" {
			whole[s.key] = true
		}
	}
	for _, s := range all {
		if modes().FindString(s.key) == "" {
			out = append(out, s)
			continue
		}
		s.key = modes().ReplaceAllStringFunc(s.key, func(m string) string {
			if strings.HasPrefix(m, "mode=") {
				return ""
			}
			return "_joules_total"
		})
		s.key = strings.Replace(s.key, ",}", "}", 1)
		i, have := at[s.key]
		switch {
		case whole[s.key]:
		case have:
			out[i].joules += s.joules
		default:
			at[s.key] = len(out)
			out = append(out, s)
		}
	}
	return out
}

// once marks what one exporter shows twice: a card's counter for each of its
// instances, memory both within its package and beside it.
func once(all []sample) []sample {
	nested := slices.ContainsFunc(all, func(s sample) bool { return s.domain == "dram" && depth(s.key) > 1 })
	seen := map[string]bool{}
	for _, second := range []bool{false, true} { // a second view counts where there is no first
		for i := range all {
			s := &all[i]
			if s.secondary != second {
				continue
			}
			id := cmp.Or(s.card, s.name())
			if s.domain == "dram" {
				id = s.key // its index is a turn, not a socket
			}
			s.secondary = seen[id] || nested && s.domain == "dram" && depth(s.key) == 1
			seen[id] = true
		}
	}
	return all
}

var zonePath = pattern(`path="[^"]*rapl[a-z-]*((?::[0-9]+)+)"`)

// depth is how deep a zone's folder lies: 1 for intel-rapl:0, 2 for
// intel-rapl:0:1, 0 where the exporter does not say.
func depth(key string) int {
	m := zonePath().FindStringSubmatch(key)
	if m == nil {
		return 0
	}
	return strings.Count(m[1], ":")
}
