//go:build unix

package rapl

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disteval/disteval/emissions"
)

// zones makes a tree of zones by folder and name, each with a counter at 7 µJ.
func zones(t testing.TB, names map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for id, name := range names {
		dir := filepath.Join(root, "devices/virtual/powercap", strings.SplitN(id, ":", 2)[0], id)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for file, content := range map[string]string{"name": name, "energy_uj": "7", "max_energy_range_uj": "262143328850"} {
			if content == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(content+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func TestPlaces(t *testing.T) {
	tests := []struct {
		name    string
		zones   map[string]string
		counted string
		missing string
	}{
		{"four sockets", map[string]string{"intel-rapl:0": "package-3", "intel-rapl:1": "package-2", "intel-rapl:2": "package-1", "intel-rapl:3": "package-0"},
			"package-0,package-1,package-2,package-3", ""},
		{"memory beside sockets 1 and 2", map[string]string{"intel-rapl:0": "package-1", "intel-rapl:1": "package-2", "intel-rapl:2": "dram", "intel-rapl:3": "dram"},
			"package-1,package-1/dram,package-2,package-2/dram", ""},
		{"memory of another driver", map[string]string{"intel-rapl:0": "package-0", "intel-rapl-mmio:0": "package-0", "intel-rapl-mmio:0:0": "dram"},
			"package-0,package-0/dram (mmio)", ""},
		{"no name", map[string]string{"intel-rapl:0": "package-0", "intel-rapl:1": "", "intel-rapl:1:0": "dram"},
			"dram,package-0", "intel-rapl:1 has no name"},
		{"psys alone", map[string]string{"intel-rapl:0": "psys", "intel-rapl:0:0": "core"},
			"psys", "only psys"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Examine(zones(t, tt.zones))
			var counted []string
			for _, z := range p.Zones {
				if z.Counted {
					counted = append(counted, z.Name)
				}
			}
			if got := strings.Join(counted, ","); got != tt.counted {
				t.Errorf("counted %s, want %s", got, tt.counted)
			}
			if got := strings.Join(p.Missing(), "; "); (got == "") != (tt.missing == "") || !strings.Contains(got, tt.missing) {
				t.Errorf("missing %q, want %q", got, tt.missing)
			}
		})
	}
}

// A file that is written anew in place is empty for a moment, and may be so
// when the meter starts.
func TestWrittenInPlace(t *testing.T) {
	var reads, µJ int
	m := New(zones(t, map[string]string{"intel-rapl:0": "package-0"}))
	m.readFile = func(string) ([]byte, error) {
		switch reads++; {
		case reads <= 20: // in every attempt of the probe and of the first rounds
			return nil, nil
		case reads%3 > 0:
			return nil, nil
		}
		µJ += 1_000_000
		return fmt.Appendln(nil, µJ), nil
	}
	m.open()
	for len(m.counters) > 0 && !m.counters[0].have && reads < 100 {
		m.round()
	}
	from := m.counters[0].last.at
	for range 5 {
		m.round()
	}
	r := m.Read(from, m.counters[0].last.at)
	if r.Quality != emissions.Measured || r.Energy != 5_000_000 || len(r.Gaps) > 0 {
		t.Errorf("%+v, want 5 J measured without a gap", r)
	}
}
