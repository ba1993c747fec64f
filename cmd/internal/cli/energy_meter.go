package cli

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/codecarbon"
	"github.com/disteval/disteval/emissions/hostload"
	"github.com/disteval/disteval/emissions/nvml"
	"github.com/disteval/disteval/emissions/rapl"
)

// MeterConfig says how a run's energy is obtained.
type MeterConfig struct {
	Method       string        // auto, rapl, nvml, estimate, codecarbon-2.3 or off; empty is auto
	Sysfs        string        // empty is /sys
	Procfs       string        // empty is /proc
	CPUTDPW      float64       // W, 0 where not known
	ServerAddr   string        // host:port of the model server; empty for models in this process
	Remote       bool          // the model server is on another machine
	IdleBaseline time.Duration // how long the idle machine is measured first; 0 is off
	LockDir      string        // where metered runs find each other; empty is the machine's
}

// newMeter returns the meter of a configuration. A source that cannot be had
// makes readings unavailable with the reason; only an unknown method is an error.
func newMeter(cfg MeterConfig) (emissions.Meter, error) {
	cfg.Sysfs, cfg.Procfs = cmp.Or(cfg.Sysfs, "/sys"), cmp.Or(cfg.Procfs, "/proc")
	cfg.Method = cmp.Or(cfg.Method, "auto")
	source, err := energySource(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Method == "off" {
		return source, nil
	}
	if cfg.Remote || !isLocal(cfg.ServerAddr) {
		return emissions.NewUnavailable(cfg.Method, fmt.Sprintf(
			"the model server %s is another machine, whose energy cannot be read from here: run disteval on it", cfg.ServerAddr)), nil
	}
	m := emissions.WithBaseline(source, cfg.IdleBaseline)
	m = hostload.WithServerShare(m, cfg.Procfs, cfg.ServerAddr)
	return emissions.WarnOverlap(m, cmp.Or(cfg.LockDir, emissions.LockDir())), nil
}

func isLocal(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err != nil || hostload.IsLocal(host)
}

func energySource(cfg MeterConfig) (emissions.Meter, error) {
	load := hostload.Options{Procfs: cfg.Procfs, Sysfs: cfg.Sysfs, TDPW: cfg.CPUTDPW, Getenv: os.Getenv}
	switch cfg.Method {
	case "auto":
		return autoSource(cfg, load), nil
	case "rapl":
		return rapl.New(cfg.Sysfs), nil
	case "nvml":
		return nvml.New(), nil
	case "estimate":
		return hostload.New(load), nil
	case "codecarbon-2.3":
		host, err := hostload.Inspect(load)
		if err != nil {
			return emissions.NewUnavailable(codecarbon.Method, fmt.Sprintf("the size of the memory is not known: %v", err)), nil
		}
		return codecarbon.NewMeter(cmp.Or(cfg.CPUTDPW, host.TDPW()), host.MemoryGB), nil
	case "off":
		return emissions.NewUnavailable("off", "metering is off (emissions.method)"), nil
	}
	return nil, fmt.Errorf("emissions.method %q is not known: use auto, rapl, nvml, estimate, codecarbon-2.3 or off", cfg.Method)
}

// autoSource takes every counter that can be read. Without one for the
// processor its load stands in. An accelerator that is there and cannot be
// metered leaves the sum partial.
func autoSource(cfg MeterConfig, load hostload.Options) emissions.Meter {
	var sources []emissions.Meter
	if rapl.Examine(cfg.Sysfs).Reason == "" {
		sources = append(sources, rapl.New(cfg.Sysfs))
	} else {
		sources = append(sources, hostload.New(load))
	}
	if nvml.Examine().Reason == "" || hasNVIDIA(cfg.Procfs) {
		sources = append(sources, nvml.New())
	}
	if len(sources) == 1 {
		return sources[0]
	}
	return emissions.Combine(sources...)
}

// hasNVIDIA tells whether NVIDIA's driver runs an accelerator here.
func hasNVIDIA(procfs string) bool {
	devices, err := os.ReadDir(filepath.Join(procfs, "driver/nvidia/gpus"))
	return err == nil && len(devices) > 0
}
