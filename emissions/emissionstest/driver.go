package emissionstest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tick is how often the driver turns its counters, unless a machine is slow.
const tick = 5 * time.Millisecond

// Driver turns the counters of a fake tree in real time, each at its own
// constant power and through its wraps. Its methods may be called at any time
// between NewDriver and Close.
type Driver struct {
	mu    sync.Mutex
	zones map[string]*turning
	stop  chan struct{}
	done  chan struct{}
	errs  []error
}

type turning struct {
	path    string
	watts   float64
	span    uint64 // µJ, 0 for a counter that never wraps
	base    uint64 // µJ at since
	since   time.Time
	failing bool
}

// NewDriver turns the counters of the zones, keyed by folder (intel-rapl:0,
// intel-rapl:0:1), each at its power in watts, beginning at the counts that
// the tree states.
func NewDriver(sysfsRoot string, watts map[string]float64) (*Driver, error) {
	d := &Driver{zones: map[string]*turning{}, stop: make(chan struct{}), done: make(chan struct{})}
	now := time.Now()
	for id, w := range watts {
		dir, err := zoneDir(sysfsRoot, id)
		if err != nil {
			return nil, err
		}
		z := &turning{path: filepath.Join(dir, "energy_uj"), watts: w, since: now}
		if z.base, err = readNumber(z.path); err != nil {
			return nil, err
		}
		z.span, err = readNumber(filepath.Join(dir, "max_energy_range_uj"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		d.zones[id] = z
	}
	go d.turn()
	return d, nil
}

// zoneDir finds a zone's folder: a nested one lies in its parent's.
func zoneDir(root, id string) (string, error) {
	parts := strings.Split(id, ":")
	dir := filepath.Join(root, "class/powercap", parts[0])
	for i := 2; i <= len(parts); i++ {
		dir = filepath.Join(dir, strings.Join(parts[:i], ":"))
	}
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("drive zone %s: %w", id, err)
	}
	return dir, nil
}

func readNumber(path string) (uint64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
}

func (z *turning) count(now time.Time) uint64 {
	n := z.base + uint64(z.watts*1e6*now.Sub(z.since).Seconds())
	if z.span > 0 {
		n %= z.span
	}
	return n
}

// write replaces the counter in one step, so that nobody reads half of it.
func (z *turning) write(now time.Time) error {
	next := z.path + ".next"
	if err := os.WriteFile(next, fmt.Appendln(nil, z.count(now)), 0o644); err != nil {
		return err
	}
	return os.Rename(next, z.path)
}

func (d *Driver) turn() {
	defer close(d.done)
	for {
		select {
		case <-d.stop:
			return
		case <-time.After(tick):
		}
		d.Turn()
	}
}

// Turn brings every counter up to now, which it returns: on a busy machine
// the driver's own turns may come late.
func (d *Driver) Turn() (now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now = time.Now()
	for _, z := range d.zones {
		if z.failing {
			continue
		}
		if err := z.write(now); err != nil {
			d.errs = append(d.errs, err)
		}
	}
	return now
}

// Fail makes the zone's counter unreadable, while its energy goes on.
func (d *Driver) Fail(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.zones[id].failing = true
	if err := os.Remove(d.zones[id].path); err != nil {
		d.errs = append(d.errs, err)
	}
}

// Restore makes the counter readable again.
func (d *Driver) Restore(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	z := d.zones[id]
	z.failing = false
	if err := z.write(time.Now()); err != nil {
		d.errs = append(d.errs, err)
	}
}

// StepTo sets the counter to a count in µJ, as a driver that is reloaded or a
// machine that wakes up does, and goes on from there.
func (d *Driver) StepTo(id string, uj uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	z := d.zones[id]
	z.base, z.since = uj, time.Now()
	if err := z.write(z.since); err != nil {
		d.errs = append(d.errs, err)
	}
}

// Close stops the counters where they are.
func (d *Driver) Close() error {
	close(d.stop)
	<-d.done
	return errors.Join(d.errs...)
}
