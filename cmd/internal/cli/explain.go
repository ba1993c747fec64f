package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/reports/explain"
)

func newExplainCmd(a *app) *cobra.Command {
	var model, query string
	var sample int
	cmd := &cobra.Command{
		Use:     "explain RUN --model M --query Q",
		Short:   "Derive every score of one reply before your eyes",
		Example: "  disteval explain runs/20260102-150405-1a2b3c --model mini-student --query geo-capital-france",
		Args:    exactArgs("RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.explain(cmd.Context(), args[0], eval.JobID{Model: model, Query: query, Sample: sample})
		},
	}
	cmd.Flags().StringVar(&model, "model", "", "the model's name in the run")
	cmd.Flags().IntVar(&sample, "sample", 0, "which sample of the query, from 0")
	cmd.Flags().StringVar(&query, "query", "", "the query's id")
	return cmd
}

func (a *app) explain(ctx context.Context, dir string, id eval.JobID) error {
	return withRun(ctx, dir, func(store *runstore.Store) error {
		return explain.Write(ctx, a.out, store, id, func(by eval.Scoring) (scoring.Config, error) { return a.session().ScoringConfig(ctx, by) })
	})
}
