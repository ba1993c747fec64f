//go:build linux && (amd64 || arm64) && cgo && !static

package nvml

import (
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/disteval/disteval/emissions/emissionstest"
)

// TestSecondOpinion asks NVIDIA's own Go bindings the same questions, of the
// stand-in and, where there is one, of the machine's own library.
func TestSecondOpinion(t *testing.T) {
	t.Run("stand-in", func(t *testing.T) { compare(t, emissionstest.NewNVML(t, h200, p100).Path) })
	t.Run("machine", func(t *testing.T) {
		if p := Examine(); p.Reason != "" {
			t.Logf("nothing to compare: %s", p.Reason)
			return
		}
		compare(t, libraryName)
	})
}

func compare(t *testing.T, path string) {
	lib, cards, _, err := open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer lib.close()
	theirs := nvml.New(nvml.WithLibraryPath(path))
	if ret := theirs.Init(); ret != nvml.SUCCESS {
		t.Fatal(ret)
	}
	defer theirs.Shutdown()
	if n, ret := theirs.DeviceGetCount(); ret != nvml.SUCCESS || n != len(cards) {
		t.Fatalf("%d cards, theirs are %d, %v", len(cards), n, ret)
	}
	for i, c := range cards {
		d, ret := theirs.DeviceGetHandleByIndex(i)
		if ret != nvml.SUCCESS {
			t.Fatal(ret)
		}
		name, _ := d.GetName()
		uuid, _ := d.GetUUID()
		if c.Name != "gpu-"+string(rune('0'+i))+" "+name || c.UUID != uuid {
			t.Errorf("%q %q, theirs %q %q", c.Name, c.UUID, name, uuid)
		}
		before, err := c.millijoules()
		mJ, ret := d.GetTotalEnergyConsumption()
		after, _ := c.millijoules()
		if c.Integrated != (ret == nvml.ERROR_NOT_SUPPORTED) {
			t.Errorf("%s: %v, theirs %v", c.Name, err, ret)
		} else if !c.Integrated && (mJ < before || mJ > after) {
			t.Errorf("%s: %d to %d mJ, theirs %d", c.Name, before, after, mJ)
		}
		pids, _ := c.users()
		infos, _ := d.GetComputeRunningProcesses()
		if len(pids) < len(infos) || len(infos) > 0 && pids[0] != int(infos[0].Pid) {
			t.Errorf("%s: processes %v, theirs %v", c.Name, pids, infos)
		}
	}
}
