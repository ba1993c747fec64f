package runstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
)

// page is how many replies are read at a time; between pages others may use
// the file.
const page = 1000

// Facts lists what the stored plan's hash covers.
func (s *Store) Facts() []eval.Fact { return s.record.Plan.Facts() }

// Done tells which jobs have an outcome. The failures of a model that was
// given up do not count: they belong to the outage that stopped it.
func (s *Store) Done(ctx context.Context) (map[eval.JobID]bool, error) {
	done := make(map[eval.JobID]bool)
	err := s.each(ctx, func(rows *sql.Rows) error {
		var m, q int
		if err := rows.Scan(&m, &q); err != nil {
			return err
		}
		id, err := s.jobAt(m, q)
		done[id] = true
		return err
	}, `SELECT model, query FROM replies
		WHERE failure_kind IS NULL OR model NOT IN (SELECT model FROM gave_up)`)
	if err != nil {
		return nil, fmt.Errorf("read what %s has: %w", s.dir, err)
	}
	return done, nil
}

// NextProcess is the number of the process that now goes on with the run.
func (s *Store) NextProcess(ctx context.Context) (int, error) {
	var n int
	err := s.db.QueryRowContext(ctx, "SELECT COALESCE(MAX(process), 0) + 1 FROM phases").Scan(&n)
	return n, explain(err)
}

// Refresh reads again what the record holds beside the plan: phases, models
// given up, warnings and the newest complete scoring.
func (s *Store) Refresh(ctx context.Context) error {
	rec := &s.record
	rec.Phases, rec.GaveUp, rec.Scoring, rec.Warnings, rec.MovedTo = nil, make(map[string]string), nil, nil, nil
	err := s.each(ctx, func(rows *sql.Rows) error {
		var m int
		var start, end int64
		var reading string
		var p eval.Phase
		if err := rows.Scan(&m, &p.Process, &p.Name, &start, &end, &reading); err != nil {
			return err
		}
		name, err := s.modelAt(m)
		p.Model, p.Start, p.End = name, time.Unix(0, start), time.Unix(0, end)
		rec.Phases = append(rec.Phases, p)
		return errors.Join(err, json.Unmarshal([]byte(reading), &rec.Phases[len(rec.Phases)-1].Reading))
	}, "SELECT model, process, name, start_ns, end_ns, reading FROM phases ORDER BY model, process, start_ns")
	if err != nil {
		return fmt.Errorf("read the phases in %s: %w", s.dir, err)
	}
	err = s.each(ctx, func(rows *sql.Rows) error {
		var m int
		var reason string
		if err := rows.Scan(&m, &reason); err != nil {
			return err
		}
		name, err := s.modelAt(m)
		rec.GaveUp[name] = reason
		return err
	}, "SELECT model, reason FROM gave_up")
	if err != nil {
		return fmt.Errorf("read the models given up in %s: %w", s.dir, err)
	}
	err = s.each(ctx, func(rows *sql.Rows) error {
		var text string
		err := rows.Scan(&text)
		rec.Warnings = append(rec.Warnings, text)
		return err
	}, "SELECT text FROM warnings ORDER BY text")
	if err != nil {
		return fmt.Errorf("read the warnings in %s: %w", s.dir, err)
	}
	err = s.each(ctx, func(rows *sql.Rows) error {
		var host string
		err := rows.Scan(&host)
		rec.MovedTo = append(rec.MovedTo, host)
		return err
	}, "SELECT value FROM meta WHERE key LIKE 'moved to %' ORDER BY key")
	if err != nil {
		return fmt.Errorf("read the machines in %s: %w", s.dir, err)
	}
	rec.Scoring, err = s.newestScoring(ctx)
	return err
}

// jobAt names the job of two stored indexes. A row of a model or a query that
// the plan has not is a damaged record.
func (s *Store) jobAt(model, query int) (eval.JobID, error) {
	name, err := s.modelAt(model)
	if err != nil {
		return eval.JobID{}, err
	}
	asked := s.record.Plan.Queries.Queries
	if query < 0 || query >= len(asked) {
		return eval.JobID{}, fmt.Errorf("the file is damaged: it has a row of query %d, and the plan has %d queries", query, len(asked))
	}
	return eval.JobID{Model: name, Query: asked[query].ID}, nil
}

func (s *Store) modelAt(model int) (name string, err error) {
	models := s.record.Plan.Models
	if model < 0 || model >= len(models) {
		return "", fmt.Errorf("the file is damaged: it has a row of model %d, and the plan has %d models", model, len(models))
	}
	return models[model].Name, nil
}

// SetParallel states how many requests the process that now goes on keeps in
// flight; it is no part of what the run is bound to.
func (s *Store) SetParallel(n int) { s.record.Plan.Parallel = n }

// Record returns the record as of the last Refresh.
func (s *Store) Record() eval.RunRecord { return s.record }

// Replies yields every outcome with the scores of the record's scoring,
// ordered by model and query. It stops at the first error, which it yields.
func (s *Store) Replies(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		for m := range s.record.Plan.Models {
			after := -1
			for {
				rows, last, err := s.pageOf(ctx, m, after, page)
				if err != nil {
					yield(eval.ScoredReply{}, fmt.Errorf("read the replies in %s: %w", s.dir, err))
					return
				}
				for _, r := range rows {
					if !yield(r, nil) {
						return
					}
				}
				if len(rows) < page {
					break
				}
				after = last
			}
		}
	}
}

// Reply returns one outcome; ok is false where there is none yet.
func (s *Store) Reply(ctx context.Context, id eval.JobID) (r eval.ScoredReply, ok bool, err error) {
	model, query, err := s.job(id)
	if err != nil {
		return r, false, err
	}
	rows, _, err := s.pageOf(ctx, model, query-1, 1)
	if err != nil || len(rows) == 0 || rows[0].Reply.Job != id {
		return r, false, err
	}
	return rows[0], true, nil
}

// pageOf reads the next replies of one model after a query's index.
func (s *Store) pageOf(ctx context.Context, model, after, most int) (out []eval.ScoredReply, last int, err error) {
	scoring := 0
	if s.record.Scoring != nil {
		scoring = s.record.Scoring.ID
	}
	var floor *float64
	if s.record.Scoring != nil {
		if f, ok := s.record.Scoring.Floors[s.record.Plan.Models[model].Name]; ok {
			floor = &f
		}
	}
	out = make([]eval.ScoredReply, 0, most)
	err = s.each(ctx, func(rows *sql.Rows) error {
		r, query, err := s.scan(rows, model, floor)
		if err != nil {
			return err
		}
		last = query
		out = append(out, r)
		return nil
	}, `SELECT r.query, r.text, r.done_reason, r.prompt_tokens, r.completion_tokens, r.start_ns, r.end_ns, r.attempts,
			r.load_ns, r.prompt_eval_ns, r.eval_ns, r.energy_uj, r.failure_kind, r.failure_message, s.vals, s.flags
		FROM replies r LEFT JOIN scores s ON s.scoring = ? AND s.model = r.model AND s.query = r.query
		WHERE r.model = ? AND r.query > ? ORDER BY r.query LIMIT ?`, scoring, model, after, most)
	return out, last, err
}

func (s *Store) scan(rows *sql.Rows, model int, floor *float64) (eval.ScoredReply, int, error) {
	var (
		out                     eval.ScoredReply
		query                   int
		start, end              int64
		load, promptEval, evalD int64
		energy                  sql.NullInt64
		kind, message           sql.NullString
		vals, flags             sql.NullString
	)
	r := &out.Reply
	err := rows.Scan(&query, &r.Text, &r.DoneReason, &r.Usage.PromptTokens, &r.Usage.CompletionTokens, &start, &end,
		&r.Timing.Attempts, &load, &promptEval, &evalD, &energy, &kind, &message, &vals, &flags)
	if err != nil {
		return out, 0, err
	}
	if r.Job, err = s.jobAt(model, query); err != nil {
		return out, 0, err
	}
	out.Query = s.record.Plan.Queries.Queries[query]
	r.Timing.Start, r.Timing.End = time.Unix(0, start), time.Unix(0, end)
	r.Timing.Load, r.Timing.PromptEval, r.Timing.Eval = time.Duration(load), time.Duration(promptEval), time.Duration(evalD)
	if energy.Valid {
		e := emissions.Energy(energy.Int64)
		r.Energy = &e
	}
	if kind.Valid {
		r.Failure = &eval.Failure{Kind: eval.FailureKind(kind.String), Message: message.String}
	}
	out.Flags = strings.Fields(flags.String)
	out.Scores, err = decodeScores(vals, floor, r.Failure)
	return out, query, err
}

// decodeScores reads a row of scores. Without one every metric is Unscored;
// cosine_lift follows from cosine and the floor of the run.
func decodeScores(vals sql.NullString, floor *float64, failure *eval.Failure) ([]metrics.Score, error) {
	all := metrics.All()
	out := make([]metrics.Score, len(all))
	var row []any
	if vals.Valid {
		if err := json.Unmarshal([]byte(vals.String), &row); err != nil {
			return nil, fmt.Errorf("decode scores: %w", err)
		}
	}
	for i, m := range all {
		out[i] = metrics.Score{Metric: m.Name, Status: metrics.Unscored, Reason: "not scored yet"}
		if failure != nil {
			out[i].Reason = "no answer: " + string(failure.Kind)
		}
		if i >= len(row) {
			continue
		}
		switch v := row[i].(type) {
		case float64:
			out[i].Value, out[i].Status, out[i].Reason = v, metrics.Scored, ""
		case string:
			out[i].Reason = v
		}
	}
	metrics.FillLift(out, floor)
	return out, nil
}
