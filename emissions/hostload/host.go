package hostload

import (
	"cmp"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Host is what of a machine the estimate stands on.
type Host struct {
	Model    string  // as /proc/cpuinfo names it
	Sockets  int     // physical processors, 0 where not known
	Threads  int     // hardware threads of the machine
	Cores    float64 // hardware threads this job may use
	MemoryGB float64 // GB of memory this job may use, of 2^30 bytes as memory is sold and CodeCarbon counts it

	ModulesGB    []float64 // the machine's memory modules; none where the system does not tell them
	FrequencyCap float64   // share of its highest frequency that the processor is held to, 1 for no limit
	HyperThreads bool      // whether two hardware threads share a core
}

// Inspect reads what the estimate would stand on.
func Inspect(o Options) (Host, error) {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	load, err := readStat(filepath.Join(o.Procfs, "stat"))
	if err != nil {
		return Host{}, err
	}
	h := Host{Threads: load.threads, Cores: float64(load.threads)}
	if data, err := os.ReadFile(filepath.Join(o.Procfs, "cpuinfo")); err == nil {
		h.Model, h.Sockets = parseCPUInfo(string(data))
	}
	if h.Model == "" {
		h.Model = cmp.Or(dmiProcessor(o.Sysfs), macProcessor(o.Sysfs))
	}
	h.ModulesGB, h.FrequencyCap, h.HyperThreads = modules(o.Sysfs), frequencyCap(o.Sysfs), hyperThreads(o.Sysfs)
	memory := math.Inf(1)
	if data, err := os.ReadFile(filepath.Join(o.Procfs, "meminfo")); err == nil {
		memory = parseMemTotal(string(data))
	}
	for _, l := range []limits{cgroupLimits(o), slurmLimits(o.Getenv)} {
		if l.cores > 0 {
			h.Cores = min(h.Cores, l.cores)
		}
		if l.bytes > 0 {
			memory = min(memory, l.bytes)
		}
	}
	if !math.IsInf(memory, 1) {
		h.MemoryGB = memory / (1 << 30)
	}
	return h, nil
}

func parseCPUInfo(text string) (model string, sockets int) {
	ids := map[string]bool{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		switch strings.TrimSpace(key) {
		case "model name":
			model = strings.TrimSpace(value)
		case "physical id":
			ids[strings.TrimSpace(value)] = true
		}
	}
	return model, len(ids)
}

// parseMemTotal returns the machine's memory in bytes.
func parseMemTotal(text string) float64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			return positive(strings.TrimSuffix(strings.TrimSpace(rest), " kB")) * 1024
		}
	}
	return math.Inf(1)
}

// limits of a job; 0 for none.
type limits struct{ cores, bytes float64 }

// cgroupLimits looks in the process's own control group and its parents, in
// both versions of the hierarchy.
func cgroupLimits(o Options) limits {
	var l limits
	data, err := os.ReadFile(filepath.Join(o.Procfs, "self/cgroup"))
	if err != nil {
		return l
	}
	root := filepath.Join(o.Sysfs, "fs/cgroup")
	for controller, group := range parseCgroup(string(data)) {
		of := limitsV1
		if controller == "" {
			of = limitsV2
		}
		base := filepath.Join(root, controller)
		for dir := filepath.Join(base, group); len(dir) >= len(base); dir = filepath.Dir(dir) {
			l = tighter(l, of(dir))
		}
	}
	return l
}

// limitsV2 are those of one group of version 2.
func limitsV2(dir string) limits {
	l := limits{cores: parseCPUMax(text(dir, "cpu.max")), bytes: parseBytes(text(dir, "memory.max"))}
	l = tighter(l, limits{cores: parseCPUSet(text(dir, "cpuset.cpus.effective"))})
	return tighter(l, limits{cores: parseCPUSet(text(dir, "cpuset.cpus"))})
}

// limitsV1 are those of one group of whichever controllers of version 1 it has.
func limitsV1(dir string) limits {
	var l limits
	if quota := text(dir, "cpu.cfs_quota_us"); quota != "" {
		l.cores = parseCPUMax(quota + " " + text(dir, "cpu.cfs_period_us"))
	}
	l.bytes = parseBytes(text(dir, "memory.limit_in_bytes"))
	return tighter(l, limits{cores: parseCPUSet(text(dir, "cpuset.cpus"))})
}

func text(dir, file string) string {
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func tighter(a, b limits) limits {
	pick := func(x, y float64) float64 {
		if x <= 0 || y > 0 && y < x {
			return y
		}
		return x
	}
	return limits{pick(a.cores, b.cores), pick(a.bytes, b.bytes)}
}

// parseCgroup returns the group by controller folder: "" for version 2.
// Controllers that are mounted together may have one folder, such as cpu,cpuacct.
func parseCgroup(text string) map[string]string {
	groups := map[string]string{}
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		if parts[0] == "0" && parts[1] == "" {
			groups[""] = filepath.Clean("/" + parts[2])
		}
		for _, c := range strings.Split(parts[1], ",") {
			if c == "cpu" || c == "memory" || c == "cpuset" {
				groups[c] = filepath.Clean("/" + parts[2])
				groups[filepath.Base(parts[1])] = groups[c]
			}
		}
	}
	return groups
}

// parseCPUMax reads "quota period" in µs as processors, 0 for no limit.
func parseCPUMax(text string) float64 {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return 0
	}
	quota, period := positive(fields[0]), positive(fields[1])
	if period == 0 {
		return 0
	}
	return quota / period
}

// parseCPUSet counts the processors of a list such as 0-3,8; 0 for no limit.
func parseCPUSet(text string) float64 {
	var n float64
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, errFrom := strconv.ParseUint(first, 10, 16)
		to, errTo := strconv.ParseUint(last, 10, 16)
		if errFrom != nil || errTo != nil || to < from {
			return 0
		}
		n += float64(to - from + 1)
	}
	return n
}

// parseBytes reads a memory limit, 0 for none; version 1 says none by a
// number beyond any memory.
func parseBytes(text string) float64 {
	n := positive(text)
	if n >= 1<<60 {
		return 0
	}
	return n
}

// positive returns 0 for what is no positive whole number.
func positive(text string) float64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return float64(n)
}

// slurmLimits are those of a SLURM job: memory is in MiB.
func slurmLimits(getenv func(string) string) limits {
	l := limits{cores: positive(getenv("SLURM_CPUS_ON_NODE")), bytes: positive(getenv("SLURM_MEM_PER_NODE")) * (1 << 20)}
	if l.bytes == 0 {
		l.bytes = positive(getenv("SLURM_MEM_PER_CPU")) * l.cores * (1 << 20)
	}
	return l
}
