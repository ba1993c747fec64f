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
	for _, tt := range []struct {
		args []string
		says string
	}{
		{nil, "method auto would give: rapl (quality measured)"},
		{[]string{"--json"}, `"rapl"`},
	} {
		var out, messages bytes.Buffer
		args := append([]string{"energy", "probe", "--sysfs", fakeSysfs(t, "one-socket"), "--procfs", fakeProc(t)}, tt.args...)
		if code := run(t.Context(), args, nil, &out, &messages); code != exitDone || !strings.Contains(out.String(), tt.says) || json.Valid(out.Bytes()) != (tt.args != nil) {
			t.Errorf("%v: exit code %d:\n%s%s", tt.args, code, &out, &messages)
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
		if err := energyWatch(ctx, &out, watchOptions{Period: 200 * time.Millisecond, tty: tty}, machine.Options{Sysfs: root, Procfs: fakeProc(t)}); err != nil {
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
	if err := energyWatch(t.Context(), &out, watchOptions{Period: 100 * time.Millisecond, For: 350 * time.Millisecond, JSON: true}, m); err != nil {
		t.Fatal(err)
	}
	var r struct {
		Quality       string   `json:"quality"`
		DurationS     float64  `json:"duration_s"`
		MeasuredShare *float64 `json:"measured_share"`
		Zones         []struct {
			Kind string `json:"kind"`
		} `json:"zones"`
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if r.Quality != "measured" || r.DurationS < 0.35 || r.MeasuredShare != nil || len(r.Zones) != 4 || r.Zones[0].Kind != "cpu" {
		t.Errorf("%+v", r)
	}
	out.Reset()
	if err := energyWatch(t.Context(), &out, watchOptions{Period: 100 * time.Millisecond, For: 350 * time.Millisecond}, m); err != nil {
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
