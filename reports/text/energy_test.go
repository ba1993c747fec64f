//go:build unix

package text

import (
	"encoding/json"
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

func TestSparkline(t *testing.T) {
	if got := sparkline([]float64{0, 50, 100, 25, -3}); got != "▁▅█▃▁" {
		t.Errorf("%s", got)
	}
	if got := sparkline([]float64{0, 0}); got != "▁▁" {
		t.Errorf("%s", got)
	}
}
