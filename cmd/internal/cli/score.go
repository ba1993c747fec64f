package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/files"
)

func newScoreCmd(a *app) *cobra.Command {
	var pairs, embedding string
	var includePrompt bool
	var without []string
	cmd := &cobra.Command{
		Use:   "score RUN | --pairs FILE",
		Short: "Score again without asking any model, or score replies from anywhere",
		Long: `With RUN: scores the stored replies anew, makes that the run's scoring and writes
its reports again.

With --pairs: reads JSON lines with reference and reply, and optionally keyword
(by default the reference), aliases and prompt, and writes each line back with its
scores; null is Unscored. - is standard input.`,
		Example: `  disteval score runs/20260102-150405-1a2b3c --embedding nomic-embed-text
  echo '{"reference": "Paris", "reply": "It is Paris."}' | disteval score --pairs -`,
		Args: atMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			s := eval.Scoring{IncludePrompt: includePrompt, Embedding: embedding}
			switch {
			case pairs != "" && len(args) > 0, pairs == "" && len(args) == 0:
				return eval.BadInput(errors.New("score: name either RUN or --pairs FILE"), "see disteval score --help")
			case pairs != "":
				return a.scorePairs(cmd.Context(), pairs, s)
			}
			return a.scoreRun(cmd.Context(), args[0], without, cmd.Flags().Changed, s)
		},
	}
	cmd.Flags().StringVar(&pairs, "pairs", "", "score the JSON lines of this file; - is standard input")
	cmd.Flags().StringVar(&embedding, "embedding", eval.EmbeddingBuiltin, "builtin, or an embedding model in Ollama")
	cmd.Flags().BoolVar(&includePrompt, "include-prompt", false, "score prompt + reply")
	withoutHostFlag(cmd, &without)
	return cmd
}

func (a *app) scorePairs(ctx context.Context, file string, s eval.Scoring) error {
	cfg, err := a.session().ScoringConfig(ctx, s)
	if err != nil {
		return err
	}
	in := a.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return eval.BadInput(fmt.Errorf("score: %w", err), "name a file of JSON lines, or - for standard input")
		}
		defer f.Close()
		in = f
	}
	return scoring.Pairs(ctx, in, a.out, cfg)
}

// scoreRun scores a stored run as before but for what the flags say.
func (a *app) scoreRun(ctx context.Context, dir string, without []string, stated func(string) bool, s eval.Scoring) error {
	store, err := runstore.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer store.Close()
	a.memory.Hold(store.Record())
	before := store.Record().Plan.Scoring
	if rec := store.Record().Scoring; rec != nil {
		before = rec.Scoring
	}
	if !stated("embedding") {
		s.Embedding = before.Embedding
	}
	if !stated("include-prompt") {
		s.IncludePrompt = before.IncludePrompt
	}
	shown, err := reports.WithoutHosts(store, without)
	if err != nil {
		return err
	}
	if err := a.session().Rescore(ctx, store, shown, s); err != nil {
		return err
	}
	r, err := files.Build(ctx, shown, nil)
	if err != nil {
		return err
	}
	if _, err := files.Write(ctx, r, files.Default(), r.Dir); err != nil {
		return err
	}
	fmt.Fprintf(a.err, "scoring %d: embedding %s, include_prompt %t\n", r.Scoring.ID, s.Embedding, s.IncludePrompt)
	if err := store.Close(); err != nil {
		return err
	}
	return a.printTable(r)
}
