package runstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/disteval/disteval/eval"
)

// Done tells which jobs have an outcome. The failures of a model that was
// given up do not count: they belong to the outage that stopped it.
func (s *Store) Done(ctx context.Context) (map[eval.JobID]bool, error) {
	done := make(map[eval.JobID]bool)
	err := s.each(ctx, func(rows *sql.Rows) error {
		var m, q, sample int
		if err := rows.Scan(&m, &q, &sample); err != nil {
			return err
		}
		id, err := s.jobAt(m, q, sample)
		done[id] = true
		return err
	}, `SELECT model, query, sample FROM replies
		WHERE failure_kind IS NULL OR model NOT IN (SELECT model FROM gave_up)`)
	if err != nil {
		return nil, fmt.Errorf("read what %s has: %w", s.dir, err)
	}
	return done, nil
}

// jobAt names the job of two stored indexes. A row of a model or a query that
// the plan has not is a damaged record.
func (s *Store) jobAt(model, query, sample int) (eval.JobID, error) {
	name, err := s.modelAt(model)
	if err != nil {
		return eval.JobID{}, err
	}
	asked := s.record.Plan.Queries.Queries
	if query < 0 || query >= len(asked) {
		return eval.JobID{}, damaged(s.dir, fmt.Sprintf("it has a row of query %d, and the plan has %d queries", query, len(asked)))
	}
	if most := max(1, s.record.Plan.Samples); sample < 0 || sample >= most {
		return eval.JobID{}, damaged(s.dir, fmt.Sprintf("it has a row of sample %d, and the plan has %d of each query", sample, most))
	}
	return eval.JobID{Model: name, Query: asked[query].ID, Sample: sample}, nil
}

func (s *Store) modelAt(model int) (name string, err error) {
	models := s.record.Plan.Models
	if model < 0 || model >= len(models) {
		return "", damaged(s.dir, fmt.Sprintf("it has a row of model %d, and the plan has %d models", model, len(models)))
	}
	return models[model].Name, nil
}

// SetParallel states how many requests the process that now goes on keeps in
// flight; it is not part of what the run is bound to.
func (s *Store) SetParallel(n int) { s.record.Plan.Parallel = n }

// Record returns the record as of the last Refresh.
func (s *Store) Record() eval.RunRecord { return s.record }

// Replies yields every outcome with the scores of the record's scoring,
// ordered by model, query and sample. It stops at the first error, which it
// yields. What this process has written comes out of its memory, once, without
// the check that rows of the disk go through.
func (s *Store) Replies(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		known, ok := s.memory.handOver(s.scoring())
		for m := range s.record.Plan.Models {
			if ok && !s.yieldRemembered(ctx, m, known[m], yield) || !ok && !s.yieldReplies(ctx, m, yield) {
				return
			}
		}
	}
}

// RepliesOf yields the outcomes of one model as Replies does.
func (s *Store) RepliesOf(ctx context.Context, model string) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) { s.yieldReplies(ctx, s.models[model], yield) }
}

// Reply returns one outcome; ok is false where there is none yet.
func (s *Store) Reply(ctx context.Context, id eval.JobID) (r eval.ScoredReply, ok bool, err error) {
	model, query, err := s.job(id)
	if err != nil {
		return r, false, err
	}
	scan, err := s.scan(ctx, model)
	if err != nil {
		return r, false, err
	}
	defer scan.close()
	page, err := scan.read(ctx, place{query, id.Sample - 1}, 1)
	if err != nil {
		return r, false, err
	}
	replies, err := scan.page(page)
	if err != nil || len(replies) == 0 || replies[0].Reply.JobID != id {
		return r, false, err
	}
	return replies[0], true, nil
}

// Tokens returns the tokens of one reply; ok is false where there is none, or a
// failure. It is asked once for each probe and reads nothing else: that a row
// is what was stored shows when its reply is read.
func (s *Store) Tokens(ctx context.Context, id eval.JobID) (tokens []eval.Token, ok bool, err error) {
	model, query, err := s.job(id)
	if err != nil {
		return nil, false, err
	}
	err = s.each(ctx, func(rows *sql.Rows) error {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		if ok = true; text == "" {
			return nil
		}
		if err := json.Unmarshal([]byte(text), &tokens); err != nil {
			return damaged(s.dir, fmt.Sprintf("the tokens of %s cannot be read: %v", id, err))
		}
		return nil
	}, "SELECT tokens FROM replies WHERE model = ? AND query = ? AND sample = ? AND failure_kind IS NULL", model, query, id.Sample)
	return tokens, ok && err == nil, err
}

// scoring is the number of the record's scoring; 0 where there is none.
func (s *Store) scoring() int {
	if s.record.Scoring == nil {
		return 0
	}
	return s.record.Scoring.ID
}

// floor is a model's in the record's scoring; nil where it is not known.
func (s *Store) floor(model int) *float64 {
	if s.record.Scoring == nil {
		return nil
	}
	if f, ok := s.record.Scoring.Floors[s.record.Plan.Models[model].Name]; ok {
		return &f
	}
	return nil
}
