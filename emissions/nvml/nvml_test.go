//go:build linux && (amd64 || arm64) && !static

package nvml

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/emissionstest"
)

var (
	h200 = emissionstest.Card{Name: "NVIDIA H200", UUID: "GPU-aaaa", Watts: 400, Users: []int{11, 12}}
	p100 = emissionstest.Card{Name: "Tesla P100", UUID: "GPU-bbbb", Watts: 120, NoCounter: true}
)

func started(t *testing.T, n *emissionstest.NVML) *Meter {
	t.Helper()
	m := &Meter{path: n.Path}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func near(t *testing.T, what string, e emissions.Energy, watts float64, d time.Duration) {
	t.Helper()
	if want := watts * d.Seconds(); math.Abs(e.Joules()-want) > 0.02*want {
		t.Errorf("%s: %.3f J, want %.3f", what, e.Joules(), want)
	}
}

func TestCards(t *testing.T) {
	mig := h200
	mig.UUID, mig.MIG = "GPU-cccc", true
	m := started(t, emissionstest.NewNVML(t, h200, p100, mig))
	from := time.Now()
	time.Sleep(700 * time.Millisecond)
	to := time.Now()
	r := m.Read(from, to)
	if r.Quality != emissions.Measured || r.Method != "nvml" || len(r.Zones) != 3 {
		t.Fatalf("%+v", r)
	}
	near(t, "the counter", r.Zones[0].Energy, 400, to.Sub(from))
	near(t, "the integrated power", r.Zones[1].Energy, 120, to.Sub(from))
	near(t, "the sum", r.Energy, 920, to.Sub(from))
	if r.Low > r.Energy || r.High < r.Energy {
		t.Errorf("bounds %d, %d of %d", r.Low, r.High, r.Energy)
	}
	if r.Zones[0].Name != "gpu-0 NVIDIA H200" || r.Zones[0].Kind != emissions.GPU || !r.Zones[0].Counted {
		t.Errorf("%+v", r.Zones[0])
	}
	if !strings.Contains(r.Zones[1].Note, "integrated at 10 Hz") || !strings.Contains(r.Zones[2].Note, "MIG") {
		t.Errorf("notes %q, %q", r.Zones[1].Note, r.Zones[2].Note)
	}
	if users := m.Users(); len(users["gpu-0 NVIDIA H200"]) != 2 || users["gpu-0 NVIDIA H200"][1] != 12 || len(users["gpu-1 Tesla P100"]) != 0 {
		t.Errorf("users %v", users)
	}
}

// Of a power that changes, the readings leave open when it did.
func TestIntegrated(t *testing.T) {
	n := emissionstest.NewNVML(t, p100)
	m := started(t, n)
	from := time.Now()
	time.Sleep(250 * time.Millisecond)
	hot := p100
	hot.Watts = 250
	n.Set(t, hot)
	time.Sleep(250 * time.Millisecond)
	r := m.Read(from, time.Now())
	if r.Quality != emissions.Measured || !(r.Low < r.Energy && r.Energy < r.High) {
		t.Errorf("%s: %d < %d < %d?", r.Quality, r.Low, r.Energy, r.High)
	}
	if off := float64(r.High-r.Low) / float64(r.Energy); off > 0.4 {
		t.Errorf("the bounds are %.0f %% apart", 100*off)
	}
}

func TestOffTheBus(t *testing.T) {
	n := emissionstest.NewNVML(t, h200, p100)
	m := started(t, n)
	from := time.Now()
	time.Sleep(50 * time.Millisecond)
	lost := h200
	lost.Lost = true
	n.Set(t, lost, p100)
	time.Sleep(50 * time.Millisecond)
	for range 2 { // the second time it is not asked any more
		r := m.Read(from, time.Now())
		if r.Quality != emissions.Partial || !strings.Contains(r.Reason, "gpu-0") || r.High < r.Energy || r.Energy == 0 {
			t.Errorf("%s, %s: %d to %d", r.Quality, r.Reason, r.Low, r.High)
		}
	}
	if r := m.Read(from, time.Now()); !strings.Contains(r.Reason, "fallen off the bus") {
		t.Errorf("%q", r.Reason)
	}
	n.Set(t, lost)
	m = started(t, n)
	if r := m.Read(time.Now(), time.Now()); r.Quality != emissions.Unavailable || !strings.Contains(r.Reason, "GPU is lost") {
		t.Errorf("lost from the start: %+v", r)
	}
}

// A counter that steps back is a driver that was loaded anew.
func TestReset(t *testing.T) {
	n := emissionstest.NewNVML(t, h200)
	m := started(t, n)
	from := time.Now()
	time.Sleep(20 * time.Millisecond)
	m.Read(from, time.Now())
	less := h200
	less.Watts = 100
	n.Set(t, less)
	time.Sleep(20 * time.Millisecond)
	if r := m.Read(from, time.Now()); r.Quality != emissions.Partial || !strings.Contains(r.Reason, "stepped") {
		t.Errorf("%+v", r)
	}
}

func TestExamine(t *testing.T) {
	n := emissionstest.NewNVML(t, h200, p100)
	p := examine(n.Path)
	if len(p.Devices) != 2 || p.Devices[0].UUID != "GPU-aaaa" || p.Devices[0].Integrated || !p.Devices[1].Integrated || p.Reason != "" {
		t.Errorf("%+v", p)
	}
	n.Set(t)
	if p := examine(n.Path); !strings.Contains(p.Reason, "NVML lists none") {
		t.Errorf("%+v", p)
	}
	if p := examine(filepath.Join(t.TempDir(), "none.so")); !strings.Contains(p.Reason, "cannot be opened") || !strings.Contains(p.Reason, "--gpus") {
		t.Errorf("%+v", p)
	}
}

func TestNoNVML(t *testing.T) {
	m := &Meter{path: filepath.Join(t.TempDir(), "none.so")}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := m.Read(time.Now(), time.Now()); r.Quality != emissions.Unavailable || r.Reason == "" {
		t.Errorf("%+v", r)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
