package runstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
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
	row := newStoredReply()
	err = s.each(ctx, func(rows *sql.Rows) error {
		if err := rows.Scan(row.columns...); err != nil {
			return err
		}
		last = place{row.query, row.sample}
		r, err := row.decode(s, model, floor)
		out = append(out, r)
		return err
	}, `SELECT `+replyColumns+`, `+probeColumns+`
		FROM replies r LEFT JOIN probes p ON p.model = r.model AND p.query = r.query AND r.sample = 0
		LEFT JOIN scores s ON s.scoring = ? AND s.model = r.model AND s.query = r.query AND s.sample = r.sample
		WHERE r.model = ? AND (r.query, r.sample) > (?, ?) ORDER BY r.query, r.sample LIMIT ?`, scoring, model, after.query, after.sample, most)
	return out, last, err
}

// replyColumns selects a reply joined to its scores.
const replyColumns = `r.query, r.sample, r.text, r.reasoning, r.done_reason, r.prompt_tokens, r.completion_tokens, r.start_ns, r.end_ns, r.attempts,
	r.load_ns, r.prompt_eval_ns, r.eval_ns, r.energy_uj, r.failure_kind, r.failure_message, r.tokens, r.host, r.reused_from, r.checksum,
	s.vals, s.flags`

// storedReply holds what replyColumns and probeColumns select, one row after the
// other.
type storedReply struct {
	query, sample               int
	text, reasoning, doneReason string
	promptTokens, completed     sql.NullInt64
	start, end                  int64
	attempts                    int
	load, promptEval, evaluated int64
	energy                      sql.NullInt64
	kind, message               sql.NullString
	tokens, host, reusedFrom    string
	sum                         []byte
	vals, flags                 sql.NullString
	probe                       probeRow
	columns                     []any
}

func newStoredReply() *storedReply {
	r := new(storedReply)
	r.columns = append([]any{&r.query, &r.sample, &r.text, &r.reasoning, &r.doneReason, &r.promptTokens, &r.completed, &r.start, &r.end,
		&r.attempts, &r.load, &r.promptEval, &r.evaluated, &r.energy, &r.kind, &r.message, &r.tokens, &r.host, &r.reusedFrom, &r.sum,
		&r.vals, &r.flags}, r.probe.columns()...)
	return r
}

// decode makes a reply of the row, which must be as it was stored.
func (row *storedReply) decode(s *Store, model int, floor *float64) (out eval.ScoredReply, err error) {
	r := &out.Reply
	if r.JobID, err = s.jobAt(model, row.query, row.sample); err != nil {
		return out, err
	}
	if !s.intact(row.sum, model, row.query, row.sample, row.text, row.reasoning, row.doneReason, valueOf(row.promptTokens), valueOf(row.completed),
		row.start, row.end, row.attempts, row.load, row.promptEval, row.evaluated, valueOf(row.energy), valueOf(row.kind), valueOf(row.message),
		row.tokens, row.host, row.reusedFrom) {
		return out, damaged(s.dir, fmt.Sprintf("the reply of %s is not what was stored", r.JobID))
	}
	out.Query = s.record.Plan.Queries.Queries[row.query]
	r.Text, r.Reasoning, r.DoneReason, r.Host, r.ReusedFrom = row.text, row.reasoning, row.doneReason, row.host, row.reusedFrom
	r.Usage = eval.Usage{PromptTokens: countOf(row.promptTokens), CompletionTokens: countOf(row.completed)}
	r.Timing = eval.Timing{Start: time.Unix(0, row.start), End: time.Unix(0, row.end), Attempts: row.attempts,
		Load: time.Duration(row.load), PromptEval: time.Duration(row.promptEval), Eval: time.Duration(row.evaluated)}
	if row.energy.Valid {
		e := emissions.Energy(row.energy.Int64)
		r.Energy = &e
	}
	if row.kind.Valid {
		r.Failure = &eval.Failure{Kind: eval.FailureKind(row.kind.String), Message: row.message.String}
	}
	if row.tokens != "" {
		if err := json.Unmarshal([]byte(row.tokens), &r.Tokens); err != nil {
			return out, damaged(s.dir, fmt.Sprintf("the tokens of %s cannot be read: %v", r.JobID, err))
		}
	}
	out.Flags = strings.Fields(row.flags.String)
	if out.Probe, err = row.probe.decode(s, model, row.query); err != nil {
		return out, err
	}
	out.Scores, err = decodeScores(row.vals, floor, r.Failure)
	if row.sample == 0 && err == nil {
		plan := &s.record.Plan
		copy(out.Scores[len(metrics.Text()):], plan.LikelihoodScores(plan.Models[model], out.Query, out.Probe))
	}
	return out, err
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
