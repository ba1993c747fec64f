//go:build unix

package rapl

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/emissionstest"
)

func tree(t testing.TB, name string) string {
	t.Helper()
	root := t.TempDir()
	if err := emissionstest.WriteTree(root, name); err != nil {
		t.Fatal(err)
	}
	return root
}

// drive returns a started meter over a tree whose counters turn.
func drive(t testing.TB, root string, watts map[string]float64) (*Meter, *emissionstest.Driver) {
	t.Helper()
	d, err := emissionstest.NewDriver(root, watts)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	m := New(root)
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return m, d
}

// live returns a started meter over a tree whose counters are true at every
// read, however busy the machine: each is its power times the time.
func live(t testing.TB, root string, watts map[string]float64) *Meter {
	t.Helper()
	return failing(t, root, watts, &atomic.Bool{})
}

// failing is live, but for the times when fail is set: then no read is good.
func failing(t testing.TB, root string, watts map[string]float64, fail *atomic.Bool) *Meter {
	t.Helper()
	start := time.Now()
	m := New(root)
	m.readFile = func(path string) ([]byte, error) {
		base, err := os.ReadFile(path)
		w, ok := watts[filepath.Base(filepath.Dir(path))]
		if err != nil || !ok || filepath.Base(path) != "energy_uj" {
			return base, err
		}
		if fail.Load() {
			return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrInvalid}
		}
		begin, err := parseCounter(base)
		if err != nil {
			return nil, err
		}
		span, err := readFunc(os.ReadFile).counter(filepath.Join(filepath.Dir(path), "max_energy_range_uj"))
		if err != nil {
			span = math.MaxUint64
		}
		return fmt.Append(nil, (begin+uint64(w*1e6*time.Since(start).Seconds()))%span), nil
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// moment is a time at which the counters are true and the meter has read them.
func moment(m *Meter, d *emissionstest.Driver) time.Time {
	t := d.Turn()
	m.Read(t, t)
	return t
}

func near(t *testing.T, r emissions.Reading, watts, tolerance float64) {
	t.Helper()
	want := watts * r.End.Sub(r.Start).Seconds()
	if got := r.Energy.Joules(); math.Abs(got-want) > tolerance*want {
		t.Errorf("energy %.3f J, the truth is %.3f J (%+.2f %%)\n%+v", got, want, 100*(got/want-1), r)
	}
}

func TestTrees(t *testing.T) {
	tests := []struct {
		tree    string
		watts   map[string]float64
		want    float64 // W of the sum
		quality emissions.Quality
		counted string
		says    string // in reason, notes or warnings
	}{
		{"one-socket", map[string]float64{"intel-rapl:0": 100, "intel-rapl:0:0": 60, "intel-rapl:0:1": 10, "intel-rapl:0:2": 20}, 120,
			emissions.Measured, "package-0,package-0/dram", "part of its package"},
		{"two-sockets", map[string]float64{"intel-rapl:0": 100, "intel-rapl:0:0": 10, "intel-rapl:1": 100, "intel-rapl:1:0": 10}, 220,
			emissions.Measured, "package-0,package-0/dram,package-1,package-1/dram", ""},
		{"psys", map[string]float64{"intel-rapl:0": 15, "intel-rapl:0:0": 10, "intel-rapl:1": 40}, 15,
			emissions.Measured, "package-0", "the platform, which contains the packages"},
		{"msr-mmio", map[string]float64{"intel-rapl:0": 40, "intel-rapl-mmio:0": 39}, 40,
			emissions.Measured, "package-0", "another view"},
		{"top-level-dram", map[string]float64{"intel-rapl:0": 100, "intel-rapl:1": 80, "intel-rapl:2": 20, "intel-rapl:3": 10}, 210,
			emissions.Measured, "package-0,package-0/dram,package-1,package-1/dram", ""}, // CodeCarbon #1305
		{"nested-and-top-dram", map[string]float64{"intel-rapl:0": 100, "intel-rapl:0:0": 20, "intel-rapl:1": 20}, 120,
			emissions.Measured, "package-0,package-0/dram", "another view"},
		{"mirrored-dies", map[string]float64{"intel-rapl:0": 68, "intel-rapl:1": 68}, 68,
			emissions.Measured, "package-0-die-0", "mirrors package-0-die-0"}, // CodeCarbon #1274
		{"amd", map[string]float64{"intel-rapl:0": 90, "intel-rapl:0:0": 30}, 90,
			emissions.Measured, "package-0", ""},
		{"no-max", map[string]float64{"intel-rapl:0": 90}, 90, emissions.Measured, "package-0", ""},
		{"unreadable-package", map[string]float64{"intel-rapl:0": 90}, 90,
			emissions.Partial, "package-0", "package-1 cannot be read"},
		{"missing-package", map[string]float64{"intel-rapl:0": 90}, 90,
			emissions.Partial, "package-0", "package-1 has no zone"},
		{"dtpm", map[string]float64{"intel-rapl:0": 90}, 90, emissions.Measured, "package-0", ""},
		{"out-of-order", map[string]float64{"intel-rapl:0": 100, "intel-rapl:0:0": 10, "intel-rapl:1": 400, "intel-rapl:2": 50, "intel-rapl:2:0": 5, "intel-rapl:2:1": 7, "intel-rapl:10": 30}, 197,
			emissions.Measured, "package-0,package-0/dram,package-1,package-1/dram,package-2", "the platform"},
	}
	for _, tt := range tests {
		t.Run(tt.tree, func(t *testing.T) {
			t.Parallel()
			m := live(t, tree(t, tt.tree), tt.watts)
			from := time.Now()
			time.Sleep(1200 * time.Millisecond)
			r := m.Read(from, time.Now())
			near(t, r, tt.want, 0.03)
			if r.Quality != tt.quality {
				t.Errorf("quality %s, want %s: %s", r.Quality, tt.quality, r.Reason)
			}
			var counted []string
			for _, z := range r.Zones {
				if z.Counted {
					counted = append(counted, z.Name)
				}
			}
			if got := strings.Join(counted, ","); got != tt.counted {
				t.Errorf("counted %s, want %s", got, tt.counted)
			}
			if r.Low != r.Energy || (r.High > r.Energy) != (tt.quality == emissions.Partial) {
				t.Errorf("bounds %d to %d of %d", r.Low, r.High, r.Energy)
			}
			if all := fmt.Sprintf("%+v", r); !strings.Contains(all, tt.says) {
				t.Errorf("%s does not say %q", all, tt.says)
			}
		})
	}
}

func TestNothingToRead(t *testing.T) {
	for _, root := range []string{t.TempDir(), tree(t, "dtpm-only")} {
		m := New(root)
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := m.Read(time.Now().Add(-time.Second), time.Now())
		if r.Quality != emissions.Unavailable || !strings.Contains(r.Reason, "no powercap energy counters") {
			t.Errorf("%+v", r)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestPermissionDenied(t *testing.T) {
	root := tree(t, "one-socket")
	denied := func(path string) ([]byte, error) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
	}
	m := New(root)
	m.readFile = denied
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r := m.Read(time.Now(), time.Now())
	for _, want := range []string{"CVE-2020-8694", "udev", "cap_dac_read_search"} {
		if r.Quality != emissions.Unavailable || strings.Count(r.Reason, want) != 1 {
			t.Errorf("reason %q does not name %s once", r.Reason, want)
		}
	}
}

// The acceptance run: 150 W and 20 W of memory, two wraps, three failed reads.
func TestWrapsAndFailedReads(t *testing.T) {
	t.Parallel()
	var fail atomic.Bool
	m := failing(t, tree(t, "wrapping"), map[string]float64{"intel-rapl:0": 150, "intel-rapl:0:0": 20}, &fail)
	read := func() { // meets what is there now for certain
		now := time.Now()
		m.Read(now, now)
	}
	from := time.Now()
	for range 3 {
		time.Sleep(900 * time.Millisecond)
		fail.Store(true)
		read()
		time.Sleep(600 * time.Millisecond)
		fail.Store(false)
		read()
	}
	time.Sleep(500 * time.Millisecond)
	r := m.Read(from, time.Now())
	near(t, r, 170, 0.01)
	if r.Quality != emissions.Measured || len(r.Gaps) != 6 || r.Gaps[0].Zone != "package-0" || r.Gaps[3].Zone != "package-0/dram" {
		t.Errorf("quality %s, gaps %+v, %s", r.Quality, r.Gaps, r.Reason)
	}
	if r.Low != r.Energy || r.High != r.Energy {
		t.Errorf("bounds %d to %d of %d", r.Low, r.High, r.Energy)
	}
}

func TestStepBackIsPartial(t *testing.T) {
	t.Parallel()
	m, d := drive(t, tree(t, "no-max"), map[string]float64{"intel-rapl:0": 100})
	from := moment(m, d)
	time.Sleep(1100 * time.Millisecond)
	d.StepTo("intel-rapl:0", 5)
	time.Sleep(2300 * time.Millisecond)
	r := m.Read(from, moment(m, d))
	if r.Quality != emissions.Partial || !strings.Contains(r.Reason, "stepped from") {
		t.Errorf("%s: %s", r.Quality, r.Reason)
	}
	truth := 100e6 * r.End.Sub(r.Start).Seconds()
	if float64(r.Low) > truth || float64(r.High) < truth*0.97 {
		t.Errorf("the truth %.0f µJ is not within %d and %d", truth, r.Low, r.High)
	}
}

// Distinct dies at the same load are not mirrors of each other.
func TestDistinctDies(t *testing.T) {
	t.Parallel()
	m := live(t, tree(t, "mirrored-dies"), map[string]float64{"intel-rapl:0": 68, "intel-rapl:1": 72})
	from := time.Now()
	time.Sleep(1100 * time.Millisecond)
	near(t, m.Read(from, time.Now()), 140, 0.03)
}

func TestMMIOStandsInForMSR(t *testing.T) {
	t.Parallel()
	root := tree(t, "msr-mmio")
	if err := os.Remove(filepath.Join(root, "class/powercap/intel-rapl/intel-rapl:0/energy_uj")); err != nil {
		t.Fatal(err)
	}
	m := live(t, root, map[string]float64{"intel-rapl-mmio:0": 40})
	from := time.Now()
	time.Sleep(500 * time.Millisecond)
	r := m.Read(from, time.Now())
	near(t, r, 40, 0.05)
	if r.Quality != emissions.Measured {
		t.Errorf("%s: %s", r.Quality, r.Reason)
	}
}

// TestShortReplies reads an interval per reply, each bracketed by its own read.
func TestShortReplies(t *testing.T) {
	t.Parallel()
	m := live(t, tree(t, "one-socket"), map[string]float64{"intel-rapl:0": 100, "intel-rapl:0:2": 20})
	from := time.Now()
	var sum float64
	last := from
	for range 20 {
		time.Sleep(25 * time.Millisecond)
		now := time.Now()
		sum += m.Read(last, now).Energy.Joules()
		last = now
	}
	whole := m.Read(from, last)
	near(t, whole, 120, 0.05)
	if math.Abs(sum-whole.Energy.Joules()) > 0.1*sum {
		t.Errorf("the replies add up to %.2f J, the phase is %.2f J", sum, whole.Energy.Joules())
	}
}

func BenchmarkRead(b *testing.B) {
	m, _ := drive(b, tree(b, "one-socket"), map[string]float64{"intel-rapl:0": 100})
	for b.Loop() {
		now := time.Now()
		m.Read(now.Add(-time.Millisecond), now)
	}
}

// BenchmarkMetering is the cost of a round of sampling: at the longest period,
// one second, a share of a core of ns/op in 1e9.
func BenchmarkMetering(b *testing.B) {
	m := New(tree(b, "two-sockets"))
	m.open()
	for b.Loop() {
		m.sample()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e9*100, "%core")
}

func FuzzParseCounter(f *testing.F) {
	for _, s := range []string{"0\n", "262143328850\n", "", "-1", "1e6", " 7 ", "99999999999999999999"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := parseCounter(data)
		if err == nil && fmt.Sprint(n) != strings.TrimLeft(strings.TrimSpace(string(data)), "0") && n != 0 {
			t.Errorf("%q is read as %d", data, n)
		}
	})
}

func TestConcurrentReads(t *testing.T) {
	m, _ := drive(t, tree(t, "one-socket"), map[string]float64{"intel-rapl:0": 100})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				now := time.Now()
				m.Read(now.Add(-time.Millisecond), now)
			}
		})
	}
	wg.Wait()
}
