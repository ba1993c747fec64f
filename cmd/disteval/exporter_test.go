package main_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions/emissionstest"
)

// nodeExporter starts the real one over a sysfs and returns its address.
func nodeExporter(t *testing.T, sysfs string) string {
	t.Helper()
	path, err := exec.LookPath("prometheus-node-exporter")
	if err != nil {
		if os.Getenv("DISTEVAL_NO_SKIP") != "" {
			t.Fatal("needs node_exporter: apt-get install prometheus-node-exporter")
		}
		t.Skip("prometheus-node-exporter is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--path.sysfs="+sysfs, "--collector.disable-defaults", "--collector.rapl", "--web.listen-address="+addr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	url := "http://" + addr + "/metrics"
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get(url)
		if err != nil {
			continue
		}
		text, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if strings.Contains(string(text), "node_rapl_package_joules_total") {
			return url
		}
	}
	t.Fatal("node_exporter shows no counter")
	return ""
}

// TestRealNodeExporter meters a run by the real node_exporter, over counters
// that turn at a known power. This machine's own sysfs shows the same
// counters: no joule is read twice.
func TestRealNodeExporter(t *testing.T) {
	sysfs := t.TempDir()
	if err := emissionstest.WriteTree(sysfs, "two-sockets"); err != nil {
		t.Fatal(err)
	}
	if err := emissionstest.Flatten(sysfs); err != nil {
		t.Fatal(err)
	}
	d, err := emissionstest.NewDriver(sysfs, map[string]float64{"intel-rapl:0": 120, "intel-rapl:0:0": 15, "intel-rapl:1": 90, "intel-rapl:1:0": 12})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	url := nodeExporter(t, sysfs)
	got := meteredRun(t, sysfs, fmt.Sprintf("auto, exporters: [%q]", url), func(*os.Process) {})
	if got.Energy.Wh == nil || got.Energy.Quality != "measured" || got.Energy.Method != "exporter" {
		t.Fatalf("%+v", got)
	}
	want := (120 + 15 + 90 + 12) * got.Duration / 3600
	if off := *got.Energy.Wh/want - 1; off < -0.01 || off > 0.01 {
		t.Errorf("%.6f Wh in %.2f s; the truth is %.6f, off by %.2f %%", *got.Energy.Wh, got.Duration, want, 100*off)
	}
}

// TestNVIDIACard meters a run by the stand-in for NVIDIA's library, loaded by
// the same code as the real one, with an estimate of the processor beside it.
func TestNVIDIACard(t *testing.T) {
	n := emissionstest.NewNVML(t, emissionstest.Card{Name: "NVIDIA H200", UUID: "GPU-aa", Watts: 350})
	t.Setenv("LD_LIBRARY_PATH", n.Dir())
	out, err := program(t, t.TempDir(), nil, "energy", "probe", "--sysfs", filepath.Join(t.TempDir(), "none")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "(nvml): measured") || !strings.Contains(string(out), "gpu-0 NVIDIA H200") || !strings.Contains(string(out), "estimate and nvml (quality partial)") {
		t.Fatalf("%v\n%s", err, out)
	}
	got := meteredRun(t, t.TempDir(), "nvml", func(*os.Process) {})
	if got.Energy.Wh == nil || got.Energy.Quality != "measured" || got.Energy.Method != "nvml" {
		t.Fatalf("%+v", got)
	}
	want := 350 * got.Duration / 3600
	if off := *got.Energy.Wh/want - 1; off < -0.01 || off > 0.01 {
		t.Errorf("%.6f Wh in %.2f s; the truth is %.6f, off by %.2f %%", *got.Energy.Wh, got.Duration, want, 100*off)
	}
}
