package runstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
)

// OwnScoring is the number of the scoring that a run makes of itself.
const OwnScoring = 1

// BeginScoring opens a scoring and returns its number: OwnScoring, in place of
// an earlier one, where own is set, else a new one.
func (s *Store) BeginScoring(ctx context.Context, own bool, scoring eval.Scoring, created time.Time) (int, error) {
	b, err := json.Marshal(scoring)
	if err != nil {
		return 0, fmt.Errorf("encode the scoring: %w", err)
	}
	if s.writer == nil {
		return 0, fmt.Errorf("score %s: the record was opened to read", s.dir)
	}
	if err := s.Flush(ctx); err != nil { // scores of one that was broken off may still be queued
		return 0, err
	}
	id := OwnScoring
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if !own {
			row := tx.QueryRowContext(ctx, "SELECT MAX(COALESCE(MAX(id), 0), ?) + 1 FROM scorings", OwnScoring)
			if err := row.Scan(&id); err != nil {
				return err
			}
		}
		// Also clears what an interrupted scoring left behind.
		const stale = "SELECT id FROM scorings WHERE complete = 0 OR id = ?"
		if _, err := tx.ExecContext(ctx, "DELETE FROM scores WHERE scoring IN ("+stale+")", id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM scorings WHERE id IN ("+stale+")", id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO scorings VALUES (?, ?, 0, ?, '{}')", id, created.UnixNano(), string(b))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("score %s: %w", s.dir, err)
	}
	s.memory.take(scoringFact(id))
	return id, nil
}

// PutScores queues the scores of one reply.
func (s *Store) PutScores(ctx context.Context, scoring int, id eval.JobID, scores []metrics.Score, flags []string) error {
	model, query, err := s.job(id)
	if err != nil {
		return err
	}
	fact := scoresFact{scoring, model, query, id.Sample, encodeScores(scores), strings.Join(flags, " ")}
	return s.enqueue(ctx, change{query: "INSERT INTO scores VALUES (?,?,?,?,?,?)",
		args: []any{scoring, model, query, id.Sample, fact.vals, fact.flags}, fact: fact})
}

// EndScoring queues the floors, waits for all scores to be on disk and makes
// the scoring the record's.
func (s *Store) EndScoring(ctx context.Context, scoring int, floors map[string]float64) error {
	b, err := json.Marshal(floors)
	if err != nil {
		return fmt.Errorf("encode the floors: %w", err)
	}
	err = s.enqueue(ctx, change{query: "UPDATE scorings SET complete = 1, floors = ? WHERE id = ?", args: []any{string(b), scoring}})
	if err != nil {
		return err
	}
	return s.Flush(ctx)
}

// newestScoring is the complete scoring made last; nil where there is none.
func (s *Store) newestScoring(ctx context.Context) (*eval.ScoringRecord, error) {
	var rec eval.ScoringRecord
	var created int64
	var scoring, floors string
	err := s.db.QueryRowContext(ctx, "SELECT id, created, scoring, floors FROM scorings WHERE complete = 1 ORDER BY created DESC, id DESC LIMIT 1").
		Scan(&rec.ID, &created, &scoring, &floors)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the scoring in %s: %w", s.dir, explain(err))
	}
	rec.Created = time.Unix(0, created)
	if err := errors.Join(json.Unmarshal([]byte(scoring), &rec.Scoring), json.Unmarshal([]byte(floors), &rec.Floors)); err != nil {
		return nil, fmt.Errorf("read the scoring in %s: %w", s.dir, err)
	}
	return &rec, nil
}

// encodeScores writes by metric a number where it is scored, and otherwise the
// reason. What follows from a probe is derived from it anew at every reading.
func encodeScores(scores []metrics.Score) string {
	b := append(make([]byte, 0, 256), '{')
	for i, sc := range scores[:min(len(scores), len(metrics.Text()))] {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, sc.Metric), ':')
		if sc.Status == metrics.Scored {
			b = strconv.AppendFloat(b, sc.Value, 'g', -1, 64)
			continue
		}
		reason, _ := json.Marshal(sc.Reason) // a string cannot fail
		b = append(b, reason...)
	}
	return string(append(b, '}'))
}

// PutReview queues a person's verdict; a later one of the same person on the
// same reply replaces it.
func (s *Store) PutReview(ctx context.Context, r eval.Review) error {
	model, query, err := s.job(r.JobID)
	if err != nil {
		return err
	}
	row := []any{model, query, r.Sample, r.Reviewer, r.Verdict, r.Comment, r.Imported.UnixNano()}
	return s.enqueue(ctx, change{query: "INSERT OR REPLACE INTO reviews VALUES (?,?,?,?,?,?,?,?)", args: append(row, checksumOf(row...))})
}

// Reviews returns every person's verdicts, ordered by model, query, reviewer.
func (s *Store) Reviews(ctx context.Context) ([]eval.Review, error) {
	var out []eval.Review
	err := s.each(ctx, func(rows *sql.Rows) error {
		var m, q, sample int
		var at int64
		var sum []byte
		var r eval.Review
		if err := rows.Scan(&m, &q, &sample, &r.Reviewer, &r.Verdict, &r.Comment, &at, &sum); err != nil {
			return err
		}
		if !s.intact(sum, m, q, sample, r.Reviewer, r.Verdict, r.Comment, at) {
			return damaged(s.dir, fmt.Sprintf("a review by %s is not what was stored", r.Reviewer))
		}
		id, err := s.jobAt(m, q, sample)
		r.JobID, r.Imported = id, time.Unix(0, at)
		out = append(out, r)
		return err
	}, "SELECT model, query, sample, reviewer, verdict, comment, imported, checksum FROM reviews ORDER BY model, query, sample, reviewer")
	if err != nil {
		return nil, fmt.Errorf("read the reviews in %s: %w", s.dir, err)
	}
	return out, nil
}
