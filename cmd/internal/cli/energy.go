package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/emissions/machine"
)

func newEnergyCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "energy",
		Short: "What this machine can measure, and why not",
		Args:  exactArgs("probe|watch"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return usageError{fmt.Errorf("energy: %q is neither probe nor watch", args[0]), "see disteval energy --help"}
		},
	}
	probe := &cobra.Command{
		Use:   "probe",
		Short: "List every energy counter, whether it can be read, and what to do where not",
		Args:  exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			return energyProbe(a.out, machine.Examine(a.thisMachine()))
		},
	}
	var period time.Duration
	watch := &cobra.Command{
		Use:   "watch",
		Short: "Show watts per zone until interrupted",
		Args:  exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			if period < 100*time.Millisecond {
				return usageError{fmt.Errorf("energy watch: --period %s: it must be at least 100ms", period), ""}
			}
			return energyWatch(a.drain, a.out, terminal(a.out), period, a.thisMachine())
		},
	}
	watch.Flags().DurationVar(&period, "period", time.Second, "time between two lines")
	cmd.AddCommand(probe, watch)
	return cmd
}

func (a *app) thisMachine() machine.Options {
	return machine.Options{Sysfs: a.settings.Sysfs.Value, Procfs: a.settings.Procfs.Value}
}
