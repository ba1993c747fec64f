//go:build unix

package text

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/emissionstest"
	"github.com/disteval/disteval/emissions/machine"
)

func TestWriteProbe(t *testing.T) {
	for tree, says := range map[string][]string{
		"one-socket":         {"(rapl): measured", "package-0/dram", "wraps at 262.1 kJ", "shown, not summed", "method auto would give: rapl (quality measured)"},
		"unreadable-package": {"(rapl): partial", "package-1 cannot be read", "quality partial"},
		"dtpm-only":          {"(rapl): unavailable", "emissions.sysfs", "method auto would give: nothing without Load of the host"},
	} {
		root := t.TempDir()
		if err := emissionstest.WriteTree(root, tree); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := WriteProbe(&out, machine.Examine(t.Context(), machine.Options{Sysfs: root, Procfs: t.TempDir()})); err != nil {
			t.Fatal(err)
		}
		for _, want := range says {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in\n%s", tree, want, out.String())
			}
		}
	}
}

// TestWriteReading has a zone's name try to break out of its line.
func TestWriteReading(t *testing.T) {
	start := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	r := emissions.Reading{Start: start, End: start.Add(2 * time.Second), Energy: 20_000_000, Low: 20_000_000, High: 30_000_000,
		Quality: emissions.Estimated, Method: "estimate", Zones: []emissions.Zone{
			{Name: "package-0\x1b[31m\n::error::x", Energy: 20_000_000, Counted: true}, {Name: "psys-0", Energy: 40_000_000}}}
	var line, table, script strings.Builder
	if err := WriteReading(&line, r); err != nil {
		t.Fatal(err)
	}
	want := `2026-01-02T15:04:07Z total 10.0 W estimated (10.0 to 15.0 W)  package-0\x1b[31m\n::error::x 10.0 W  [psys-0 20.0 W]` + "\n"
	if line.String() != want {
		t.Errorf("got\n%swant\n%s", line.String(), want)
	}
	screen := WatchScreen{Out: &table}
	for range 2 {
		if err := screen.Draw(r); err != nil {
			t.Fatal(err)
		}
	}
	if got := table.String(); strings.Count(got, "\x1b[") != 2 || !strings.Contains(got, "\x1b[4A\x1b[J") || strings.Count(got, "\n") != 8 {
		t.Errorf("the table is\n%q", got)
	}
	if err := WriteReadingJSON(&script, r); err != nil {
		t.Fatal(err)
	}
	var back readingJSON
	if err := json.Unmarshal([]byte(script.String()), &back); err != nil || back.MeanW != 10 || back.Zones[1].MeanW != 20 || back.Gaps == nil || back.Warnings == nil {
		t.Errorf("%v, %+v", err, back)
	}
}

// TestWatchScreenFits: no line is wider and no table higher than the terminal,
// and what is drawn over is what was drawn.
func TestWatchScreenFits(t *testing.T) {
	start := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	r := emissions.Reading{Start: start, End: start.Add(time.Second), Energy: 400_000_000, Quality: emissions.Measured, Method: "exporter"}
	for i := range 40 {
		r.Zones = append(r.Zones, emissions.Zone{Name: fmt.Sprintf("gpu-%d NVIDIA H200 (gpu1.example:9400)", i), Energy: 10_000_000, Counted: true, Note: `DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0"}`})
	}
	for _, size := range [][2]int{{80, 24}, {40, 50}, {20, 10}, {10, 3}, {1, 1}, {200, 0}, {0, 0}} {
		var out strings.Builder
		screen := WatchScreen{Out: &out, Size: func() (int, int) { return size[0], size[1] }}
		for range 70 {
			out.Reset()
			if err := screen.Draw(r); err != nil {
				t.Fatal(err)
			}
		}
		up, table, _ := strings.Cut(out.String(), "\x1b[J")
		lines := strings.Split(strings.TrimSuffix(table, "\n"), "\n")
		if up != fmt.Sprintf("\x1b[%dA", len(lines)) || size[1] > 1 && len(lines) > size[1]-1 || size[1] == 0 && len(lines) != 42 {
			t.Errorf("%v: %d lines, drawn over by %q", size, len(lines), up)
		}
		for _, line := range lines {
			if n := columns(line); size[0] > 0 && n > size[0] {
				t.Errorf("%v: a line of %d columns: %q", size, n, line)
			}
		}
		if last := lines[len(lines)-1]; size[0] >= 20 && !strings.Contains(last, "400.0") {
			t.Errorf("%v: the last line is %q, not the total", size, last)
		}
		if size == [2]int{80, 24} && (!strings.Contains(table, "… 20 more zones") || !strings.Contains(table, "gpu-0 NVIDIA H200") || strings.Count(lines[1], "█") < 40) {
			t.Errorf("%s", table)
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
