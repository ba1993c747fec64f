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

	"github.com/disteval/disteval/emissions/audit"
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
		if err := energyProbe(&out, machine.Examine(machine.Options{Sysfs: fakeSysfs(t, tree), Procfs: fakeProc(t)})); err != nil {
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
		if err := energyWatch(ctx, &out, tty, 200*time.Millisecond, machine.Options{Sysfs: root, Procfs: fakeProc(t)}); err != nil {
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
