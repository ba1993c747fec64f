// Package nvml meters NVIDIA accelerators through NVIDIA's management library,
// which the driver brings.
//
// Policy: the library is opened when it is asked for, not when the program
// starts, and a machine without it costs nothing but a sentence. A card's own
// counter of energy is taken where it has one (Volta and later); otherwise its
// power is integrated, and called so. The figure is always the whole card's,
// whoever uses it; who does is told beside it. Handles that the library did
// not return are never passed to it.
//
// A build with the tag static, which is linked to nothing, has no NVML and
// says so.
package nvml

// Method is the name of this source of energy.
const Method = "nvml"

// Probe is what the machine's accelerators offer.
type Probe struct {
	Devices []Device
	Missing []string // cards that cannot be metered, and why
	Reason  string   // why nothing can be metered, and what to do; empty where something can
}

// Device is one card that can be metered.
type Device struct {
	Name       string // gpu-0 and the card's name
	UUID       string // NVIDIA's name of the card
	Integrated bool   // it has no counter of energy: its power is integrated
	MIG        bool   // it is split into instances, of which NVML counts none apart
}
