package cli

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/emissions/machine"
	"github.com/disteval/disteval/eval"
)

func newEnergyCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "energy",
		Short: "What this machine can measure, and why not",
		Args:  exactArgs("probe|watch"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return eval.BadInput(fmt.Errorf("energy: %q is neither probe nor watch", args[0]), "see disteval energy --help")
		},
	}
	var probeJSON bool
	var exporters []string
	probe := &cobra.Command{
		Use:   "probe",
		Short: "List every energy counter, whether it can be read, and what to do where not",
		Args:  exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			p := machine.Examine(a.drain, a.thisMachine(exporters))
			if probeJSON {
				return json.NewEncoder(a.out).Encode(p)
			}
			return energyProbe(a.out, p)
		},
	}
	probe.Flags().BoolVar(&probeJSON, "json", false, "as JSON")
	var o watchOptions
	watch := &cobra.Command{
		Use:   "watch",
		Short: "Show watts per zone until interrupted",
		Example: `  disteval energy watch
  disteval energy watch --for 30s --json`,
		Args: exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return energyWatch(a.drain, a.out, terminal(a.out), o, a.thisMachine(exporters))
		},
	}
	f := watch.Flags()
	f.DurationVar(&o.Period, "period", time.Second, "time between two lines")
	f.DurationVar(&o.For, "for", 0, "watch for so long, such as 30s, and end with the whole")
	f.BoolVar(&o.JSON, "json", false, "as JSON: a line a period or, with --for, one for the whole")
	for _, c := range []*cobra.Command{probe, watch} {
		c.Flags().StringSliceVar(&exporters, "exporter", nil, "read energy from the exporter at this `URL`, too; may be repeated")
	}
	cmd.AddCommand(probe, watch)
	return cmd
}

func (a *app) thisMachine(exporters []string) machine.Options {
	return machine.Options{Exporters: exporters, Sysfs: a.settings.Sysfs.Value, Procfs: a.settings.Procfs.Value}
}
