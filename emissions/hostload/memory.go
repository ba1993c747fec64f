package hostload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// The power of memory is an assumption, and goes by modules more than by
// size. Makers' power calculators and tests of servers put a module of DDR4 or
// DDR5 between 1.5 W at rest and some 6 W at work; CodeCarbon 3 assumes 5 W
// for each, and CodeCarbon 2 3 W for each 8 GB, which a module of 8 GB draws
// and one of 64 GB comes nowhere near.
const (
	moduleLow, moduleHigh = 0.4, 1.8 // of the assumed power
	smallWPerGB           = 0.25     // W per GB of modules of 8 GB, up to smallGB
	largeWPerGB           = 0.125    // of modules of 32 GB, beyond it
	smallGB               = 32
	codeCarbonWPerGB      = 3.0 / 8 // the upper bound where the modules are not known
)

// moduleW is the assumed power of one module at work, in W.
func moduleW(gb float64) float64 {
	switch {
	case gb <= 8:
		return 2
	case gb <= 16:
		return 3
	case gb <= 32:
		return 4
	case gb <= 64:
		return 5
	}
	return 7
}

// memory is the assumed power of the memory that a job may use, in W.
type memory struct {
	w, low, high float64
	note         string
}

func memoryOf(h Host) memory {
	if len(h.ModulesGB) == 0 {
		w := min(h.MemoryGB, smallGB)*smallWPerGB + max(0, h.MemoryGB-smallGB)*largeWPerGB
		return memory{w, moduleLow * w, max(moduleHigh*w, h.MemoryGB*codeCarbonWPerGB), fmt.Sprintf(
			"memory: assumed %.3g W (%.3g to %.3g) by its size of %.1f GB, since the system does not tell its modules", w, moduleLow*w, max(moduleHigh*w, h.MemoryGB*codeCarbonWPerGB), h.MemoryGB)}
	}
	var all, installed float64
	for _, gb := range h.ModulesGB {
		all, installed = all+moduleW(gb), installed+gb
	}
	share := min(1, h.MemoryGB/installed)
	if h.MemoryGB >= 0.9*installed { // the firmware and the kernel keep some
		share = 1
	}
	w := all * share
	return memory{w, moduleLow * w, moduleHigh * w, fmt.Sprintf("memory: assumed %.3g W (%.3g to %.3g) for %.0f %% of %d modules, %.0f GB in all",
		w, moduleLow*w, moduleHigh*w, 100*share, len(h.ModulesGB), installed)}
}

// modules returns the sizes in GB of the memory modules that the system tells:
// by the driver of the memory controller, or by the firmware's tables, which
// only root may read. None where it tells neither.
func modules(sysfs string) []float64 {
	var gb []float64
	files, _ := filepath.Glob(filepath.Join(sysfs, "devices/system/edac/mc/mc*/dimm*/size"))
	for _, f := range files {
		if mb := positive(text(filepath.Dir(f), "size")); mb > 0 {
			gb = append(gb, mb/1024)
		}
	}
	if len(gb) > 0 {
		return gb
	}
	tables, _ := filepath.Glob(filepath.Join(sysfs, "firmware/dmi/entries/17-*/raw"))
	for _, f := range tables {
		if data, err := os.ReadFile(f); err == nil {
			if mb := dmiModuleMB(data); mb > 0 {
				gb = append(gb, float64(mb)/1024)
			}
		}
	}
	return gb
}

// dmiModuleMB is the size in MB that a memory device's table (SMBIOS type 17)
// states, 0 for an empty slot or one that is not known.
func dmiModuleMB(table []byte) uint32 {
	if len(table) < 0x0e || table[0] != 17 {
		return 0
	}
	size := binary.LittleEndian.Uint16(table[0x0c:])
	switch {
	case size == 0 || size == 0xffff:
		return 0
	case size == 0x7fff: // too much for the field
		if len(table) < 0x20 || table[1] < 0x20 {
			return 0
		}
		return binary.LittleEndian.Uint32(table[0x1c:]) & 0x7fffffff
	case size&0x8000 != 0: // in KB
		return uint32(size&0x7fff) / 1024
	}
	return uint32(size)
}

// dmiProcessor is the processor's name by the firmware's table (SMBIOS type
// 4), for kernels that do not name it, as on Arm; empty where it is not told.
func dmiProcessor(sysfs string) string {
	tables, _ := filepath.Glob(filepath.Join(sysfs, "firmware/dmi/entries/4-*/raw"))
	for _, f := range tables {
		table, err := os.ReadFile(f)
		if err != nil || len(table) < 0x11 || table[0] != 4 || int(table[1]) > len(table) {
			continue
		}
		strings := bytes.Split(table[table[1]:], []byte{0})
		if n := int(table[0x10]); n > 0 && n <= len(strings) {
			return string(bytes.TrimSpace(strings[n-1]))
		}
	}
	return ""
}

// frequencyCap is the share of its highest frequency that the processor is
// held to, 1 where it is not or nothing is known.
func frequencyCap(sysfs string) float64 {
	limits, _ := filepath.Glob(filepath.Join(sysfs, "devices/system/cpu/cpu[0-9]*/cpufreq/scaling_max_freq"))
	lowest := 1.0
	for _, f := range limits {
		limit, most := positive(text(filepath.Dir(f), "scaling_max_freq")), positive(text(filepath.Dir(f), "cpuinfo_max_freq"))
		if limit > 0 && most > 0 {
			lowest = min(lowest, limit/most)
		}
	}
	return lowest
}

// hyperThreads tells whether two hardware threads share a core.
func hyperThreads(sysfs string) bool {
	on, err := strconv.Atoi(text(filepath.Join(sysfs, "devices/system/cpu/smt"), "active"))
	return err == nil && on == 1
}
