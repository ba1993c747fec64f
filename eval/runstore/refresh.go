package runstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/disteval/disteval/eval"
)

// NextProcess is the number of the process that now goes on with the run.
func (s *Store) NextProcess(ctx context.Context) (int, error) {
	var n int
	err := s.db.QueryRowContext(ctx, "SELECT COALESCE(MAX(process), 0) + 1 FROM phases").Scan(&n)
	return n, explain(err)
}

// Begun tells whether there is an outcome of any job.
func (s *Store) Begun(ctx context.Context) (begun bool, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM replies)").Scan(&begun)
	return begun, explain(err)
}

// Refresh reads again what the record holds beside the plan: phases, power, models
// given up, warnings and the newest complete scoring.
func (s *Store) Refresh(ctx context.Context) error {
	rec := &s.record
	rec.Phases, rec.GaveUp, rec.Scoring, rec.Warnings, rec.MovedTo = nil, make(map[string]string), nil, nil, nil
	if err := errors.Join(s.refreshPhases(ctx), s.refreshPower(ctx)); err != nil {
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
	if rec.Unprobed, err = s.unprobed(ctx); err != nil {
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
	err := s.eachMeta(ctx, reusedPrefix, func(model, text string) error {
		origin := struct {
			eval.Reused
			Checksum string
		}{}
		if err := json.Unmarshal([]byte(text), &origin); err != nil || origin.Checksum != reusedChecksum(model, origin.Reused) {
			return damaged(s.dir, fmt.Sprintf("where the replies of %s come from is not what was stored", model))
		}
		out[model] = origin.Reused
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what %s reuses: %w", s.dir, err)
	}
	return out, nil
}

// eachMeta goes over the values whose keys begin with prefix; name is what
// follows it.
func (s *Store) eachMeta(ctx context.Context, prefix string, do func(name, value string) error) error {
	return s.each(ctx, func(rows *sql.Rows) error {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
		return do(strings.TrimPrefix(key, prefix), value)
	}, "SELECT key, value FROM meta WHERE key LIKE ? ORDER BY key", prefix+"%")
}
