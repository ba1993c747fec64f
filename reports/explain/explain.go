// Package explain derives every score of one stored reply before a reader's
// eyes.
//
// Policy: it scores the reply again, as the run states, and shows the parts
// that the scores are made of; nothing here is taken from stored scores.
package explain

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

// Run is what an explanation needs of a stored run.
type Run interface {
	Record() eval.RunRecord
	Reply(ctx context.Context, id eval.JobID) (eval.ScoredReply, bool, error)
}

// Write writes the explanation of one reply. configure turns the run's scoring
// into that of a scorer.
func Write(ctx context.Context, w io.Writer, run Run, id eval.JobID, configure func(eval.Scoring) (scoring.Config, error)) error {
	rec := run.Record()
	if err := known(rec.Plan, id); err != nil {
		return err
	}
	r, ok, err := run.Reply(ctx, id)
	switch {
	case err != nil:
		return err
	case !ok:
		return eval.WithHint(fmt.Errorf("explain %s: the run has no outcome for it", id), "disteval run --resume "+rec.Dir)
	case r.Reply.Failure != nil:
		_, err := fmt.Fprintf(w, "%s has no answer and no score: %s\n", reports.Line(id.String()), reports.Line(r.Reply.Failure.Error()))
		return err
	}
	s := rec.Plan.Scoring
	e := explanation{stored: r}
	if rec.Scoring != nil {
		s = rec.Scoring.Scoring
		if f, ok := rec.Scoring.Floors[id.Model]; ok {
			e.floor = &f
		}
	}
	cfg, err := configure(s)
	if err != nil {
		return err
	}
	cfg.Answers = scoring.NewAnswers(rec.Plan.Queries)
	e.asked(rec.Plan, id, r.Query)
	e.pair = cfg.Pair(r.Query, r.Reply.Text)
	if e.result, err = scoring.New(cfg).Score(ctx, e.pair); err != nil {
		return fmt.Errorf("explain %s: %w", id, err)
	}
	embedding := ""
	if cfg.Embedder != nil {
		embedding = cfg.Embedder.Name()
	}
	return e.write(w, r.Query, embedding)
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
