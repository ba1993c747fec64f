package codecarbon

import (
	"context"
	"fmt"
	"time"

	"github.com/disteval/disteval/emissions"
)

// Method is the name of CodeCarbon 2.3's constant mode.
const Method = "codecarbon-2.3"

// The constants of CodeCarbon 2.3's constant mode.
const (
	DefaultTDPW = 85.0    // W, for a processor it does not know
	CPUShare    = 0.5     // of the TDP, whatever the load
	RAMWPerGB   = 3.0 / 8 // W
)

// ConstantW returns the constant mode's power in W. A tdpW of 0 is unknown.
func ConstantW(tdpW, ramGB float64) (cpu, ram float64) {
	if tdpW == 0 {
		tdpW = DefaultTDPW
	}
	return tdpW * CPUShare, ramGB * RAMWPerGB
}

// NewMeter returns a Meter whose power is CodeCarbon 2.3's constant. Its
// bounds are a tenth to 1.3 of the TDP, and half to double the memory's power.
func NewMeter(tdpW, ramGB float64) emissions.Meter {
	cpu, ram := ConstantW(tdpW, ramGB)
	warning := fmt.Sprintf("assumed, not measured: CodeCarbon 2.3's constant mode, %g W for the processor and %g W for %g GB of memory, times the duration", cpu, ram, ramGB)
	if tdpW == 0 {
		warning += fmt.Sprintf("; no TDP is known, %g W is its default", DefaultTDPW)
	}
	return constant{cpu, ram, warning}
}

type constant struct {
	cpuW, ramW float64
	warning    string
}

func (constant) Start(context.Context) error { return nil }
func (constant) Close() error                { return nil }

func (c constant) Read(from, to time.Time) emissions.Reading {
	uj := func(w float64) emissions.Energy { return emissions.Energy(w * to.Sub(from).Seconds() * 1e6) }
	cpu, ram := uj(c.cpuW), uj(c.ramW)
	tdp := c.cpuW / CPUShare
	return emissions.Reading{
		Start: from, End: to, Method: Method, Quality: emissions.Estimated,
		Energy: cpu + ram, Low: uj(0.1*tdp + 0.5*c.ramW), High: uj(1.3*tdp + 2*c.ramW),
		Zones: []emissions.Zone{
			{Name: "cpu", Kind: emissions.CPU, Energy: cpu, Counted: true, Estimated: true, Note: "estimated"},
			{Name: "memory", Kind: emissions.Memory, Energy: ram, Counted: true, Estimated: true, Note: "estimated"},
		},
		Modelled: cpu + ram, Warnings: []string{c.warning},
	}
}
