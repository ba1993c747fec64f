package cli

import (
	"fmt"
	"os"
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
				return eval.BadInput(fmt.Errorf("energy watch: --period %s: it must be at least 100ms", period), "")
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

func newAuditCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "audit FILE|published",
		Short: "Check whether a table of durations and emissions is physically plausible",
		Long: `Reads a CSV with the columns name, duration_s, emissions_kg and optionally
country, energy_kwh, cpu_tdp_w, ram_gb (- is standard input; published is the
table of the study that this program was made to check), and says what power
each row implies, which rows are a constant times the duration, and which
cannot be right. Exit code 3 when a row is implausible.`,
		Args: exactArgs("FILE|published"),
		RunE: func(_ *cobra.Command, args []string) error { return a.audit(args[0]) },
	}
}

func (a *app) audit(name string) error {
	in := a.in
	switch name {
	case auditPublished: // runAudit has it
	case "-":
		name = "standard input"
	default:
		f, err := os.Open(name)
		if err != nil {
			return eval.BadInput(fmt.Errorf("audit: %w", err), "name a CSV file with the columns name,duration_s,emissions_kg, or published")
		}
		defer f.Close()
		in = f
	}
	implausible, err := runAudit(a.out, in, name)
	if err == nil && implausible {
		err = exitError(exitRegression)
	}
	return err
}
