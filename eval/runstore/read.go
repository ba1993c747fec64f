package runstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
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
	if err := s.refreshPhases(ctx); err != nil {
		return err
	}
	err := s.each(ctx, func(rows *sql.Rows) error {
		var m int
		var reason string
		var sum []byte
		if err := rows.Scan(&m, &reason, &sum); err != nil {
			return err
		}
		if !s.intact(sum, m, reason) {
			return damaged(s.dir, fmt.Sprintf("why model %d was given up is not what was stored", m))
		}
		name, err := s.modelAt(m)
		rec.GaveUp[name] = reason
		return err
	}, "SELECT model, reason, checksum FROM gave_up")
	if err != nil {
		return fmt.Errorf("read the models given up in %s: %w", s.dir, err)
	}
	err = s.each(ctx, func(rows *sql.Rows) error {
		var text string
		var sum []byte
		if err := rows.Scan(&text, &sum); err != nil {
			return err
		}
		if !s.intact(sum, text) {
			return damaged(s.dir, "a warning is not what was stored")
		}
		rec.Warnings = append(rec.Warnings, text)
		return nil
	}, "SELECT text, checksum FROM warnings ORDER BY text")
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
	if err := s.refreshHosts(ctx); err != nil {
		return err
	}
	if rec.Reused, err = s.reused(ctx); err != nil {
		return err
	}
	rec.Scoring, err = s.newestScoring(ctx)
	return err
}

// refreshPhases reads the phases, by model and start.
func (s *Store) refreshPhases(ctx context.Context) error {
	rec := &s.record
	err := s.each(ctx, func(rows *sql.Rows) error {
		var m int
		var start, end int64
		var reading string
		var sum []byte
		var p eval.Phase
		if err := rows.Scan(&m, &p.Host, &p.Process, &p.Name, &start, &end, &reading, &sum); err != nil {
			return err
		}
		if !s.intact(sum, m, p.Host, p.Process, string(p.Name), start, end, reading) {
			return damaged(s.dir, fmt.Sprintf("the %s phase of model %d is not what was stored", p.Name, m))
		}
		name, err := s.modelAt(m)
		p.Model, p.Start, p.End = name, time.Unix(0, start), time.Unix(0, end)
		rec.Phases = append(rec.Phases, p)
		return errors.Join(err, json.Unmarshal([]byte(reading), &rec.Phases[len(rec.Phases)-1].Reading))
	}, "SELECT model, host, process, name, start_ns, end_ns, reading, checksum FROM phases ORDER BY model, process, start_ns")
	if err != nil {
		return fmt.Errorf("read the phases in %s: %w", s.dir, err)
	}
	return nil
}

// reused reads which models have all of an earlier run.
func (s *Store) reused(ctx context.Context) (map[string]eval.Reused, error) {
	out := make(map[string]eval.Reused)
	err := s.each(ctx, func(rows *sql.Rows) error {
		var key, text string
		if err := rows.Scan(&key, &text); err != nil {
			return err
		}
		origin := struct {
			eval.Reused
			Checksum string
		}{}
		model := strings.TrimPrefix(key, reusedPrefix)
		if err := json.Unmarshal([]byte(text), &origin); err != nil || origin.Checksum != reusedChecksum(model, origin.Reused) {
			return damaged(s.dir, fmt.Sprintf("where the replies of %s come from is not what was stored", model))
		}
		out[model] = origin.Reused
		return nil
	}, "SELECT key, value FROM meta WHERE key LIKE ? ORDER BY key", reusedPrefix+"%")
	if err != nil {
		return nil, fmt.Errorf("read what %s reuses: %w", s.dir, err)
	}
	return out, nil
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

// place is where a reply stands among those of a model.
type place struct{ query, sample int }

// Replies yields every outcome with the scores of the record's scoring,
// ordered by model, query and sample. It stops at the first error, which it
// yields.
func (s *Store) Replies(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		for m := range s.record.Plan.Models {
			if !s.yieldReplies(ctx, m, yield) {
				return
			}
		}
	}
}

// RepliesOf yields the outcomes of one model as Replies does.
func (s *Store) RepliesOf(ctx context.Context, model string) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) { s.yieldReplies(ctx, s.models[model], yield) }
}

// yieldReplies returns false where nothing more is wanted.
func (s *Store) yieldReplies(ctx context.Context, model int, yield func(eval.ScoredReply, error) bool) bool {
	for after := (place{query: -1}); ; {
		rows, last, err := s.pageOf(ctx, model, after, page)
		if err != nil {
			yield(eval.ScoredReply{}, fmt.Errorf("read the replies in %s: %w", s.dir, err))
			return false
		}
		for _, r := range rows {
			if !yield(r, nil) {
				return false
			}
		}
		if len(rows) < page {
			return true
		}
		after = last
	}
}

// Reply returns one outcome; ok is false where there is none yet.
func (s *Store) Reply(ctx context.Context, id eval.JobID) (r eval.ScoredReply, ok bool, err error) {
	model, query, err := s.job(id)
	if err != nil {
		return r, false, err
	}
	rows, _, err := s.pageOf(ctx, model, place{query, id.Sample - 1}, 1)
	if err != nil || len(rows) == 0 || rows[0].Reply.JobID != id {
		return r, false, err
	}
	return rows[0], true, nil
}

// pageOf reads the next replies of one model after a place.
func (s *Store) pageOf(ctx context.Context, model int, after place, most int) (out []eval.ScoredReply, last place, err error) {
	scoring := 0
	var floor *float64
	if s.record.Scoring != nil {
		scoring = s.record.Scoring.ID
		if f, ok := s.record.Scoring.Floors[s.record.Plan.Models[model].Name]; ok {
			floor = &f
		}
	}
	out = make([]eval.ScoredReply, 0, most)
	err = s.each(ctx, func(rows *sql.Rows) error {
		r, at, err := s.scan(rows, model, floor)
		if err != nil {
			return err
		}
		last = at
		out = append(out, r)
		return nil
	}, `SELECT r.query, r.sample, r.text, r.reasoning, r.done_reason, r.prompt_tokens, r.completion_tokens, r.start_ns, r.end_ns, r.attempts,
			r.load_ns, r.prompt_eval_ns, r.eval_ns, r.energy_uj, r.failure_kind, r.failure_message, r.tokens, r.host, r.reused_from, r.checksum,
			s.vals, s.flags, `+probeColumns+`
		FROM replies r LEFT JOIN probes p ON p.model = r.model AND p.query = r.query AND r.sample = 0
		LEFT JOIN scores s ON s.scoring = ? AND s.model = r.model AND s.query = r.query AND s.sample = r.sample
		WHERE r.model = ? AND (r.query, r.sample) > (?, ?) ORDER BY r.query, r.sample LIMIT ?`, scoring, model, after.query, after.sample, most)
	return out, last, err
}

func (s *Store) scan(rows *sql.Rows, model int, floor *float64) (eval.ScoredReply, place, error) {
	var (
		out                     eval.ScoredReply
		at                      place
		promptTokens, completed sql.NullInt64
		start, end              int64
		load, promptEval, evalD int64
		energy                  sql.NullInt64
		kind, message           sql.NullString
		tokens                  string
		sum                     []byte
		vals, flags             sql.NullString
		probe                   probeRow
	)
	r := &out.Reply
	err := rows.Scan(append([]any{&at.query, &at.sample, &r.Text, &r.Reasoning, &r.DoneReason, &promptTokens, &completed, &start, &end,
		&r.Timing.Attempts, &load, &promptEval, &evalD, &energy, &kind, &message, &tokens, &r.Host, &r.ReusedFrom, &sum, &vals, &flags},
		probe.columns()...)...)
	if err != nil {
		return out, at, err
	}
	if r.JobID, err = s.jobAt(model, at.query, at.sample); err != nil {
		return out, at, err
	}
	if !s.intact(sum, model, at.query, at.sample, r.Text, r.Reasoning, r.DoneReason, valueOf(promptTokens), valueOf(completed), start, end,
		r.Timing.Attempts, load, promptEval, evalD, valueOf(energy), valueOf(kind), valueOf(message), tokens, r.Host, r.ReusedFrom) {
		return out, at, damaged(s.dir, fmt.Sprintf("the reply of %s is not what was stored", r.JobID))
	}
	out.Query = s.record.Plan.Queries.Queries[at.query]
	r.Usage = eval.Usage{PromptTokens: countOf(promptTokens), CompletionTokens: countOf(completed)}
	r.Timing.Start, r.Timing.End = time.Unix(0, start), time.Unix(0, end)
	r.Timing.Load, r.Timing.PromptEval, r.Timing.Eval = time.Duration(load), time.Duration(promptEval), time.Duration(evalD)
	if energy.Valid {
		e := emissions.Energy(energy.Int64)
		r.Energy = &e
	}
	if kind.Valid {
		r.Failure = &eval.Failure{Kind: eval.FailureKind(kind.String), Message: message.String}
	}
	if tokens != "" {
		if err := json.Unmarshal([]byte(tokens), &r.Tokens); err != nil {
			return out, at, damaged(s.dir, fmt.Sprintf("the tokens of %s cannot be read: %v", r.JobID, err))
		}
	}
	out.Flags = strings.Fields(flags.String)
	if out.Probe, err = probe.decode(s, model, at.query); err != nil {
		return out, at, err
	}
	out.Scores, err = decodeScores(vals, floor, r.Failure)
	if at.sample == 0 && err == nil {
		plan := s.record.Plan
		copy(out.Scores[len(out.Scores)-len(metrics.Likelihood()):], plan.LikelihoodScores(plan.Models[model], out.Query, out.Probe))
	}
	return out, at, err
}

func valueOf(v driver.Valuer) any {
	value, _ := v.Value() // of a NullInt64 or NullString: no error
	return value
}

func countOf(v sql.NullInt64) *int {
	if !v.Valid {
		return nil
	}
	n := int(v.Int64)
	return &n
}
