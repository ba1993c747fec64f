package session

import (
	"os"
	"runtime"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/mem"

	"github.com/disteval/disteval/eval"
)

// ThisHost describes the machine; what it does not tell stays empty.
func ThisHost() eval.Host {
	h := eval.Host{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU()}
	if info, err := cpu.Info(); err == nil && len(info) > 0 {
		h.CPUModel = info[0].ModelName
	}
	if m, err := mem.VirtualMemory(); err == nil {
		h.MemoryGB = float64(m.Total) / (1 << 30)
	}
	if name, err := os.Hostname(); err == nil {
		h.Hostname = name
	}
	return h
}
