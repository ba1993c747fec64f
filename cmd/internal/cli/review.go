package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/reports/files"
)

func newReviewCmd(a *app) *cobra.Command {
	var run string
	imp := &cobra.Command{
		Use:   "import report.xlsx",
		Short: "Read the Review sheet of a workbook into its run and write the reports again",
		Args:  exactArgs("report.xlsx"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.importReviews(cmd.Context(), args[0], run)
		},
	}
	imp.Flags().StringVar(&run, "run", "", "the run's folder (default: the workbook's)")
	return newGroupCmd("review", "Bring people's verdicts back into a run", imp)
}

func (a *app) importReviews(ctx context.Context, workbook, run string) error {
	open := func(ctx context.Context, dir string) (files.ReviewStore, error) { return runstore.Open(ctx, dir) }
	stored, err := files.ReviewImport{Workbook: workbook, Run: run, Open: open, Now: a.now}.Store(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.out, inert(stored.String()))
	return withRun(ctx, stored.Dir, func(store *runstore.Store) error {
		r, err := files.Build(ctx, store, nil)
		if err != nil {
			return err
		}
		_, err = files.Write(ctx, r, files.Default(), r.Dir)
		return err
	})
}
