package hwmon

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/emissionstest"
)

func tree(t *testing.T, name string) string {
	t.Helper()
	root := t.TempDir()
	if err := emissionstest.WriteTree(root, name); err != nil {
		t.Fatal(err)
	}
	return root
}

// set writes a number in one step, as sysfs shows it.
func set(t *testing.T, path string, n uint64) {
	t.Helper()
	if err := os.WriteFile(path+".next", fmt.Appendln(nil, n), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".next", path); err != nil {
		t.Fatal(err)
	}
}

func TestFound(t *testing.T) {
	for _, tt := range []struct {
		tree string
		all  []Sensor
	}{
		{"intel-arc", []Sensor{{Name: "gpu-0 i915", Path: "hwmon4/energy1_input", Counted: true}, {Name: "gpu-0 i915_gt0", Path: "hwmon5/energy1_input"}}},
		{"intel-xe", []Sensor{{Name: "gpu-0 xe", Path: "hwmon2/energy1_input", Counted: true}}},
		{"amd-cards", []Sensor{{Name: "gpu-0 amdgpu", Path: "hwmon0/power1_average", Counted: true, Integrated: true},
			{Name: "gpu-1 amdgpu", Path: "hwmon1/power1_input", Counted: true, Integrated: true}, {Name: "gpu-2 amdgpu", Path: "hwmon3/power1_average", Integrated: true}}},
		{"one-socket", nil},
	} {
		got := Examine(tree(t, tt.tree))
		if len(got) != len(tt.all) {
			t.Fatalf("%s: %+v", tt.tree, got)
		}
		for i, want := range tt.all {
			if g := got[i]; g.Name != want.Name || !strings.HasSuffix(g.Path, want.Path) || g.Counted != want.Counted || g.Integrated != want.Integrated || !g.Readable {
				t.Errorf("%s: %+v, want %+v", tt.tree, g, want)
			}
		}
	}
	if got := ExamineCPU(tree(t, "amd-energy")); len(got) != 2 || got[1].Name != "package-1" || !strings.HasSuffix(got[1].Path, "energy66_input") {
		t.Errorf("%+v", got)
	}
}

func started(t *testing.T, m *Meter) *Meter {
	t.Helper()
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestCounter(t *testing.T) {
	root := tree(t, "intel-arc")
	m := started(t, New(root))
	from := time.Now()
	time.Sleep(20 * time.Millisecond)
	path := filepath.Join(root, "class/drm/card0/device/hwmon/hwmon4/energy1_input")
	set(t, path, 81234567890+2_000_000)
	r := m.Read(from, time.Now())
	if r.Quality != emissions.Measured || r.Method != "hwmon" || r.Energy < 1_900_000 || r.Energy > 2_000_000 || r.Zones[0].Kind != emissions.GPU || r.Zones[1].Counted {
		t.Errorf("%+v", r)
	}
	set(t, path, 5)
	if r := m.Read(from, time.Now()); r.Quality != emissions.Partial || !strings.Contains(r.Reason, "fell") {
		t.Errorf("a reset: %+v", r)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if r := m.Read(from, time.Now()); r.Quality != emissions.Partial || !strings.Contains(r.Reason, "gone") || r.High <= r.Energy {
		t.Errorf("a card that vanished: %+v", r)
	}
}

func TestPower(t *testing.T) {
	root := tree(t, "amd-cards")
	m := started(t, New(root))
	from := time.Now()
	time.Sleep(300 * time.Millisecond)
	set(t, filepath.Join(root, "class/drm/card2/device/hwmon/hwmon1/power1_input"), 70_000_000)
	time.Sleep(300 * time.Millisecond)
	r := m.Read(from, time.Now())
	want := (150 + 60) * r.End.Sub(from).Seconds()
	if r.Quality != emissions.Measured || math.Abs(r.Energy.Joules()/want-1) > 0.05 || !(r.Low < r.Energy && r.Energy < r.High) {
		t.Errorf("%.2f J, want about %.2f, within (%d, %d): %+v", r.Energy.Joules(), want, r.Low, r.High, r)
	}
	if !strings.Contains(r.Zones[0].Note, "10 Hz") || r.Zones[2].Counted {
		t.Errorf("%+v", r.Zones)
	}
}

func TestAMDEnergy(t *testing.T) {
	root := tree(t, "amd-energy")
	m := started(t, NewCPU(root))
	from := time.Now()
	time.Sleep(20 * time.Millisecond)
	set(t, filepath.Join(root, "class/hwmon/hwmon1/energy65_input"), 6_000_000)
	r := m.Read(from, time.Now())
	if r.Quality != emissions.Measured || r.Method != "amd_energy" || len(r.Zones) != 2 || r.Zones[0].Energy == 0 || r.Zones[0].Kind != emissions.CPU {
		t.Errorf("%+v", r)
	}
}

func TestNothing(t *testing.T) {
	for _, m := range []*Meter{New(t.TempDir()), NewCPU(t.TempDir())} {
		if r := started(t, m).Read(time.Now(), time.Now()); r.Quality != emissions.Unavailable || r.Reason == "" {
			t.Errorf("%+v", r)
		}
	}
	root := tree(t, "amd-energy")
	if err := os.WriteFile(filepath.Join(root, "class/hwmon/hwmon1/energy65_input"), []byte("-3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := ExamineCPU(root); got[0].Readable || !strings.Contains(got[0].Why, "whole number") {
		t.Errorf("%+v", got)
	}
}
