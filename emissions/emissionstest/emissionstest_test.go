//go:build unix

package emissionstest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWriteTree(t *testing.T) {
	for _, name := range Trees() {
		if err := WriteTree(t.TempDir(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := WriteTree(t.TempDir(), "none"); err == nil || !strings.Contains(err.Error(), "one-socket") {
		t.Errorf("%v does not name the trees", err)
	}
}

func TestDriver(t *testing.T) {
	root := t.TempDir()
	if err := WriteTree(root, "one-socket"); err != nil {
		t.Fatal(err)
	}
	d, err := NewDriver(root, map[string]float64{"intel-rapl:0": 10})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "class/powercap/intel-rapl/intel-rapl:0/energy_uj")
	time.Sleep(30 * time.Millisecond)
	d.Turn() // the driver's own turns may come late
	if n, err := readNumber(path); err != nil || n <= 1_000_000 {
		t.Errorf("the counter stands at %d, %v", n, err)
	}
	d.Fail("intel-rapl:0")
	if _, err := os.Stat(path); err == nil {
		t.Error("a failing counter can be read")
	}
	d.Restore("intel-rapl:0")
	d.StepTo("intel-rapl:0", 0)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := readNumber(path); err != nil || n > 900_000 {
		t.Errorf("after a step back the counter stands at %d, %v", n, err)
	}
	if _, err := NewDriver(root, map[string]float64{"intel-rapl:9": 1}); err == nil {
		t.Error("drives a zone that is not there")
	}
}
