package hostload

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
)

// write makes a tree of files by path.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func stat(busy int) string {
	return fmt.Sprintf("cpu  %d 0 0 1000 5 0 0 0 0 0\ncpu0 1 0 0 0\ncpu1 1 0 0 0\ncpu2 1 0 0 0\ncpu3 1 0 0 0\nintr 5\n", busy)
}

func TestEstimate(t *testing.T) {
	proc := write(t, map[string]string{
		"stat": stat(100), "meminfo": "MemTotal:       16777216 kB\n",
		"cpuinfo": "model name\t: Never Heard Of It\nphysical id\t: 0\n",
	})
	m := New(Options{Procfs: proc, Sysfs: t.TempDir()})
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	// 4 threads × 4 W = 16 W at full load, 20 % of it at rest, 16 GB × 1/4 W.
	from := time.Now()
	m.busy.Add(from, 1_000_000)
	to := from.Add(2 * time.Second)
	m.busy.Add(to, 1_000_000+4_000_000) // half of 8 thread-seconds
	r := m.Read(from, to)
	want := (0.2*16+0.8*16*0.5)*2 + 16*0.25*2
	if math.Abs(r.Energy.Joules()-want) > 0.01 || r.Quality != emissions.Estimated {
		t.Errorf("%.3f J, want %.3f: %+v", r.Energy.Joules(), want, r)
	}
	if !(r.Low < r.Energy && r.Energy < r.High) {
		t.Errorf("bounds %d, %d, %d", r.Low, r.Energy, r.High)
	}
	if len(r.Warnings) == 0 || !strings.Contains(r.Warnings[0], "4 W (2 to 10) for each of 4 hardware threads") {
		t.Errorf("the assumption is not named: %q", r.Warnings)
	}
}

func TestNoProc(t *testing.T) {
	m := New(Options{Procfs: t.TempDir()})
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if r := m.Read(time.Now(), time.Now()); r.Quality != emissions.Unavailable || r.Reason == "" {
		t.Errorf("%+v", r)
	}
}

func TestInspect(t *testing.T) {
	base := map[string]string{"stat": stat(1), "meminfo": "MemTotal: 67108864 kB\n", "cpuinfo": "model name : X\n"}
	tests := []struct {
		name  string
		proc  string
		sys   map[string]string
		env   map[string]string
		cores float64
		gb    float64
	}{
		{"whole machine", "", nil, nil, 4, 64},
		{"cgroup v2", "0::/job\n", map[string]string{"fs/cgroup/job/cpu.max": "150000 100000\n", "fs/cgroup/job/memory.max": "8589934592\n"}, nil, 1.5, 8},
		{"cgroup v2, limit of the parent", "0::/a/b\n", map[string]string{"fs/cgroup/a/cpu.max": "200000 100000\n", "fs/cgroup/a/b/cpu.max": "max 100000\n"}, nil, 2, 64},
		{"cgroup v1", "4:memory:/x\n1:cpu,cpuacct:/y\n", map[string]string{"fs/cgroup/cpu/y/cpu.cfs_quota_us": "300000", "fs/cgroup/cpu/y/cpu.cfs_period_us": "100000", "fs/cgroup/memory/x/memory.limit_in_bytes": "17179869184"}, nil, 3, 16},
		{"cgroup v1 without limits", "4:memory:/x\n1:cpu:/y\n", map[string]string{"fs/cgroup/cpu/y/cpu.cfs_quota_us": "-1", "fs/cgroup/cpu/y/cpu.cfs_period_us": "100000", "fs/cgroup/memory/x/memory.limit_in_bytes": "9223372036854771712"}, nil, 4, 64},
		{"cgroup v1 mounted together", "1:cpu,cpuacct:/y\n", map[string]string{"fs/cgroup/cpu,cpuacct/y/cpu.cfs_quota_us": "300000", "fs/cgroup/cpu,cpuacct/y/cpu.cfs_period_us": "100000"}, nil, 3, 64},
		{"cgroup v2, some processors", "0::/job\n", map[string]string{"fs/cgroup/job/cpuset.cpus.effective": "0,2-3\n"}, nil, 3, 64},
		{"cgroup v1, some processors", "3:cpuset:/z\n", map[string]string{"fs/cgroup/cpuset/z/cpuset.cpus": "1-2\n"}, nil, 2, 64},
		{"slurm", "", nil, map[string]string{"SLURM_CPUS_ON_NODE": "2", "SLURM_MEM_PER_CPU": "1024"}, 2, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{"self/cgroup": tt.proc}
			for k, v := range base {
				files[k] = v
			}
			h, err := Inspect(Options{Procfs: write(t, files), Sysfs: write(t, tt.sys), Getenv: func(k string) string { return tt.env[k] }})
			if err != nil || h.Cores != tt.cores || math.Abs(h.MemoryGB-tt.gb) > 0.001 {
				t.Errorf("%+v, %v; want %v cores, %v GB", h, err, tt.cores, tt.gb)
			}
		})
	}
}

func TestLookupTDP(t *testing.T) {
	if d := lookup("AMD EPYC 7742 64-Core Processor"); d.w != 225 || d.source != "AMD product page, 2019" || d.whole {
		t.Errorf("%+v", d)
	}
	if d := lookup("Apple M1 Max"); d.w != 115 || !d.whole || (Host{Model: "Apple M1 Max"}).TDPW() != 0 {
		t.Errorf("%+v: the most that a whole Mac draws is no TDP", d)
	}
	for _, model := range []string{"AMD EPYC 7742", "AMD EPYC", "", "amd epyc 7742 64-core processor", "Apple M1 Pro", "Apple M3",
		"AMD EPYC Processor", "Intel Xeon Processor (Skylake)", "QEMU Virtual CPU version 2.5+", "Intel(R) Xeon(R) CPU @ 2.20GHz", "Common KVM processor"} {
		if d := lookup(model); d.w != 0 {
			t.Errorf("%q is taken for a processor of %v W", model, d.w)
		}
	}
	seen := map[string]bool{}
	for line := range strings.Lines(tdpTable) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		year, err := strconv.Atoi(fields[3])
		if d := lookup(fields[0]); d.w < 5 || d.w > 500 || fields[2] == "" || err != nil || year < 2010 || year > 2026 || d.whole != strings.HasPrefix(fields[0], "Apple ") {
			t.Errorf("%q: %+v", fields, d)
		}
		if seen[fields[0]] {
			t.Errorf("%q is there twice", fields[0])
		}
		seen[fields[0]] = true
	}
	if len(seen) < 350 {
		t.Errorf("%d processors", len(seen))
	}
}

func TestServerShare(t *testing.T) {
	process := func(parent, ticks int) string {
		return fmt.Sprintf("1 (a) b) S %d 0 0 0 0 0 0 0 0 0 %d 0 0 0 20", parent, ticks)
	}
	proc := write(t, map[string]string{
		"stat":     stat(1000),
		"10/stat":  process(1, 100),
		"11/stat":  process(10, 50),
		"12/stat":  process(1, 70),
		"net/tcp":  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:2CAA 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 777 1\n",
		"10/fd/.x": "",
	})
	if err := os.Symlink("socket:[777]", filepath.Join(proc, "10/fd/3")); err != nil {
		t.Fatal(err)
	}
	m := WithServerShare(emissions.NewUnavailable("off", "test"), proc, "127.0.0.1:11434")
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	<-m.(*serverShare).looked
	from := m.(*serverShare).own.Newest()
	for name, content := range map[string]string{"stat": stat(1400), "10/stat": process(1, 200), "11/stat": process(10, 150), "12/stat": process(1, 270)} {
		if err := os.WriteFile(filepath.Join(proc, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(tick)
	m.(*serverShare).sample()
	r := m.Read(from, m.(*serverShare).own.Newest())
	if r.ServerShare == nil || math.Abs(*r.ServerShare-0.5) > 1e-9 {
		t.Errorf("share %v, want 0.5 (200 of 400 ticks): %q", r.ServerShare, r.Warnings)
	}
	if pid, err := Listener(proc, "localhost:1"); err == nil {
		t.Errorf("found process %d on a port nobody listens on", pid)
	}
}

func TestOwnListener(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has /proc/net/tcp")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if pid, err := Listener("/proc", l.Addr().String()); err != nil || pid != os.Getpid() {
		t.Errorf("process %d, %v; want %d", pid, err, os.Getpid())
	}
}

func TestIsLocal(t *testing.T) {
	for host, want := range map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true, "": true, "0.0.0.0": true, "192.0.2.7": false, "server.invalid": false} {
		if got := IsLocal(host); got != want {
			t.Errorf("IsLocal(%q) = %v", host, got)
		}
	}
	names, err := net.LookupAddr("127.0.0.1") // whatever else the loopback is called here
	for _, name := range names {
		if err == nil && !IsLocal(strings.TrimSuffix(name, ".")) {
			t.Errorf("%s, a name of 127.0.0.1, is not local", name)
		}
	}
}

func BenchmarkMetering(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("only Linux has /proc")
	}
	m := New(Options{Procfs: "/proc", Sysfs: "/sys"})
	for b.Loop() {
		m.read = time.Time{} // not what was read within this tick
		m.sample()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e9*100, "%core")
}

func BenchmarkServerShare(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("only Linux has /proc")
	}
	s := WithServerShare(emissions.NewUnavailable("off", ""), "/proc", "").(*serverShare)
	n := 0
	for b.Loop() {
		if n++; n%int(rescan/period) == 0 {
			s.scanned = time.Time{}
		}
		s.read = time.Time{}
		s.sample()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e9*100, "%core")
}

func BenchmarkListener(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("only Linux has /proc/net/tcp")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for b.Loop() {
		if _, err := Listener("/proc", l.Addr().String()); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add(stat(7))
	f.Add("cpu 1 2 3 4\ncpu0\n")
	f.Fuzz(func(t *testing.T, text string) {
		if l, err := parseStat([]byte(text)); err == nil && l.threads == 0 {
			t.Error("accepted without processors")
		}
	})
}

func FuzzParseProcess(f *testing.F) {
	f.Add("1 (a) b) S 1 0 0 0 0 0 0 0 0 0 5 6 0 0 20")
	f.Fuzz(func(t *testing.T, text string) { _, _ = parseProcess([]byte(text)) })
}

func FuzzParseCPUInfo(f *testing.F) {
	f.Add("model name : X\nphysical id : 0\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, sockets := parseCPUInfo(text); sockets < 0 {
			t.Error(sockets)
		}
	})
}

func FuzzCgroup(f *testing.F) {
	f.Add("0::/../..\n4:memory:/x", "100 200")
	f.Fuzz(func(t *testing.T, groups, max string) {
		for _, g := range parseCgroup(groups) {
			if !strings.HasPrefix(g, "/") || strings.HasPrefix(g+"/", "/../") {
				t.Errorf("%q leaves the root", g)
			}
		}
		if n := parseCPUMax(max); n < 0 || math.IsNaN(n) {
			t.Error(n)
		}
	})
}

// module is the firmware's table of a memory device.
func module(mb uint16, extended uint32) string {
	table := make([]byte, 0x28)
	table[0], table[1] = 17, 0x28
	binary.LittleEndian.PutUint16(table[0x0c:], mb)
	binary.LittleEndian.PutUint32(table[0x1c:], extended)
	return string(table)
}

func TestMemory(t *testing.T) {
	const edac = "devices/system/edac/mc/mc0/"
	tests := []struct {
		name     string
		sys      map[string]string
		gb       float64
		w        float64
		atMost   float64
		says     string
		nModules int
	}{
		{"by size", nil, 16, 4, 8, "by its size of 16.0 GB", 0},
		{"by size, a server of 126 GB", nil, 126, 19.75, 48, "does not tell its modules", 0},
		{"four modules by the memory controller", map[string]string{edac + "dimm0/size": "32768", edac + "dimm1/size": "32768", edac + "dimm4/size": "32768", edac + "dimm5/size": "32768", edac + "dimm6/size": "0"},
			126, 16, 30, "100 % of 4 modules, 128 GB", 4},
		{"a quarter of two large modules", map[string]string{edac + "dimm0/size": "65536", edac + "dimm1/size": "65536"}, 32, 2.5, 5, "25 % of 2 modules", 2},
		{"by the firmware", map[string]string{"firmware/dmi/entries/17-0/raw": module(16384, 0), "firmware/dmi/entries/17-1/raw": module(0, 0), "firmware/dmi/entries/17-2/raw": module(0x7fff, 131072),
			"firmware/dmi/entries/17-3/raw": "short"}, 144, 10, 20, "2 modules, 144 GB", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := Host{MemoryGB: tt.gb, ModulesGB: modules(write(t, tt.sys))}
			m := memoryOf(h)
			if len(h.ModulesGB) != tt.nModules || math.Abs(m.w-tt.w) > 1e-9 || m.high > tt.atMost || !(m.low < m.w && m.w < m.high) || !strings.Contains(m.note, tt.says) {
				t.Errorf("%+v of %v", m, h.ModulesGB)
			}
		})
	}
}

// What the machine's kernel and firmware tell of the processor.
func TestProcessor(t *testing.T) {
	name := make([]byte, 0x30)
	name[0], name[1], name[0x10] = 4, 0x30, 2
	proc := map[string]string{"stat": stat(1), "meminfo": "MemTotal: 8388608 kB\n"}
	sys := map[string]string{
		"firmware/dmi/entries/4-0/raw":                     string(name) + "CPU 1\x00Ampere(R) Altra(R) Processor Q80-30\x00\x00",
		"devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "1500000", "devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "3000000",
		"devices/system/cpu/smt/active": "1",
	}
	h, err := Inspect(Options{Procfs: write(t, proc), Sysfs: write(t, sys)})
	if err != nil || h.TDPW() != 210 || h.FrequencyCap != 0.5 || !h.HyperThreads {
		t.Errorf("%+v, %v", h, err)
	}
	p := model(h, 0)
	free := model(Host{Model: h.Model, Threads: h.Threads, Cores: h.Cores, FrequencyCap: 1}, 0)
	if p.low1 != free.low1/2 || p.full != free.full || !strings.Contains(strings.Join(p.notes, ";"), "50 % of its highest frequency") {
		t.Errorf("%+v beside %+v", p, free)
	}
}

// Of a processor with hyper-threads, half of the threads may be all cores.
func TestHyperThreads(t *testing.T) {
	high := map[bool]emissions.Energy{}
	for _, on := range []bool{false, true} {
		m := New(Options{Procfs: write(t, map[string]string{"stat": stat(100)})})
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.host.HyperThreads = on
		from := time.Now()
		m.busy.Add(from, 1_000_000)
		m.busy.Add(from.Add(2*time.Second), 1_000_000+2_000_000)
		high[on] = m.Read(from, from.Add(2*time.Second)).High
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if high[true] <= high[false] {
		t.Errorf("upper bounds %v", high)
	}
}

// A machine of much memory and an idle processor: the memory is pointed at.
func TestMuchMemory(t *testing.T) {
	m := New(Options{Procfs: write(t, map[string]string{"stat": stat(100), "meminfo": "MemTotal: 536870912 kB\n"})})
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	from := time.Now()
	r := m.Read(from, from.Add(time.Second))
	if w := strings.Join(r.Warnings, "; "); !strings.Contains(w, "memory is the larger part") {
		t.Errorf("%q", w)
	}
}

func FuzzDMI(f *testing.F) {
	f.Add([]byte(module(0x7fff, 1<<20)))
	f.Fuzz(func(t *testing.T, table []byte) {
		if mb := dmiModuleMB(table); mb > 1<<31 {
			t.Error(mb)
		}
	})
}

// A Mac on Linux: its name is in the device tree, and the figure is of all of it.
func TestMac(t *testing.T) {
	for name, want := range map[string]string{
		"Apple Mac Studio (M1 Ultra, 2022)\x00": "Apple M1 Ultra", "Apple Mac mini (M1, 2020)\x00": "Apple M1",
		"Apple MacBook Pro (14-inch, M2 Pro, 2023)\x00": "Apple M2 Pro", "Raspberry Pi 5 Model B Rev 1.0\x00": "", "Apple Mac (M1\x00": "",
	} {
		h, err := Inspect(Options{Procfs: write(t, map[string]string{"stat": stat(1), "meminfo": "MemTotal: 8388608 kB\n"}),
			Sysfs: write(t, map[string]string{"firmware/devicetree/base/model": name})})
		if err != nil || h.Model != want {
			t.Errorf("%q: %q, %v; want %q", name, h.Model, err, want)
		}
	}
	p := model(Host{Model: "Apple M1", Threads: 8, Cores: 8, MemoryGB: 16}, 0)
	if p.high1 != 39 || p.full != 19.5 || p.low1 != 9.75 || p.memory.w != 0 || !strings.Contains(p.notes[0], "no TDP of the Apple M1 is stated") {
		t.Errorf("%+v", p)
	}
}
