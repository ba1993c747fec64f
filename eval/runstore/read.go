package runstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/disteval/disteval/eval"
)

// page is how many replies are read at a time; between pages others may use
// the file.
const page = 500

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

// pageRead is a page that was read, or why it could not be.
type pageRead struct {
	replies []eval.ScoredReply
	err     error
}

// yieldReplies returns false where nothing more is wanted. The next page is read
// while this one is used.
func (s *Store) yieldReplies(ctx context.Context, model int, yield func(eval.ScoredReply, error) bool) bool {
	pages, enough := make(chan pageRead), make(chan struct{})
	defer func() {
		close(enough)
		for range pages { // nothing reads any more when this returns
		}
	}()
	go s.readPages(ctx, model, pages, enough)
	for p := range pages {
		for _, r := range p.replies {
			if !yield(r, nil) {
				return false
			}
		}
		if p.err != nil {
			yield(eval.ScoredReply{}, fmt.Errorf("read the replies in %s: %w", s.dir, p.err))
			return false
		}
	}
	return true
}

// readPages reads a model's replies page by page to the last one, or until it is
// enough. A page that has begun is read to its end: the driver gives up a
// connection on which a query was broken off, and with it the transaction.
func (s *Store) readPages(ctx context.Context, model int, to chan<- pageRead, enough <-chan struct{}) {
	defer close(to)
	for after := (place{query: -1}); ; {
		replies, last, err := s.pageOf(ctx, model, after, page)
		if err != nil {
			replies = nil
		}
		select {
		case to <- pageRead{replies, err}:
		case <-enough:
			return
		}
		if err != nil || len(replies) < page {
			return
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
	floor := s.floor(model)
	out = make([]eval.ScoredReply, 0, most)
	var row scoredRow
	columns := row.columns()
	err = s.each(ctx, func(rows *sql.Rows) error {
		if err := rows.Scan(columns...); err != nil {
			return err
		}
		last = place{row.query, row.sample}
		if err := row.check(s, model); err != nil {
			return err
		}
		r, err := row.decode(s, model, floor)
		out = append(out, r)
		return err
	}, `SELECT `+replyColumns+`, `+probeColumns+`
		FROM replies r LEFT JOIN probes p ON p.model = r.model AND p.query = r.query AND r.sample = 0
		LEFT JOIN scores s ON s.scoring = ? AND s.model = r.model AND s.query = r.query AND s.sample = r.sample
		WHERE r.model = ? AND (r.query, r.sample) > (?, ?) ORDER BY r.query, r.sample LIMIT ?`, s.scoring(), model, after.query, after.sample, most)
	return out, last, err
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

// replyColumns selects a reply joined to its scores.
const replyColumns = `r.query, r.sample, r.text, r.reasoning, r.done_reason, r.prompt_tokens, r.completion_tokens, r.start_ns, r.end_ns, r.attempts,
	r.load_ns, r.prompt_eval_ns, r.eval_ns, r.energy_uj, r.failure_kind, r.failure_message, r.tokens, r.host, r.reused_from, r.checksum,
	s.vals, s.flags`
