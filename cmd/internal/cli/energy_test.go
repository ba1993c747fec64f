//go:build unix

package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/audit"
	"github.com/disteval/disteval/emissions/emissionstest"
	"github.com/disteval/disteval/emissions/nvml"
	"github.com/disteval/disteval/emissions/rapl"
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

func TestNewMeter(t *testing.T) {
	none := t.TempDir()
	tests := []struct {
		name    string
		cfg     MeterConfig
		quality emissions.Quality
		method  string
		says    string
	}{
		{"auto with counters", MeterConfig{Sysfs: fakeSysfs(t, "one-socket")}, emissions.Measured, "rapl", ""},
		{"auto with a package unreadable", MeterConfig{Sysfs: fakeSysfs(t, "unreadable-package")}, emissions.Partial, "rapl", "package-1"},
		{"auto without counters", MeterConfig{Sysfs: none}, emissions.Estimated, "estimate", "4 W (2 to 10)"},
		{"rapl without counters", MeterConfig{Method: "rapl", Sysfs: none}, emissions.Unavailable, "rapl", "no powercap energy counters"},
		{"nvml that is not built in", MeterConfig{Method: "nvml"}, emissions.Unavailable, "nvml", "nvml"},
		{"codecarbon", MeterConfig{Method: "codecarbon-2.3"}, emissions.Estimated, "codecarbon-2.3", "42.5 W for the processor and 3 W for 8 GB"},
		{"off", MeterConfig{Method: "off"}, emissions.Unavailable, "off", "metering is off"},
		{"remote", MeterConfig{Sysfs: fakeSysfs(t, "one-socket"), ServerAddr: "192.0.2.1:11434"}, emissions.Unavailable, "auto", "another machine"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Procfs, tt.cfg.LockDir = fakeProc(t), t.TempDir()
			m, err := newMeter(tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			from := time.Now()
			time.Sleep(20 * time.Millisecond)
			r := m.Read(from, time.Now())
			if r.Quality != tt.quality || r.Method != tt.method {
				t.Errorf("%s by %s, want %s by %s: %s", r.Quality, r.Method, tt.quality, tt.method, r.Reason)
			}
			if all := r.Reason + strings.Join(r.Warnings, "\n"); !strings.Contains(all, tt.says) {
				t.Errorf("%q does not say %q", all, tt.says)
			}
		})
	}
	withGPU := fakeProc(t)
	if err := os.MkdirAll(filepath.Join(withGPU, "driver/nvidia/gpus/0000:01:00.0"), 0o755); err != nil {
		t.Fatal(err)
	}
	m, err := newMeter(MeterConfig{Sysfs: fakeSysfs(t, "one-socket"), Procfs: withGPU, LockDir: t.TempDir()})
	if err != nil || m.Start(t.Context()) != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if r := m.Read(time.Now().Add(-time.Millisecond), time.Now()); r.Quality != emissions.Partial || !strings.Contains(r.Reason, "nvml") {
		t.Errorf("an accelerator that is not metered goes unsaid: %+v", r)
	}
	if _, err := newMeter(MeterConfig{Method: "guess"}); err == nil || !strings.Contains(err.Error(), "guess") {
		t.Errorf("method guess: %v", err)
	}
}

func TestEnergyProbe(t *testing.T) {
	for tree, says := range map[string][]string{
		"one-socket":         {"(rapl): measured", "package-0/dram", "wraps at 262.1 kJ", "shown, not summed", "method auto would give: rapl (quality measured)"},
		"unreadable-package": {"(rapl): partial", "package-1 cannot be read", "quality partial"},
		"dtpm-only":          {"(rapl): unavailable", "emissions.sysfs", "an estimate by load"},
	} {
		var out bytes.Buffer
		if err := energyProbe(&out, fakeSysfs(t, tree), fakeProc(t)); err != nil {
			t.Fatal(err)
		}
		for _, want := range says {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in\n%s", tree, want, out.String())
			}
		}
	}
}

func TestAutoQuality(t *testing.T) {
	none := nvml.Probe{Reason: "no"}
	whole, absent := rapl.Examine(fakeSysfs(t, "one-socket")), rapl.Examine(t.TempDir())
	for _, tt := range []struct {
		cpu    rapl.Probe
		gpu    nvml.Probe
		hasGPU bool
		want   string
	}{
		{whole, none, false, "rapl (quality measured)"},
		{whole, nvml.Probe{}, true, "rapl and nvml (quality measured)"},
		{whole, none, true, "rapl without the NVIDIA accelerator (quality partial)"},
		{absent, none, false, "an estimate by load (quality estimated)"},
		{absent, nvml.Probe{}, true, "an estimate by load and nvml (quality estimated)"},
	} {
		if got := autoQuality(tt.cpu, tt.gpu, tt.hasGPU); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
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
		if err := energyWatch(ctx, &out, tty, 200*time.Millisecond, root, fakeProc(t)); err != nil {
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

func TestRunAudit(t *testing.T) {
	var out bytes.Buffer
	bad, err := runAudit(&out, nil, "published")
	if err != nil || !bad {
		t.Errorf("%v %v", bad, err)
	}
	for _, want := range []string{"rows 1 and 3 = 72.5 W × 501.7 g/kWh", "about 212", "0.34 W", "assumed, not measured"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	var in *audit.InputError
	if _, err := runAudit(&out, strings.NewReader("name,duration_s,emissions_kg\na,1,b\n"), "x.csv"); !errors.As(err, &in) || !strings.Contains(err.Error(), "audit x.csv: line 2") {
		t.Errorf("%v", err)
	}
	if bad, err := runAudit(&out, strings.NewReader("name,duration_s,emissions_kg,country\na,100,0.00150,DEU\n"), "x.csv"); err != nil || bad {
		t.Errorf("%v %v", bad, err)
	}
}
