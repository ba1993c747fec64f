package cli

import (
	"context"
	"fmt"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/machine"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/ollama"
)

// meters are the running meters of a plan's models.
type meters struct {
	*machine.Meters
	server map[string]string // by model: its server's host:port, empty for this process
}

// startMeters starts what meters the plan's models. Sampling goes on from
// before the first question until Close.
func (a *app) startMeters(ctx context.Context, plan eval.Plan) (*meters, error) {
	e := plan.Emissions
	m := &meters{server: map[string]string{}}
	var servers []string
	for _, model := range plan.Models {
		addr := ""
		if model.Provider != eval.ProviderBuiltin {
			base, err := ollama.Host(model.Host)
			if err != nil {
				return nil, err
			}
			addr = base.Host
		}
		m.server[model.Name] = addr
		servers = append(servers, addr)
	}
	if e.IdleBaseline > 0 {
		fmt.Fprintf(a.err, "measuring the idle baseline for %s\n", e.IdleBaseline)
	}
	var err error
	m.Meters, err = machine.Start(ctx, machine.Options{Method: e.Method, Sysfs: e.Sysfs, Procfs: e.Procfs,
		CPUTDPW: e.CPUTDPW, IdleBaseline: e.IdleBaseline, LockDir: a.settings.LockDir.Value}, servers)
	return m, err
}

func (m *meters) of(model eval.Model) emissions.Meter { return m.Of(m.server[model.Name]) }
