package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/spec"
	"github.com/disteval/disteval/reports/html"
	"github.com/disteval/disteval/reports/text"
)

func newDoctorCmd(a *app) *cobra.Command {
	var models string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what works on this machine and what does not, with a cure for each",
		Long: `Looks at the model server and its models, the models file, the sources of energy,
the carbon factor, the folders that are written to and the charts of reports.

Exit codes: 0 something can run; 1 nothing can.`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context(), models, asJSON) },
	}
	cmd.Flags().StringVar(&models, "models", "models.yaml", "models file to look at")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// checkupJSON is what doctor says to scripts.
type checkupJSON struct {
	Schema     string           `json:"schema"`
	Version    string           `json:"version"`
	Platform   string           `json:"platform"`
	CanRun     bool             `json:"can_run"`
	Conditions []eval.Condition `json:"conditions"`
}

func (a *app) doctor(ctx context.Context, models string, asJSON bool) error {
	s := a.settings
	all := append(a.session().Checkup(ctx, models, s.Out.Value, spec.Defaults{Country: s.Country.Value, Sysfs: s.Sysfs.Value, Procfs: s.Procfs.Value}), html.Condition())
	if ctx.Err() != nil {
		return eval.ErrInterrupted
	}
	var err error
	for _, c := range all {
		if c.Needed && c.State == eval.Fails {
			err = eval.WithHint(errors.New("nothing can run here: "+c.Found), c.Cure)
		}
	}
	if asJSON {
		said := checkupJSON{"disteval.doctor/1", version(), runtime.GOOS + "/" + runtime.GOARCH, err == nil, all}
		return errors.Join(text.WriteJSON(a.out, said), err)
	}
	fmt.Fprintf(a.out, "disteval %s on %s/%s\n\n", version(), runtime.GOOS, runtime.GOARCH)
	return errors.Join(text.WriteConditions(a.out, all, a.color(a.out)), err)
}
