package cli

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports/files"
)

func newInitCmd(a *app) *cobra.Command {
	var out string
	var force bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a models file for what is on this machine",
		Long: `Looks for the models of the Ollama at OLLAMA_HOST and for .gguf files, and writes a
commented models file that asks them. Where there is nothing, the file asks the
miniatures inside the program and says the way on.`,
		Example: `  disteval init
  disteval init --out students.yaml --force`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.init(cmd.Context(), out, force) },
	}
	cmd.Flags().StringVar(&out, "out", "models.yaml", "the models `FILE` to write; - is standard output")
	cmd.Flags().BoolVar(&force, "force", false, "write over a file that is there")
	return cmd
}

func (a *app) init(ctx context.Context, file string, force bool) error {
	if file != "-" && !force && exists(file) {
		return eval.BadInput(fmt.Errorf("init: %s is there already", file), "add --force to write over it")
	}
	draft := a.session().Find(ctx, filepath.Dir(file)).Draft(file)
	if ctx.Err() != nil {
		return eval.ErrInterrupted
	}
	if file == "-" {
		return draft.Write(a.out)
	}
	if err := files.Atomic(file, draft.Write); err != nil {
		return eval.WithHint(fmt.Errorf("init: write %s: %w", file, err), "choose a place that can be written to")
	}
	for _, line := range draft.Found {
		fmt.Fprintln(a.err, inert(line))
	}
	_, err := fmt.Fprintf(a.out, "wrote %s (models: %d); next: disteval run --models %s\n", file, len(draft.Models), file)
	return err
}
