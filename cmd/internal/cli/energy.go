package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/machine"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports/text"
)

func newEnergyCmd(a *app) *cobra.Command {
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
			return text.WriteProbe(a.out, p)
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
			o.tty = terminal(a.out)
			return energyWatch(a.drain, a.out, o, a.thisMachine(exporters))
		},
	}
	f := watch.Flags()
	f.DurationVar(&o.Period, "period", time.Second, "time between two lines")
	f.DurationVar(&o.For, "for", 0, "watch for so long, such as 30s, and end with the whole")
	f.BoolVar(&o.JSON, "json", false, "as JSON: a line a period or, with --for, one for the whole")
	for _, c := range []*cobra.Command{probe, watch} {
		c.Flags().StringSliceVar(&exporters, "exporter", nil, "read energy from the exporter at this `URL`, too; may be repeated")
	}
	return newGroupCmd("energy", "What this machine can measure, and why not", probe, watch)
}

func (a *app) thisMachine(exporters []string) machine.Options {
	return machine.Options{Exporters: exporters, Sysfs: a.settings.Sysfs.Value, Procfs: a.settings.Procfs.Value}
}

type watchOptions struct {
	Period, For time.Duration // For: 0 is until interrupted
	JSON, tty   bool
}

func (o watchOptions) check() error {
	switch {
	case o.Period < 100*time.Millisecond:
		return eval.BadInput(fmt.Errorf("energy watch: --period %s: it must be at least 100ms", o.Period), "")
	case o.For < 0:
		return eval.BadInput(fmt.Errorf("energy watch: --for %s: it must be above 0", o.For), "")
	}
	return nil
}

// energyWatch writes the watts of every zone each period until ctx ends: a
// plain line, or on a terminal a table that is redrawn. For a given time it
// ends with the whole; as JSON that is all it writes.
func energyWatch(ctx context.Context, out io.Writer, o watchOptions, m machine.Options) error {
	if err := o.check(); err != nil {
		return err
	}
	each := func(r emissions.Reading) error { return text.WriteReading(out, r) }
	switch {
	case o.JSON && o.For > 0:
		each = nil
	case o.JSON:
		each = func(r emissions.Reading) error { return text.WriteReadingJSON(out, r) }
	case o.tty:
		each = (&text.WatchScreen{Out: out, Size: func() (int, int) { return terminalSize(out) }}).Draw
	}
	whole, err := machine.Watch(ctx, m, o.Period, o.For, each)
	switch {
	case err != nil || o.For == 0:
		return err
	case o.JSON:
		return text.WriteReadingJSON(out, whole)
	}
	fmt.Fprintf(out, "whole %.1f s, %.4g Wh: ", whole.End.Sub(whole.Start).Seconds(), whole.Energy.WattHours())
	return text.WriteReading(out, whole)
}
