//go:build unix

package machine

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/emissionstest"
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

func TestMethods(t *testing.T) {
	none := t.TempDir()
	tests := []struct {
		name    string
		cfg     Options
		addr    string
		quality emissions.Quality
		method  string
		says    string
	}{
		{"auto with counters", Options{Sysfs: fakeSysfs(t, "one-socket")}, "", emissions.Measured, "rapl", ""},
		{"auto with a package unreadable", Options{Sysfs: fakeSysfs(t, "unreadable-package")}, "", emissions.Partial, "rapl", "package-1"},
		{"auto without counters", Options{Sysfs: none}, "", emissions.Estimated, "estimate", "4 W (2 to 10)"},
		{"rapl without counters", Options{Method: "rapl", Sysfs: none}, "", emissions.Unavailable, "rapl", "no powercap energy counters"},
		{"nvml without a card", Options{Method: "nvml"}, "", emissions.Unavailable, "nvml", "NVIDIA"},
		{"codecarbon", Options{Method: "codecarbon-2.3"}, "", emissions.Estimated, "codecarbon-2.3", "42.5 W for the processor and 3 W for 8 GB"},
		{"off", Options{Method: "off"}, "", emissions.Unavailable, "off", "metering is off"},
		{"remote", Options{Sysfs: fakeSysfs(t, "one-socket")}, "192.0.2.1:11434", emissions.Unavailable, "auto", "another machine"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Procfs, tt.cfg.LockDir = fakeProc(t), t.TempDir()
			m, err := Start(t.Context(), tt.cfg, []string{tt.addr})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			from := time.Now()
			time.Sleep(20 * time.Millisecond)
			r := m.Of(tt.addr).Read(from, time.Now())
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
	m, err := Start(t.Context(), Options{Sysfs: fakeSysfs(t, "one-socket"), Procfs: withGPU, LockDir: t.TempDir()}, []string{""})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if r := m.Of("").Read(time.Now().Add(-time.Millisecond), time.Now()); r.Quality != emissions.Partial || !strings.Contains(r.Reason, "nvml") {
		t.Errorf("an accelerator that is not metered goes unsaid: %+v", r)
	}
	if _, err := Start(t.Context(), Options{Method: "guess"}, []string{""}); err == nil || !strings.Contains(err.Error(), "guess") {
		t.Errorf("method guess: %v", err)
	}
}

// Of a probe only what each source says of itself decides.
func TestChosen(t *testing.T) {
	cpu := func(q emissions.Quality) Finding {
		return Finding{Method: "rapl", Kind: emissions.CPU, Quality: q, Present: true}
	}
	load := Finding{Method: "estimate", Kind: emissions.CPU, Quality: emissions.Estimated, Present: true}
	gpu := func(q emissions.Quality, present bool) Finding {
		return Finding{Method: "nvml", Kind: emissions.GPU, Quality: q, Present: present}
	}
	for _, tt := range []struct {
		all  []Finding
		want string
	}{
		{[]Finding{cpu(emissions.Measured), load, gpu(emissions.Unavailable, false)}, "rapl"},
		{[]Finding{cpu(emissions.Partial), load, gpu(emissions.Measured, true)}, "rapl nvml"},
		{[]Finding{cpu(emissions.Measured), load, gpu(emissions.Unavailable, true)}, "rapl nvml"},
		{[]Finding{cpu(emissions.Unavailable), load, gpu(emissions.Unavailable, false)}, "estimate"},
		{[]Finding{cpu(emissions.Unavailable), load, gpu(emissions.Measured, true)}, "estimate nvml"},
	} {
		var got []string
		for _, f := range chosen(tt.all) {
			got = append(got, f.Method)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%v, want %s", got, tt.want)
		}
	}
}

func TestExamine(t *testing.T) {
	proc := fakeProc(t)
	p := Examine(t.Context(), Options{Sysfs: fakeSysfs(t, "one-socket"), Procfs: proc})
	if p.Quality != emissions.Measured || !slices.Equal(p.Auto, []string{"rapl"}) || len(p.Without) > 0 {
		t.Errorf("%+v", p)
	}
	if err := os.MkdirAll(filepath.Join(proc, "driver/nvidia/gpus/0000:01:00.0"), 0o755); err != nil {
		t.Fatal(err)
	}
	p = Examine(t.Context(), Options{Sysfs: fakeSysfs(t, "one-socket"), Procfs: proc})
	if p.Quality != emissions.Partial || !slices.Equal(p.Without, []string{"NVIDIA accelerators"}) {
		t.Errorf("with an accelerator that cannot be read: %+v", p)
	}
}

func TestStart(t *testing.T) {
	o := Options{Sysfs: fakeSysfs(t, "one-socket"), Procfs: fakeProc(t), LockDir: t.TempDir()}
	m, err := Start(t.Context(), o, []string{"", "192.0.2.1:11434", "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	from := time.Now()
	time.Sleep(5 * time.Millisecond)
	if here, there := m.Of("").Read(from, time.Now()), m.Of("192.0.2.1:11434").Read(from, time.Now()); here.Quality != emissions.Measured || there.Quality != emissions.Unavailable {
		t.Errorf("here %s, on another machine %s", here.Quality, there.Quality)
	} else if w := strings.Join(here.Warnings, "; "); strings.Contains(w, "overlaps") {
		t.Errorf("two servers of one run pass for two runs: %s", w)
	}
}

func TestExporters(t *testing.T) {
	start := time.Now()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "node_rapl_package_joules_total{index=\"0\"} %g\n", 1000+50*time.Since(start).Seconds())
	}))
	defer s.Close()
	o := Options{Sysfs: fakeSysfs(t, "one-socket"), Procfs: fakeProc(t), LockDir: t.TempDir(), Exporters: []string{s.URL}}
	read := func(servers ...string) emissions.Reading {
		t.Helper()
		m, err := Start(t.Context(), o, servers)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		from := time.Now()
		time.Sleep(300 * time.Millisecond)
		return emissions.ReadWhole(m.Of(servers[0]), from, time.Now())
	}
	if r := read("127.0.0.1:11434"); r.Quality != emissions.Measured || r.Method != "exporter" || strings.Contains(strings.Join(r.Warnings, ";"), "by name") {
		t.Errorf("on this machine: %s by %s: %s; %q", r.Quality, r.Method, r.Reason, r.Warnings)
	}
	if r := read("192.0.2.1:11434"); r.Quality != emissions.Measured || !strings.Contains(strings.Join(r.Warnings, ";"), "no exporter is on the model server's host 192.0.2.1 by name") {
		t.Errorf("on another machine: %s by %s: %s; %q", r.Quality, r.Method, r.Reason, r.Warnings)
	}
	if r := read("192.0.2.1:11434", "127.0.0.1:11434"); r.Quality != emissions.Unavailable || !strings.Contains(r.Reason, "emissions.exporters") {
		t.Errorf("on another machine, beside the exporter's: %s by %s: %s", r.Quality, r.Method, r.Reason)
	}
	p := Examine(t.Context(), o)
	if f := p.Findings[len(p.Findings)-1]; f.Method != "exporter" || f.Quality != emissions.Measured || len(f.Zones) != 1 {
		t.Errorf("%+v", f)
	}
	o.Method = "rapl"
	if _, err := Start(t.Context(), o, []string{""}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("rapl beside exporters: %v", err)
	}
}
