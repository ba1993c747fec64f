//go:build unix

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions/emissionstest"
	"github.com/disteval/disteval/emissions/machine"
)

func fakeSysfs(t *testing.T, tree string) string {
	t.Helper()
	root := t.TempDir()
	if err := emissionstest.WriteTree(root, tree); err != nil {
		t.Fatal(err)
	}
	return root
}

// fakeProc is a /proc of two processors that do nothing.
func fakeProc(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"stat": "cpu 100 0 0 100\ncpu0 50 0 0 50\ncpu1 50 0 0 50\n", "meminfo": "MemTotal: 8388608 kB\n", "cpuinfo": "model name : Odd\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestEnergyProbe(t *testing.T) {
	for tree, says := range map[string][]string{
		"one-socket":         {"(rapl): measured", "package-0/dram", "wraps at 262.1 kJ", "shown, not summed", "method auto would give: rapl (quality measured)"},
		"unreadable-package": {"(rapl): partial", "package-1 cannot be read", "quality partial"},
		"dtpm-only":          {"(rapl): unavailable", "emissions.sysfs", "method auto would give: estimate (quality estimated)"},
	} {
		var out bytes.Buffer
		if err := energyProbe(&out, machine.Examine(t.Context(), machine.Options{Sysfs: fakeSysfs(t, tree), Procfs: fakeProc(t)})); err != nil {
			t.Fatal(err)
		}
		for _, want := range says {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in\n%s", tree, want, out.String())
			}
		}
	}
}

func TestEnergyWatch(t *testing.T) {
	root := fakeSysfs(t, "one-socket")
	d, err := emissionstest.NewDriver(root, map[string]float64{"intel-rapl:0": 100, "intel-rapl:0:2": 20})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, tty := range []bool{false, true} {
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		var out bytes.Buffer
		if err := energyWatch(ctx, &out, tty, watchOptions{Period: 200 * time.Millisecond}, machine.Options{Sysfs: root, Procfs: fakeProc(t)}); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "total"); n < 2 || n > 4 {
			t.Errorf("%d lines:\n%s", n, out.String())
		}
		if got := strings.Contains(out.String(), "\x1b["); got != tty {
			t.Errorf("tty %v, control codes %v", tty, got)
		}
		if !strings.Contains(out.String(), "package-0/dram") || !strings.Contains(out.String(), "measured") {
			t.Error(out.String())
		}
	}
}

func TestEnergyWatchFor(t *testing.T) {
	m := machine.Options{Sysfs: fakeSysfs(t, "one-socket"), Procfs: fakeProc(t)}
	var out bytes.Buffer
	if err := energyWatch(t.Context(), &out, false, watchOptions{Period: 100 * time.Millisecond, For: 350 * time.Millisecond, JSON: true}, m); err != nil {
		t.Fatal(err)
	}
	var r readingJSON
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if r.Quality != "measured" || r.DurationS < 0.35 || r.MeasuredShare != nil || len(r.Zones) != 4 || r.Zones[0].Kind != "cpu" {
		t.Errorf("%+v", r)
	}
	out.Reset()
	if err := energyWatch(t.Context(), &out, false, watchOptions{Period: 100 * time.Millisecond, For: 350 * time.Millisecond}, m); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n < 3 || !strings.Contains(out.String(), "\nwhole 0.") {
		t.Errorf("%d lines:\n%s", n, out.String())
	}
	for _, o := range []watchOptions{{Period: time.Millisecond}, {Period: time.Second, For: -1}} {
		if o.check() == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestSparkline(t *testing.T) {
	if got := sparkline([]float64{0, 50, 100, 25, -3}); got != "▁▅█▃▁" {
		t.Errorf("%s", got)
	}
	if got := sparkline([]float64{0, 0}); got != "▁▁" {
		t.Errorf("%s", got)
	}
}
