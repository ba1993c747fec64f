package cli

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/reports/text"
)

func newModelsCmd(a *app) *cobra.Command {
	var file string
	var commands []*cobra.Command
	for _, c := range []struct {
		name, short string
		do          func(context.Context, string) error
	}{
		{"list", "Show what is known of each model", func(ctx context.Context, file string) error { return a.describeModels(ctx, file, false) }},
		{"check", "Fail when a model is missing, has too few positions, or cannot do what the file asks of it",
			func(ctx context.Context, file string) error { return a.describeModels(ctx, file, true) }},
		{"pull", "Fetch what is missing into Ollama", a.pullModels},
	} {
		commands = append(commands, &cobra.Command{Use: c.name, Short: c.short, Args: exactArgs(),
			RunE: func(cmd *cobra.Command, _ []string) error { return c.do(cmd.Context(), file) }})
	}
	cmd := newGroupCmd("models", "List, check or fetch the models of a models file, or examine a checkpoint", append(commands, newModelsDoctorCmd(a))...)
	cmd.PersistentFlags().StringVar(&file, "models", "models.yaml", "models file, or builtin")
	return cmd
}

// describeModels shows every model of a models file, missing ones with the
// reason; as a check it fails with the first thing that would stop a run.
func (a *app) describeModels(ctx context.Context, file string, check bool) error {
	plan, err := a.loadPlan(file)
	if err != nil {
		return err
	}
	rows := a.session().Providers.Describe(ctx, plan)
	if err := text.WriteModels(a.out, rows, check); err != nil || !check {
		return err
	}
	for _, r := range rows {
		if err := cmp.Or(r.Err, r.Lacks); err != nil {
			return err
		}
	}
	return nil
}
