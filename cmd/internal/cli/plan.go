package cli

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/spec"
)

// builtinModels is the models file of the models inside the program.
//
//go:embed builtin.yaml
var builtinModels []byte

// loadPlan reads a models file; builtin is the embedded one.
func (a *app) loadPlan(models string) (eval.Plan, error) {
	s := a.settings
	d := spec.Defaults{Country: s.Country.Value, Sysfs: s.Sysfs.Value, Procfs: s.Procfs.Value}
	var plan eval.Plan
	var err error
	if models == "builtin" {
		plan, err = spec.Parse(builtinModels, "builtin", d)
	} else {
		plan, err = spec.Load(models, d)
	}
	var file *fs.PathError
	if errors.As(err, &file) {
		return plan, eval.BadInput(fmt.Errorf("the models file: %w", err),
			"name a file that can be read; disteval init writes one for what is on this machine, and --models builtin needs none")
	}
	if err != nil {
		return plan, err
	}
	// What the user says on the command line or in the environment stands
	// above the file.
	for _, o := range []struct {
		setting setting
		to      *string
	}{{s.Country, &plan.Emissions.Country}, {s.Sysfs, &plan.Emissions.Sysfs}, {s.Procfs, &plan.Emissions.Procfs}} {
		if stated(o.setting) {
			*o.to = o.setting.Value
		}
	}
	return plan, nil
}
