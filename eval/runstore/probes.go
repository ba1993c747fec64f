package runstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/disteval/disteval/eval"
)

// Probed tells which probes have an outcome that is no failure: true where it
// holds a comparison with the reference, or why there can be none.
func (s *Store) Probed(ctx context.Context) (map[eval.ProbeID]bool, error) {
	done := make(map[eval.ProbeID]bool)
	err := s.each(ctx, func(rows *sql.Rows) error {
		var m, q int
		var compared bool
		if err := rows.Scan(&m, &q, &compared); err != nil {
			return err
		}
		id, err := s.jobAt(m, q, 0)
		done[eval.ProbeID{Model: id.Model, Query: id.Query}] = compared
		return err
	}, "SELECT model, query, incomparable <> '' OR divergences NOT IN ('null', '[]') FROM probes WHERE failure_kind IS NULL")
	if err != nil {
		return nil, fmt.Errorf("read what %s was probed for: %w", s.dir, err)
	}
	return done, nil
}

// PutProbe queues a probe's outcome; a later one of the same query replaces it.
func (s *Store) PutProbe(ctx context.Context, p eval.Probe) error {
	model, query, err := s.job(eval.JobID{Model: p.Model, Query: p.Query})
	if err != nil {
		return err
	}
	row := []any{model, query}
	for _, part := range []any{p.Answers, p.Choices, p.Divergences} {
		b, err := json.Marshal(part)
		if err != nil {
			return fmt.Errorf("encode the probe of %s %s: %w", p.Model, p.Query, err)
		}
		row = append(row, string(b))
	}
	var kind, message any
	if p.Failure != nil {
		kind, message = string(p.Failure.Kind), p.Failure.Message
	}
	row = append(row, p.Incomparable, p.Start.UnixNano(), p.End.UnixNano(), kind, message)
	sum := checksumOf(withHost(row, p.Host)...)
	return s.enqueue(ctx, change{query: `INSERT OR REPLACE INTO probes VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`, args: append(row, sum, p.Host)})
}

// withHost are the values that a probe's checksum covers: the same as before
// there were hosts where it has none.
func withHost(row []any, host string) []any {
	if host == "" {
		return row
	}
	return append(slices.Clip(row), host)
}

// probeColumns selects a probe joined to its query's first reply.
const probeColumns = "p.answers, p.choices, p.divergences, p.incomparable, p.start_ns, p.end_ns, p.failure_kind, p.failure_message, p.checksum, p.host"

// probeRow holds them; all are NULL where there is no probe.
type probeRow struct {
	answers, choices, divergences, incomparable sql.NullString
	start, end                                  sql.NullInt64
	kind, message, host                         sql.NullString
	sum                                         []byte
}

func (r *probeRow) columns() []any {
	return []any{&r.answers, &r.choices, &r.divergences, &r.incomparable, &r.start, &r.end, &r.kind, &r.message, &r.sum, &r.host}
}

func (r *probeRow) decode(s *Store, model, query int) (*eval.Probe, error) {
	if !r.start.Valid {
		return nil, nil
	}
	id, err := s.jobAt(model, query, 0)
	if err != nil {
		return nil, err
	}
	row := []any{model, query, r.answers.String, r.choices.String, r.divergences.String, r.incomparable.String,
		r.start.Int64, r.end.Int64, valueOf(r.kind), valueOf(r.message)}
	if !s.intact(r.sum, withHost(row, r.host.String)...) {
		return nil, damaged(s.dir, fmt.Sprintf("the probabilities of %s are not what was stored", id))
	}
	p := &eval.Probe{ProbeID: eval.ProbeID{Model: id.Model, Query: id.Query}, Incomparable: r.incomparable.String, Host: r.host.String,
		Start: time.Unix(0, r.start.Int64), End: time.Unix(0, r.end.Int64)}
	if r.kind.Valid {
		p.Failure = &eval.Failure{Kind: eval.FailureKind(r.kind.String), Message: r.message.String}
	}
	err = errors.Join(json.Unmarshal([]byte(r.answers.String), &p.Answers), json.Unmarshal([]byte(r.choices.String), &p.Choices),
		json.Unmarshal([]byte(r.divergences.String), &p.Divergences))
	if err != nil {
		return nil, damaged(s.dir, fmt.Sprintf("the probabilities of %s cannot be read: %v", id, err))
	}
	return p, nil
}

// viewNoProbeHosts lets a record be read from before a probe named its host.
const viewNoProbeHosts = `CREATE TEMP VIEW probes AS SELECT *, '' AS host FROM main.probes;`

// withoutProbeHosts is the version of the last schema that knows none.
const withoutProbeHosts = 4
