//go:build linux && (amd64 || arm64) && !static

package machine

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/codecarbon"
	"github.com/disteval/disteval/emissions/emissionstest"
)

// codeCarbon3W is the power that CodeCarbon 3 reckons with, in W, by its
// documented formulas: a processor without a counter draws TDP × (0.1 + 0.9 ×
// load³), the TDP of one that it does not know is 4 W a thread, and memory
// draws 5 W a module, of which it assumes 2 to 16 GB, 4 to 64 and 8 to 128;
// the fifth to eighth draw 90 % each, and all together at least 10 W.
func codeCarbon3W(counterW, tdpW, load, memoryGB, cardW float64) float64 {
	cpu := counterW
	if cpu == 0 {
		cpu = tdpW * (0.1 + 0.9*load*load*load)
	}
	memory := 10.0
	switch {
	case memoryGB > 64:
		memory = 4*5 + 4*5*0.9
	case memoryGB > 16:
		memory = 4 * 5
	}
	return cpu + memory + cardW
}

// TestBesideCodeCarbon makes machines and meters them: the figures of the
// table in docs/energy.md, which -v shows.
func TestBesideCodeCarbon(t *testing.T) {
	if dir := os.Getenv("BESIDE_CODECARBON"); dir != "" {
		besideCodeCarbon(t, dir)
		return
	}
	n := emissionstest.NewNVML(t, emissionstest.Card{Name: "Card", UUID: "GPU-a", Watts: 350})
	cmd := exec.Command(os.Args[0], "-test.run=^TestBesideCodeCarbon$", "-test.v")
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+n.Dir(), "BESIDE_CODECARBON="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func besideCodeCarbon(t *testing.T, dir string) {
	counters := fakeSysfs(t, "one-socket")
	d, err := emissionstest.NewDriver(counters, map[string]float64{"intel-rapl:0": 100, "intel-rapl:0:2": 20})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	none := t.TempDir()
	for _, m := range []struct {
		name           string
		sysfs, cpu     string
		threads        int
		load, memoryGB float64
		card           bool
		tdpW, counterW float64 // of which CodeCarbon knows
		quality        emissions.Quality
		want           float64 // W, ours
	}{
		{"counters: processor 100 W, memory 20 W of 128 GB", counters, "X", 8, 0.5, 128, false, 0, 100, emissions.Measured, 120},
		{"the same and a card of 350 W", counters, "X", 8, 0.5, 128, true, 0, 100, emissions.Measured, 470},
		{"no counter, EPYC 7742 at half load, 128 GB", none, "AMD EPYC 7742 64-Core Processor", 128, 0.5, 128, false, 225, 0, emissions.Estimated, 135 + 20},
		{"no counter, unknown processor of 8 threads at rest, 16 GB", none, "X", 8, 0, 16, false, 32, 0, emissions.Estimated, 6.4 + 4},
		{"the same with a card of 350 W", none, "X", 8, 0, 16, true, 32, 0, emissions.Partial, 350 + 6.4 + 4},
	} {
		proc := filepath.Join(dir, m.name)
		if err := os.MkdirAll(proc, 0o755); err != nil {
			t.Fatal(err)
		}
		write := func(name, text string) {
			if err := os.WriteFile(filepath.Join(proc, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		busy := func(seconds float64) {
			text := fmt.Sprintf("cpu %d 0 0 100\n", 1000+int(100*seconds*m.load*float64(m.threads)))
			for i := range m.threads {
				text += fmt.Sprintf("cpu%d 0 0 0 0\n", i)
			}
			write("stat", text)
		}
		busy(0)
		write("cpuinfo", "model name : "+m.cpu+"\n")
		write("meminfo", fmt.Sprintf("MemTotal: %d kB\n", int(m.memoryGB)<<20))
		o := Options{Sysfs: m.sysfs, Procfs: proc, LockDir: dir}
		if !m.card {
			o.Method = "rapl"
			if m.sysfs == none {
				o.Method = "estimate"
			}
		}
		meters, err := Start(t.Context(), o, []string{""})
		if err != nil {
			t.Fatal(err)
		}
		meter := meters.Of("")
		from := d.Turn() // the driver's own turns come late on a busy machine
		meter.Read(from, from)
		time.Sleep(1100 * time.Millisecond) // not at the moment of a sample
		busy(time.Since(from).Seconds())
		to := d.Turn()
		r := meter.Read(from, to)
		if err := meters.Close(); err != nil {
			t.Error(err)
		}
		low, high := r.BoundsW()
		cpuW, ramW := codecarbon.ConstantW(m.tdpW, m.memoryGB)
		cardW := 0.0
		if m.card {
			cardW = 350
		}
		fmt.Printf("%-60s CodeCarbon 2.3 constant %.1f W, CodeCarbon 3 %.1f W, here %.1f W (%.1f to %.1f), %s, measured share %.2f\n", m.name,
			cpuW+ramW+cardW, codeCarbon3W(m.counterW, m.tdpW, m.load, m.memoryGB, cardW), r.MeanW(), low, high, r.Quality, *r.MeasuredShare())
		if r.Quality != m.quality || math.Abs(r.MeanW()/m.want-1) > 0.05 {
			t.Errorf("%s: %.1f W, %s; want %.1f W, %s: %s", m.name, r.MeanW(), r.Quality, m.want, m.quality, r.Reason)
		}
	}
}
