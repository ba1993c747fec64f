package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/disteval/disteval/emissions/hostload"
	"github.com/disteval/disteval/emissions/nvml"
	"github.com/disteval/disteval/emissions/rapl"
)

// energyProbe writes what this machine can measure, zone by zone, why not,
// and what to do about it.
func energyProbe(out io.Writer, sysfs, procfs string) error {
	var b strings.Builder
	processors := rapl.Examine(sysfs)
	probeRAPL(&b, processors)
	accelerators := nvml.Examine()
	fmt.Fprintf(&b, "\nNVIDIA accelerators (nvml): ")
	if accelerators.Reason != "" {
		fmt.Fprintf(&b, "unavailable\n  %s\n", accelerators.Reason)
	} else {
		fmt.Fprintf(&b, "measured\n")
		for _, d := range accelerators.Devices {
			fmt.Fprintf(&b, "  %s\n", d)
		}
	}
	probeHost(&b, hostload.Options{Procfs: procfs, Sysfs: sysfs, Getenv: os.Getenv})
	fmt.Fprintf(&b, "\nmethod auto would give: %s\n", autoQuality(processors, accelerators, hasNVIDIA(procfs)))
	_, err := io.WriteString(out, b.String())
	return err
}

func probeRAPL(b *strings.Builder, p rapl.Probe) {
	quality := "measured"
	switch {
	case p.Reason != "":
		quality = "unavailable"
	case len(p.Missing()) > 0:
		quality = "partial"
	}
	fmt.Fprintf(b, "Processors and memory (rapl): %s\n", quality)
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, z := range p.Zones {
		state, counted := "readable", "shown, not summed"
		if z.Counted {
			counted = "summed"
		}
		if !z.Readable {
			state, _, _ = strings.Cut(z.Why, "; ") // what to do stands below, once
		}
		wraps := "range not known"
		if z.RangeUJ > 0 {
			wraps = fmt.Sprintf("wraps at %.1f kJ", float64(z.RangeUJ)/1e9)
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\n", z.Name, z.ID, counted, wraps, state)
	}
	_ = table.Flush() // into memory
	for _, m := range p.Missing() {
		fmt.Fprintf(b, "  missing: %s\n", m)
	}
	if !slices.ContainsFunc(p.Zones, func(z rapl.Zone) bool { return z.Counted }) {
		fmt.Fprintf(b, "  %s\n", p.Reason)
	}
}

func probeHost(b *strings.Builder, o hostload.Options) {
	h, err := hostload.Inspect(o)
	if err != nil {
		fmt.Fprintf(b, "\nLoad of the host (estimate): unavailable\n  %v\n", err)
		return
	}
	fmt.Fprintf(b, "\nLoad of the host (estimate): estimated, with bounds\n  processor %q, %d hardware threads of which this job has %.3g, %.1f GB of memory\n",
		h.Model, h.Threads, h.Cores, h.MemoryGB)
	if tdp := h.TDPW(); tdp > 0 {
		fmt.Fprintf(b, "  TDP %.0f W by our table\n", tdp)
	} else {
		fmt.Fprintf(b, "  its TDP is not in our table: 4 W (2 to 10) for each hardware thread; set emissions.cpu_tdp_w\n")
	}
}

// autoQuality says what autoSource makes of the machine.
func autoQuality(p rapl.Probe, gpus nvml.Probe, hasGPU bool) string {
	method, quality := "rapl", "measured"
	switch {
	case p.Reason != "":
		method, quality = "an estimate by load", "estimated"
	case len(p.Missing()) > 0 || hasGPU && gpus.Reason != "":
		quality = "partial"
	}
	switch {
	case gpus.Reason == "":
		method += " and nvml"
	case hasGPU:
		method += " without the NVIDIA accelerator"
	}
	return fmt.Sprintf("%s (quality %s)", method, quality)
}
