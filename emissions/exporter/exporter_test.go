package exporter

import (
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
)

// serve answers with text, in which %s stands for the joules of a counter
// that turns at 100 W from 1,000 J on.
func serve(t *testing.T, text string) *httptest.Server {
	t.Helper()
	start := time.Now()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		j := 1000 + 100*time.Since(start).Seconds()
		_, _ = io.WriteString(w, strings.NewReplacer("%s", fmt.Sprint(j), "%mJ", fmt.Sprintf("%.0f", 1000*j), "%half", fmt.Sprint(j/2)).Replace(text))
	}))
	t.Cleanup(s.Close)
	return s
}

func started(t *testing.T, urls ...string) *Meter {
	t.Helper()
	m, err := New(urls)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// whole is the reading of some time, whose end was waited for.
func whole(m *Meter, d time.Duration) emissions.Reading {
	from := time.Now()
	time.Sleep(d)
	return emissions.ReadWhole(m, from, time.Now())
}

const nodeExporter = `# HELP go_goroutines Number of goroutines that currently exist.
# TYPE go_goroutines gauge
go_goroutines 8
# HELP node_rapl_package_joules_total Current RAPL package value in joules
# TYPE node_rapl_package_joules_total counter
node_rapl_package_joules_total{index="0",path="/sys/class/powercap/intel-rapl:0"} %s
node_rapl_package_joules_total{index="0",path="/sys/class/powercap/intel-rapl-mmio:0"} %s
node_rapl_package_joules_total{index="1",path="/sys/class/powercap/intel-rapl:1"} %s
# TYPE node_rapl_dram_joules_total counter
node_rapl_dram_joules_total{index="0",path="/sys/class/powercap/intel-rapl:0:0"} %s
# TYPE node_rapl_core_joules_total counter
node_rapl_core_joules_total{index="0",path="/sys/class/powercap/intel-rapl:0:1"} %s
# TYPE node_rapl_psys_joules_total counter
node_rapl_psys_joules_total{index="0",path="/sys/class/powercap/intel-rapl:2"} %s
`

const dcgmExporter = `# HELP DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION Total energy consumption since boot (in mJ).
# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-aa",device="nvidia0",modelName="NVIDIA H100",Hostname="gpu1"} %mJ
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-aa",device="nvidia0",modelName="NVIDIA H100",GPU_I_ID="1",Hostname="gpu1"} %mJ
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="1",UUID="GPU-bb",device="nvidia1",modelName="NVIDIA H100",Hostname="gpu1"} %mJ
`

const kepler10 = `# TYPE kepler_node_cpu_joules_total counter
kepler_node_cpu_joules_total{node_name="n",path="intel-rapl:0",zone="package"} %s
kepler_node_cpu_joules_total{node_name="n",path="intel-rapl:0:0",zone="core"} %s
kepler_node_cpu_joules_total{node_name="n",path="intel-rapl:0:1",zone="dram"} %s
# TYPE kepler_node_cpu_active_joules_total counter
kepler_node_cpu_active_joules_total{node_name="n",path="intel-rapl:0",zone="package"} %half
# TYPE kepler_node_cpu_idle_joules_total counter
kepler_node_cpu_idle_joules_total{node_name="n",path="intel-rapl:0",zone="package"} %half
# TYPE kepler_process_cpu_joules_total counter
kepler_process_cpu_joules_total{pid="1",zone="package"} %s
`

const keplerSplit = `# TYPE kepler_node_cpu_active_joules_total counter
kepler_node_cpu_active_joules_total{node_name="n",path="intel-rapl:0",zone="package"} %half
# TYPE kepler_node_cpu_idle_joules_total counter
kepler_node_cpu_idle_joules_total{node_name="n",path="intel-rapl:0",zone="package"} %half
`

const kepler07 = `# TYPE kepler_node_package_joules_total counter
kepler_node_package_joules_total{instance="n",mode="dynamic",package="0",source="rapl-sysfs"} %half
kepler_node_package_joules_total{instance="n",mode="idle",package="0",source="rapl-sysfs"} %half
# TYPE kepler_node_platform_joules_total counter
kepler_node_platform_joules_total{instance="n",mode="dynamic",source="acpi"} %half
`

func TestExporters(t *testing.T) {
	tests := []struct {
		name    string
		text    []string
		watts   float64
		counted string
		quality emissions.Quality
	}{
		{"node_exporter", []string{nodeExporter}, 300, "dram-0 package-0 package-1", emissions.Measured},
		{"DCGM, a card in instances", []string{dcgmExporter}, 200, "gpu-0 gpu-1", emissions.Measured},
		{"Kepler, whole beside parts", []string{kepler10}, 200, "package dram", emissions.Measured},
		{"Kepler, in parts", []string{keplerSplit}, 100, "package", emissions.Measured},
		{"Kepler of before 0.10", []string{kepler07}, 100, "package-0", emissions.Measured},
		{"Kepler's model", []string{strings.ReplaceAll(kepler07, "rapl-sysfs", "trained_power_model")}, 100, "package-0", emissions.Estimated},
		{"psys alone", []string{"node_rapl_psys_joules_total{index=\"0\"} %s\n"}, 100, "psys-0", emissions.Measured},
		{"memory beside its package", []string{"node_rapl_package_joules_total{index=\"0\",path=\"/sys/class/powercap/intel-rapl:0\"} %s\nnode_rapl_dram_joules_total{index=\"0\",path=\"/sys/class/powercap/intel-rapl:1\"} %s\n"}, 200, "dram-0 package-0", emissions.Measured},
		{"two dies", []string{"node_rapl_package_0_die_0_joules_total{index=\"0\"} %s\nnode_rapl_package_0_die_1_joules_total{index=\"0\"} %s\n"}, 200, "package-0-die-0 package-0-die-1", emissions.Measured},
		{"node_exporter and DCGM", []string{nodeExporter, dcgmExporter}, 500, "dram-0 package-0 package-1 gpu-0 gpu-1", emissions.Measured},
		{"node_exporter and Kepler on one host", []string{nodeExporter, kepler10}, 300, "dram-0 package-0 package-1", emissions.Measured},
		{"DCGM twice", []string{dcgmExporter, dcgmExporter}, 200, "gpu-0 gpu-1", emissions.Measured},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var urls []string
			for _, text := range tt.text {
				urls = append(urls, serve(t, text).URL)
			}
			r := whole(started(t, urls...), 1200*time.Millisecond)
			var counted []string
			for _, z := range r.Zones {
				if z.Counted {
					name, _, _ := strings.Cut(z.Name, " (")
					counted = append(counted, name)
				}
			}
			if got := strings.Join(counted, " "); got != tt.counted || r.Quality != tt.quality {
				t.Errorf("%s of %q, want %s of %q: %s", r.Quality, got, tt.quality, tt.counted, r.Reason)
			}
			if want := tt.watts * r.End.Sub(r.Start).Seconds(); math.Abs(r.Energy.Joules()/want-1) > 0.05 {
				t.Errorf("%.2f J, want %.2f", r.Energy.Joules(), want)
			}
			if r.Low > r.Energy || r.High < r.Energy {
				t.Errorf("%d is not from %d to %d", r.Energy, r.Low, r.High)
			}
		})
	}
}

// An exporter that answers as it should not is told, and nothing is made up.
func TestBadAnswers(t *testing.T) {
	elsewhere := serve(t, nodeExporter)
	tests := []struct {
		name   string
		handle http.HandlerFunc
		says   string
	}{
		{"login", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, LoginVariable},
		{"web page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, "<html>hello")
		}, "web page"},
		{"fault", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "500"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, "redirects to"},
		{"no text format", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "node_rapl_package_joules_total{{{ 1\n")
		}, "text format"},
		{"nothing of energy", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "go_goroutines 8\n") }, "no counter of energy"},
		{"NaN", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "node_rapl_package_joules_total NaN\n")
		}, "not a count of joules"},
		{"a thousand million counters", func(w http.ResponseWriter, _ *http.Request) {
			for range 1_000_000 {
				if _, err := io.WriteString(w, strings.Repeat("node_rapl_package_joules_total{index=\"7\"} 1\n", 1000)); err != nil {
					return
				}
			}
		}, "more than 1024 KB"},
		{"some thousand counters", func(w http.ResponseWriter, _ *http.Request) {
			for i := range 5000 {
				_, _ = fmt.Fprintf(w, "node_rapl_package_joules_total{index=\"%d\"} 1\n", i)
			}
		}, "at most 1024"},
		{"one long line", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("node_rapl_", 1<<20))
		}, "no counter of energy"},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			_, _ = io.WriteString(w, "node_rapl_package_joules_total 1\n")
		}, "EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(tt.handle)
			defer s.Close()
			r := whole(started(t, s.URL), 10*time.Millisecond)
			if r.Quality != emissions.Unavailable || !strings.Contains(r.Reason, tt.says) || r.Energy != 0 {
				t.Errorf("%s, %q, want %q", r.Quality, r.Reason, tt.says)
			}
		})
	}
	r := whole(started(t, "http://127.0.0.1:1"), 10*time.Millisecond)
	if r.Quality != emissions.Unavailable || !strings.Contains(r.Reason, "refused") {
		t.Errorf("a dead exporter: %s, %q", r.Quality, r.Reason)
	}
}

func TestLogin(t *testing.T) {
	inner := serve(t, nodeExporter)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "me" || password != "geheim" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.Config.Handler.ServeHTTP(w, r)
	}))
	defer s.Close()
	t.Setenv(LoginVariable, "me:geheim")
	if r := whole(started(t, s.URL), 10*time.Millisecond); r.Quality != emissions.Measured || strings.Contains(fmt.Sprint(r), "geheim") {
		t.Errorf("%+v", r)
	}
	for _, url := range []string{"http://me:geheim@gpu1:9100", "gpu1:9100", "ftp://gpu1", "http://", ":"} {
		if err := CheckURL(url); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestGzip(t *testing.T) {
	inner := serve(t, nodeExporter)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		inner.Config.Handler.ServeHTTP(gzipped{w, z}, r)
	}))
	defer s.Close()
	if r := whole(started(t, s.URL), 10*time.Millisecond); r.Quality != emissions.Measured {
		t.Errorf("%s: %s", r.Quality, r.Reason)
	}
}

type gzipped struct {
	http.ResponseWriter
	w io.Writer
}

func (g gzipped) Write(p []byte) (int, error) { return g.w.Write(p) }

// An exporter that is away for a while, and comes back as if nothing was, loses
// nothing; one that was restarted with its machine does.
func TestAwayAndBack(t *testing.T) {
	var away, reset atomic.Bool
	start := time.Now()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		j := 1000 + 100*time.Since(start).Seconds()
		if reset.Load() {
			j -= 1000
		}
		if away.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = fmt.Fprintf(w, "node_rapl_package_joules_total{index=\"0\"} %g\n", j)
	}))
	defer s.Close()
	m := started(t, s.URL)
	from := time.Now()
	time.Sleep(300 * time.Millisecond)
	m.Read(from, time.Now())
	away.Store(true)
	time.Sleep(1100 * time.Millisecond)
	if r := m.Read(from, time.Now()); r.Quality != emissions.Partial || !strings.Contains(r.Reason, "502") || r.High <= r.Energy {
		t.Errorf("while it is away: %s, %q, %d to %d", r.Quality, r.Reason, r.Low, r.High)
	}
	away.Store(false)
	time.Sleep(1100 * time.Millisecond)
	r := emissions.ReadWhole(m, from, time.Now())
	if want := 100 * r.End.Sub(r.Start).Seconds(); r.Quality != emissions.Measured || len(r.Gaps) != 1 || math.Abs(r.Energy.Joules()/want-1) > 0.05 {
		t.Errorf("%s, %.2f J, want %.2f: %+v", r.Quality, r.Energy.Joules(), want, r.Gaps)
	}
	reset.Store(true)
	time.Sleep(300 * time.Millisecond)
	if r := emissions.ReadWhole(m, from, time.Now()); r.Quality != emissions.Partial || !strings.Contains(r.Reason, "fell from") {
		t.Errorf("after a reset: %s, %q", r.Quality, r.Reason)
	}
}

// A counter that its exporter moves only now and then: the figure goes on from
// the power of before, and its bounds are as wide as a step.
func TestSlowSteps(t *testing.T) {
	base := time.Now()
	at := func(s float64) time.Time { return base.Add(time.Duration(s * 1e9)) }
	c := &counter{}
	for s := 0.0; s <= 33; s++ {
		c.take(at(s), 1000+100*10*math.Floor(s/10))
	}
	change, low, high := c.between(at(5), at(32))
	if math.Abs(float64(change.Amount)/1e6-2700) > 1 || change.Lost > 0 {
		t.Errorf("%d µJ of 2,700 J, %v lost", change.Amount, change.Lost)
	}
	if low > 2_000_000_000 || high < 3_300_000_000 || low < 1_000_000_000 || high > 5_000_000_000 {
		t.Errorf("bounds %d, %d", low, high)
	}
	c.take(at(100), 3000+1000)
	c.take(at(101), math.NaN())
	c.take(at(102), 1e300)
	if c.checked != at(100) {
		t.Errorf("believed until %v", c.checked.Sub(base))
	}
	c.take(at(103), 9e9)
	if change, _, _ := c.between(at(100), at(103)); change.Lost == 0 {
		t.Errorf("a jump of 9 GJ passes: %+v", change)
	}
}

func TestSlowAnswers(t *testing.T) {
	inner := serve(t, nodeExporter)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(1100 * time.Millisecond)
		inner.Config.Handler.ServeHTTP(w, r)
	}))
	defer s.Close()
	r := whole(started(t, s.URL), 10*time.Millisecond)
	if len(r.Warnings) == 0 || !strings.Contains(r.Warnings[0], "to answer") {
		t.Errorf("%q", r.Warnings)
	}
}

// A slow exporter keeps nobody waiting but its own sampler: a reply's energy is
// read before the next question is asked.
func TestSlowAnswersHoldNobodyUp(t *testing.T) {
	inner := serve(t, nodeExporter)
	var slow atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slow.Load() {
			time.Sleep(600 * time.Millisecond)
		}
		inner.Config.Handler.ServeHTTP(w, r)
	}))
	defer s.Close()
	m := started(t, s.URL)
	from := time.Now()
	slow.Store(true)
	time.Sleep(1900 * time.Millisecond) // until a slow answer is there
	began := time.Now()
	for range 20 {
		m.Read(from, time.Now())
		time.Sleep(20 * time.Millisecond)
	}
	if took := time.Since(began); took > 550*time.Millisecond {
		t.Errorf("20 readings took %v", took)
	}
	r := emissions.ReadWhole(m, from, time.Now())
	if want := 300 * r.End.Sub(r.Start).Seconds(); r.Quality != emissions.Measured || math.Abs(r.Energy.Joules()/want-1) > 0.15 {
		t.Errorf("%s, %.1f J, want about %.1f: %s", r.Quality, r.Energy.Joules(), want, r.Reason)
	}
}

// TestNamedTwice: one exporter by two addresses, or twice by one, is counted once.
func TestNamedTwice(t *testing.T) {
	s := serve(t, nodeExporter)
	r := whole(started(t, s.URL, s.URL+"/metrics", s.URL+"/metrics?collect[]=rapl"), 1200*time.Millisecond)
	if want := 300 * r.End.Sub(r.Start).Seconds(); math.Abs(r.Energy.Joules()/want-1) > 0.05 {
		t.Errorf("%.1f J, want %.1f", r.Energy.Joules(), want)
	}
}

func TestExamine(t *testing.T) {
	all, err := Examine(t.Context(), []string{serve(t, nodeExporter).URL, serve(t, kepler10).URL, "http://127.0.0.1:1/metrics"})
	if err != nil || len(all) != 3 {
		t.Fatal(all, err)
	}
	if len(all[0].Zones) != 6 || all[0].Reason != "" || all[2].Reason == "" {
		t.Errorf("%+v", all)
	}
	for _, z := range all[1].Zones {
		if z.Counted || z.Why == "" {
			t.Errorf("what node_exporter counts is counted again: %+v", z)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{nodeExporter, dcgmExporter, kepler10, kepler07, keplerSplit} {
		f.Add(strings.NewReplacer("%s", "12.5", "%mJ", "12500", "%half", "6.25").Replace(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parse(strings.NewReader(text))
		if err != nil {
			return
		}
		keys := map[string]bool{}
		for _, s := range all {
			c := &counter{}
			c.take(time.Now(), s.joules)
			if keys[s.key] {
				t.Errorf("%q twice", s.key)
			}
			keys[s.key] = true
		}
	})
}
