// Package nvml meters NVIDIA accelerators by their total energy counters.
//
// Policy: it is there only in a build with the tag nvml, which needs cgo.
// Any other build says so and measures nothing.
package nvml

// Method is the name of this source of energy.
const Method = "nvml"

// Probe is what the machine's accelerators offer.
type Probe struct {
	Devices []string // index, name and UUID of those whose counter can be read
	Reason  string   // why nothing can be metered, and what to do; empty where something can
}
