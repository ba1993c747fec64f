// Package emissions turns what a machine's counters say into energy, and
// energy into carbon dioxide, without losing where either came from.
//
// Policy: every joule has an origin. Energy is kept as whole microjoules with
// the method and quality it was obtained by; a figure that cannot be known is
// unavailable, which is not zero. Carbon is always computed from stored
// energy and a dated factor, never stored in its place.
package emissions

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Energy is an amount of energy in microjoules.
type Energy uint64

// Joules returns the energy in joules.
func (e Energy) Joules() float64 { return float64(e) / 1e6 }

// WattHours returns the energy in watt-hours.
func (e Energy) WattHours() float64 { return float64(e) / 3.6e9 }

// Quality says how an energy figure was obtained.
type Quality string

const (
	Measured    Quality = "measured"    // by counters, all of them, over the whole interval
	Partial     Quality = "partial"     // by counters, but some part of the machine or of the interval is missing or estimated
	Estimated   Quality = "estimated"   // by a model of power alone, with bounds
	Unavailable Quality = "unavailable" // not known; the energy is not zero, it does not exist
)

// Worse returns the worse of two qualities, in the order of the constants.
func Worse(a, b Quality) Quality {
	order := []Quality{Measured, Partial, Estimated, Unavailable}
	if slices.Index(order, a) < slices.Index(order, b) {
		return b
	}
	return a
}

// Kind is the part of a machine that a zone stands for.
type Kind string

// The kinds of zones.
const (
	CPU      Kind = "cpu"      // processors: packages and parts of them
	Memory   Kind = "memory"   // the machine's main memory
	GPU      Kind = "gpu"      // accelerators, with their own memory
	Platform Kind = "platform" // everything that the firmware accounts for
)

// Zone is the share of one power domain in a reading.
type Zone struct {
	Name    string `json:"name"`           // such as package-0 or package-0/dram
	Kind    Kind   `json:"kind,omitempty"` // empty only in records of before it was kept; see UnmarshalJSON
	Energy  Energy `json:"energy"`         // µJ over the interval
	Counted bool   `json:"counted"`        // whether it is part of the reading's sum
	Note    string `json:"note,omitempty"`

	Estimated bool `json:"estimated,omitempty"` // by a model of power, not a counter; not kept in older records
}

// UnmarshalJSON reads a zone. Records of before zones had a kind get it from
// the names that zones had then.
func (z *Zone) UnmarshalJSON(data []byte) error {
	type plain Zone
	if err := json.Unmarshal(data, (*plain)(z)); err != nil || z.Kind != "" {
		return err
	}
	z.Kind = CPU
	switch {
	case strings.HasPrefix(z.Name, "gpu-"):
		z.Kind = GPU
	case strings.Contains(z.Name, "dram") || z.Name == "memory":
		z.Kind = Memory
	case strings.Contains(z.Name, "psys"):
		z.Kind = Platform
	}
	return nil
}

// Gap is a time within a reading for which a zone could not be read and whose
// energy is interpolated or, where the quality is Partial, missing.
type Gap struct {
	Zone   string    `json:"zone"`
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Reason string    `json:"reason"`
	Open   bool      `json:"open,omitempty"` // it lies after the newest good reading: one to come may close it
}

// Reading is the energy of one interval.
type Reading struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Energy   Energy    `json:"energy"`             // µJ; meaningless when Unavailable
	Low      Energy    `json:"low"`                // lower bound; equals Energy when Measured
	High     Energy    `json:"high"`               // upper bound; equals Energy when Measured
	Modelled Energy    `json:"modelled,omitempty"` // µJ of Energy that a model of power gave, not a counter
	Zones    []Zone    `json:"zones"`              // every zone that was read, counted or not
	Gaps     []Gap     `json:"gaps,omitempty"`     // failed reads
	Quality  Quality   `json:"quality"`
	Method   string    `json:"method"`             // rapl, nvml, rapl+nvml, exporter, estimate, codecarbon-2.3, off
	Reason   string    `json:"reason,omitempty"`   // why it is Unavailable or Partial, and what to do about it
	Warnings []string  `json:"warnings,omitempty"` // assumptions and oddities that belong beside the figure

	// Figures beside the headline, which is the whole machine; nil where unknown.
	AboveIdle   *Energy  `json:"above_idle,omitempty"`   // less the idle baseline
	ServerShare *float64 `json:"server_share,omitempty"` // [0,1]: the model server's part of the busy CPU time
}

// MeasuredPart is the part of the energy that counters gave.
func (r Reading) MeasuredPart() Energy {
	if r.Quality == Estimated || r.Quality == Unavailable {
		return 0
	}
	return r.Energy - min(r.Modelled, r.Energy)
}

// MeasuredShare is the part of the energy that counters gave, from 0 to 1; nil
// where there is no energy.
func (r Reading) MeasuredShare() *float64 {
	if r.Quality == Unavailable || r.Energy == 0 {
		return nil
	}
	share := float64(r.MeasuredPart()) / float64(r.Energy)
	return &share
}

// MeanW is the mean power in W; 0 over no time.
func (r Reading) MeanW() float64 { return r.watts(r.Energy) }

// BoundsW are the mean powers in W that the bounds stand for.
func (r Reading) BoundsW() (low, high float64) { return r.watts(r.Low), r.watts(r.High) }

// ZoneW is a zone's mean power in W.
func (r Reading) ZoneW(z Zone) float64 { return r.watts(z.Energy) }

func (r Reading) watts(e Energy) float64 {
	if seconds := r.End.Sub(r.Start).Seconds(); seconds > 0 {
		return e.Joules() / seconds
	}
	return 0
}

// Meter reads energy over intervals. A Meter samples from Start to Close;
// Read may be called between them, from one goroutine.
type Meter interface {
	// Start begins sampling. It fails only where the meter was asked for by
	// name and cannot work; the error says why and what to do.
	Start(ctx context.Context) error
	// Read returns the energy of [from, to], both after Start and not in the
	// future. It is cheap enough to be called after every reply.
	Read(from, to time.Time) Reading
	// Close ends the sampling and waits for it.
	Close() error
}
