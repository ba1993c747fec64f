package rapl

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions"
)

// zoneID matches a zone's folder, such as intel-rapl:0, intel-rapl-mmio:0:1.
var zoneID = regexp.MustCompile(`^([a-z0-9-]*rapl[a-z0-9-]*)((?::[0-9]+)+)$`)

// packageName matches the kernel's names of packages and their dies.
var packageName = regexp.MustCompile(`^package-([0-9]+)(?:-die-([0-9]+))?$`)

// topology is a place of a zone in the machine. Socket is -1 for the platform.
type topology struct {
	socket, die int
	domain      string // package, dram, core, uncore, psys
}

// folder is a zone's folder in sysfs as it was found.
type folder struct {
	id     string // intel-rapl:0:1
	driver string // intel-rapl, intel-rapl-mmio
	path   string
	name   string // content of the file name
	place  topology
	view   bool   // an alternative view of a domain that another folder counts
	extra  string // "#2" and so on where two folders of a driver claim one place
}

func (f folder) label() string {
	name := cmp.Or(f.place.domain, f.id)
	if f.place.socket >= 0 {
		name = fmt.Sprintf("package-%d", f.place.socket)
		if f.place.die >= 0 {
			name += fmt.Sprintf("-die-%d", f.place.die)
		}
		if f.place.domain != "package" {
			name += "/" + cmp.Or(f.place.domain, f.id)
		}
	}
	if strings.HasSuffix(f.driver, "-mmio") {
		name += " (mmio)"
	}
	return name + f.extra
}

// counts tells whether a domain of this kind is part of the sum.
func (f folder) counts() bool {
	return !f.view && (f.place.domain == "package" || f.place.domain == "dram")
}

// kind is the part of the machine that the zone stands for.
func (f folder) kind() emissions.Kind {
	switch f.place.domain {
	case "dram":
		return emissions.Memory
	case "psys":
		return emissions.Platform
	}
	return emissions.CPU
}

func (f folder) topLevel() bool { return strings.Count(f.id, ":") == 1 }

// platform tells whether it is the whole platform, which stands alone where
// nothing that counts can be read.
func (f folder) platform() bool { return !f.view && f.place.domain == "psys" }

// find returns the zones below a sysfs root, wherever powercap is mounted, in
// the order of their place in the machine.
func find(root string, read readFunc) []folder {
	seen := map[string]folder{}
	for _, start := range []string{"class/powercap", "devices/virtual/powercap"} {
		walk(filepath.Join(root, start), 0, seen)
	}
	var all []folder
	for _, f := range seen {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b folder) int { return compareIDs(a.id, b.id) })
	place(all)
	slices.SortStableFunc(all, func(a, b folder) int {
		return cmp.Or(cmp.Compare(a.place.socket, b.place.socket), cmp.Compare(a.place.die, b.place.die),
			cmp.Compare(rank(a.place.domain), rank(b.place.domain)), cmp.Compare(a.driver, b.driver))
	})
	markViews(all, read)
	return all
}

func rank(domain string) int {
	return slices.Index([]string{"package", "dram", "core", "uncore", "psys"}, domain)
}

// maxDepth bounds the walk, since sysfs links point back up the tree.
const maxDepth = 4

func walk(dir string, depth int, seen map[string]folder) {
	entries, err := os.ReadDir(dir)
	if err != nil || depth > maxDepth {
		return
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		match := zoneID.FindStringSubmatch(e.Name())
		if match == nil {
			if strings.Contains(e.Name(), "rapl") {
				walk(path, depth+1, seen)
			}
			continue
		}
		name, err := os.ReadFile(filepath.Join(path, "name"))
		_, statErr := os.Stat(filepath.Join(path, "energy_uj"))
		if _, dup := seen[e.Name()]; !dup && (err == nil || statErr == nil) {
			seen[e.Name()] = folder{id: e.Name(), driver: match[1], path: path, name: strings.TrimSpace(string(name))}
		}
		walk(path, depth+1, seen)
	}
}

// compareIDs orders intel-rapl:2 before intel-rapl:10.
func compareIDs(a, b string) int {
	x, y := strings.Split(a, ":"), strings.Split(b, ":")
	for i := range min(len(x), len(y)) {
		m, errM := strconv.Atoi(x[i])
		n, errN := strconv.Atoi(y[i])
		c := cmp.Compare(x[i], y[i])
		if errM == nil && errN == nil {
			c = cmp.Compare(m, n)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(x), len(y))
}

// place gives every folder its topology: packages by their name, what is
// nested by its parent, memory at the top level by the number in its name or
// else by its turn among its driver's, which is that of the sockets.
func place(all []folder) {
	parents := map[string]topology{}
	sockets := map[string][]int{} // by driver
	for i := range all {
		f := &all[i]
		f.place = topology{socket: -1, die: -1, domain: f.name}
		if m := packageName.FindStringSubmatch(f.name); m != nil {
			f.place = topology{socket: number(m[1]), die: number(m[2]), domain: "package"}
			parents[f.id] = f.place
			if !slices.Contains(sockets[f.driver], f.place.socket) {
				sockets[f.driver] = append(sockets[f.driver], f.place.socket)
			}
		}
	}
	for _, s := range sockets {
		slices.Sort(s)
	}
	turn := map[string]int{}
	for i := range all {
		f := &all[i]
		if p, ok := parents[f.id[:strings.LastIndex(f.id, ":")]]; ok {
			f.place.socket, f.place.die = p.socket, p.die
			continue
		}
		if domain, digits, _ := strings.Cut(f.name, "-"); domain == "dram" && f.topLevel() {
			f.place = topology{socket: number(digits), die: -1, domain: domain}
			n := turn[f.driver]
			turn[f.driver]++
			if s := sockets[f.driver]; f.place.socket < 0 && n < len(s) {
				f.place.socket = s[n]
			} else if f.place.socket < 0 {
				f.place.socket = n
			}
		}
	}
}

// number returns -1 for what is no number.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}

// markViews finds the folders that show a domain another folder shows too:
// by another driver (the first readable one counts), or memory at the top
// level beside a package's own.
func markViews(all []folder, read readFunc) {
	counted := map[topology]string{} // place -> driver that counts it
	nested := map[int]bool{}         // sockets whose memory is nested in the package
	claims := map[string]int{}
	for _, preferReadable := range []bool{true, false} {
		for i := range all {
			f := &all[i]
			if _, taken := counted[f.place]; !taken && (!preferReadable || f.unreadable(read) == nil) {
				counted[f.place] = f.driver
			}
		}
	}
	for _, f := range all {
		if f.place.domain == "dram" && !f.topLevel() && f.unreadable(read) == nil {
			nested[f.place.socket] = true
		}
	}
	for i := range all {
		f := &all[i]
		topMemory := f.place.domain == "dram" && f.topLevel()
		f.view = counted[f.place] != f.driver || topMemory && nested[f.place.socket]
		if n := claims[f.label()]; n > 0 {
			f.extra = fmt.Sprintf("#%d", n+1)
		}
		claims[f.label()]++
	}
}

// unreadable returns why the zone's counter cannot be read, nil where it can.
func (f folder) unreadable(read readFunc) error {
	_, err := read.counter(filepath.Join(f.path, "energy_uj"))
	return err
}

// readFunc reads a file, as os.ReadFile does.
type readFunc func(path string) ([]byte, error)

// A file that is being written anew is empty for a moment: it is read again
// after ever longer pauses, 15 ms in all, before the read counts as failed.
const (
	firstPause = time.Millisecond
	lastPause  = 8 * time.Millisecond
)

// counter reads a file of one whole number.
func (read readFunc) counter(path string) (uint64, error) {
	data, err := read(path)
	for pause := firstPause; pause <= lastPause && err == nil && len(data) == 0; pause *= 2 {
		time.Sleep(pause)
		data, err = read(path)
	}
	if err != nil {
		return 0, err
	}
	return parseCounter(data)
}

func parseCounter(data []byte) (uint64, error) {
	text := strings.TrimSpace(string(data))
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a whole number of microjoules", text)
	}
	return n, nil
}

// explain says why a counter cannot be read and what to do about it.
func explain(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "permission denied: the counters are root's alone since CVE-2020-8694; " + PermissionHint
	case errors.Is(err, fs.ErrNotExist):
		return "there is no counter (energy_uj is missing)"
	}
	return err.Error()
}

// PermissionHint says how to make the counters readable.
const PermissionHint = `let your group read them with a udev rule, SUBSYSTEM=="powercap", ACTION=="add", RUN+="/bin/sh -c 'chgrp -R power /sys%p; chmod -R g=u /sys%p'", ` +
	`or give the program the capability: setcap cap_dac_read_search=ep disteval`

// sockets returns the machine's physical packages by its processor topology.
func sockets(root string) map[int]bool {
	found := map[int]bool{}
	files, _ := filepath.Glob(filepath.Join(root, "devices/system/cpu/cpu[0-9]*/topology/physical_package_id"))
	for _, file := range files {
		if n, err := readFunc(os.ReadFile).counter(file); err == nil {
			found[int(n)] = true
		}
	}
	return found
}
