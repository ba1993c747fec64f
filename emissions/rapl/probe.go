package rapl

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Zone is one zone as it was found.
type Zone struct {
	folder
	ID       string // the zone's folder, such as intel-rapl:0:1
	Name     string // its place in the machine, such as package-0/dram
	Path     string
	Counted  bool   // whether it is part of the sum
	Readable bool   // whether its counter can be read now
	Why      string // why not, and what to do
	RangeUJ  uint64 // µJ at which it wraps, 0 where not known
}

// Probe is what a machine offers.
type Probe struct {
	Zones   []Zone
	Sockets []int  // by the processor topology; empty where sysfs has none
	Reason  string // why nothing at all can be metered, and what to do; empty where something can

	missing []string // sockets without a zone and zones without a name
}

// Examine finds the zones below a sysfs root and tries every counter once.
func Examine(sysfsRoot string) Probe { return examine(sysfsRoot, os.ReadFile) }

func examine(sysfsRoot string, read readFunc) Probe {
	var p Probe
	covered := map[int]bool{}
	for _, f := range find(sysfsRoot, read) {
		z := Zone{folder: f, ID: f.id, Name: f.label(), Path: f.path, Counted: f.counts()}
		z.RangeUJ, _ = readFunc(os.ReadFile).counter(filepath.Join(f.path, "max_energy_range_uj"))
		if err := f.unreadable(read); err != nil {
			z.Why = explain(err)
		} else {
			z.Readable = true
		}
		if f.name == "" {
			p.missing = append(p.missing, z.Name+" has no name: what it measures is not known")
		}
		if f.place.domain == "package" {
			covered[f.place.socket] = true
		}
		p.Zones = append(p.Zones, z)
	}
	if !slices.ContainsFunc(p.Zones, func(z Zone) bool { return z.Counted && z.Readable }) {
		for i := range p.Zones {
			p.Zones[i].Counted = p.Zones[i].Counted || p.Zones[i].Readable && p.Zones[i].platform()
		}
	}
	present := sockets(sysfsRoot)
	p.Sockets = slices.Sorted(maps.Keys(present))
	for _, s := range p.Sockets {
		if !covered[s] {
			p.missing = append(p.missing, fmt.Sprintf("package-%d has no zone, though the processor topology has the socket", s))
		}
	}
	p.Reason = p.reason(sysfsRoot)
	return p
}

func (p Probe) reason(root string) string {
	if slices.ContainsFunc(p.Zones, func(z Zone) bool { return z.Readable && z.Counted }) {
		return ""
	}
	if all := p.unread().sentences(); len(all) > 0 {
		return strings.Join(all, "; ")
	}
	return fmt.Sprintf("there are no powercap energy counters under %s, as in most virtual machines and containers: "+
		"run on the machine itself, load intel_rapl_common and intel_rapl_msr, or name the host's sysfs with emissions.sysfs",
		filepath.Join(root, "class/powercap"))
}

// Missing returns what should be part of the sum and cannot be, with reasons.
func (p Probe) Missing() []string {
	all := p.unread().sentences()
	if slices.ContainsFunc(p.Zones, func(z Zone) bool { return z.Counted && z.platform() }) {
		all = append(all, platformOnly)
	}
	return append(all, p.missing...)
}

// platformOnly is why psys alone is not a whole reading.
const platformOnly = "only psys can be read, which is the whole platform by the firmware's own account"

func (p Probe) unread() unread {
	var out unread
	for _, z := range p.Zones {
		if z.Counted && !z.Readable {
			out.add(z.Name, z.Why)
		}
	}
	return out
}

// unread are the names of zones that cannot be read, by the reason: most of
// the time all have one.
type unread []struct {
	why   string
	names []string
}

func (u *unread) add(name, why string) {
	for i := range *u {
		if (*u)[i].why == why {
			(*u)[i].names = append((*u)[i].names, name)
			return
		}
	}
	*u = append(*u, struct {
		why   string
		names []string
	}{why, []string{name}})
}

func (u unread) sentences() []string {
	var out []string
	for _, g := range u {
		out = append(out, strings.Join(g.names, ", ")+" cannot be read: "+g.why)
	}
	return out
}
