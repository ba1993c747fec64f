package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/queries"
)

func newExplainCmd(a *app) *cobra.Command {
	var model, query string
	cmd := &cobra.Command{
		Use:     "explain RUN --model M --query Q",
		Short:   "Derive every score of one reply before your eyes",
		Example: "  disteval explain runs/20260102-150405-1a2b3c --model mini-student --query geo-capital-france",
		Args:    exactArgs("RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.explain(cmd.Context(), args[0], eval.JobID{Model: model, Query: query})
		},
	}
	cmd.Flags().StringVar(&model, "model", "", "the model's name in the run")
	cmd.Flags().StringVar(&query, "query", "", "the query's id")
	return cmd
}

func (a *app) explain(ctx context.Context, dir string, id eval.JobID) error {
	store, err := runstore.Read(ctx, dir)
	if err != nil {
		return err
	}
	defer store.Close()
	rec := store.Record()
	if err := known(rec.Plan, id); err != nil {
		return err
	}
	r, ok, err := store.Reply(ctx, id)
	switch {
	case err != nil:
		return err
	case !ok:
		return eval.WithHint(fmt.Errorf("explain %s: the run has no outcome for it", id), "disteval run --resume "+dir)
	case r.Reply.Failure != nil:
		_, err := fmt.Fprintf(a.out, "%s has no answer and no score: %s\n", inert(id.String()), inert(r.Reply.Failure.Error()))
		return err
	}
	s := rec.Plan.Scoring
	var floor *float64
	if rec.Scoring != nil {
		s = rec.Scoring.Scoring
		if f, ok := rec.Scoring.Floors[id.Model]; ok {
			floor = &f
		}
	}
	cfg, err := a.session().ScoringConfig(ctx, s)
	if err != nil {
		return err
	}
	pair := cfg.Pair(r.Query, r.Reply.Text)
	result, err := scoring.New(cfg).Score(ctx, pair)
	if err != nil {
		return fmt.Errorf("explain %s: %w", id, err)
	}
	embedding := ""
	if cfg.Embedder != nil {
		embedding = cfg.Embedder.Name()
	}
	return writeExplanation(a.out, r.Query, pair, result, floor, embedding)
}

// known refuses names that are not in the plan, with those that are.
func known(p eval.Plan, id eval.JobID) error {
	var names []string
	for _, m := range p.Models {
		names = append(names, m.Name)
	}
	if !slices.Contains(names, id.Model) {
		return eval.BadInput(fmt.Errorf("explain: the run has no model %q", id.Model), fmt.Sprintf("--model is one of %q", names))
	}
	if !slices.ContainsFunc(p.Queries.Queries, func(q queries.Query) bool { return q.ID == id.Query }) {
		return eval.BadInput(fmt.Errorf("explain: the run has no query %q", id.Query), "replies.jsonl in the run's folder lists them as query_id")
	}
	return nil
}
