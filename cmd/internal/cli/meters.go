package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/ollama"
)

// meters are the running meters of a plan, one for each place where models
// answer.
type meters struct {
	byPlace map[string]emissions.Meter
}

// answersAt names where a model answers: its server's address, or this process.
func answersAt(m eval.Model) string {
	if m.Provider == eval.ProviderBuiltin {
		return ""
	}
	return m.Host
}

// startMeters starts what meters the plan's models. Sampling goes on from
// before the first question until close.
func (a *app) startMeters(ctx context.Context, plan eval.Plan) (*meters, error) {
	out := &meters{byPlace: make(map[string]emissions.Meter)}
	for _, m := range plan.Models {
		at := answersAt(m)
		if _, ok := out.byPlace[at]; ok {
			continue
		}
		cfg, err := a.meterConfig(plan.Emissions, at)
		if err != nil {
			return nil, errors.Join(err, out.close())
		}
		meter, err := newMeter(cfg)
		if err == nil {
			if cfg.IdleBaseline > 0 {
				fmt.Fprintf(a.err, "measuring the idle baseline for %s\n", cfg.IdleBaseline)
			}
			err = meter.Start(ctx)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start metering: %w", err), out.close())
		}
		out.byPlace[at] = meter
	}
	return out, nil
}

func (a *app) meterConfig(e eval.Emissions, at string) (MeterConfig, error) {
	cfg := MeterConfig{Method: e.Method, Sysfs: e.Sysfs, Procfs: e.Procfs, CPUTDPW: e.CPUTDPW, IdleBaseline: e.IdleBaseline}
	if at == "" {
		return cfg, nil
	}
	base, err := ollama.Host(at)
	if err != nil {
		return cfg, err
	}
	cfg.ServerAddr = base.Host
	return cfg, nil
}

func (m *meters) of(model eval.Model) emissions.Meter { return m.byPlace[answersAt(model)] }

func (m *meters) close() error {
	var err error
	for _, meter := range m.byPlace {
		err = errors.Join(err, meter.Close())
	}
	return err
}
