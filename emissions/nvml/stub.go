//go:build !nvml || !cgo

package nvml

import "github.com/disteval/disteval/emissions"

const notBuilt = "this build has no NVML: build with CGO_ENABLED=1 go build -tags nvml to meter NVIDIA accelerators"

// New returns a Meter whose readings are unavailable: NVML is not built in.
func New() emissions.Meter { return emissions.NewUnavailable(Method, notBuilt) }

// Examine says that NVML is not built in.
func Examine() Probe { return Probe{Reason: notBuilt} }
