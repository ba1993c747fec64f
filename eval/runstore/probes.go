package runstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
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
	for model := range s.record.Unprobed {
		for _, q := range s.record.Plan.Queries.Queries {
			done[eval.ProbeID{Model: model, Query: q.ID}] = true
		}
	}
	return done, nil
}

// PutProbe queues a probe's outcome; a later one of the same query replaces it.
func (s *Store) PutProbe(ctx context.Context, p eval.Probe) error {
	model, query, err := s.job(eval.JobID{Model: p.Model, Query: p.Query})
	if err != nil {
		return err
	}
	row, err := probeRowOf(p)
	if err != nil {
		return fmt.Errorf("encode the probe of %s %s: %w", p.Model, p.Query, err)
	}
	if p.Unable != "" {
		if err := s.PutUnprobed(ctx, p.Model, p.Unable); err != nil {
			return err
		}
	}
	return s.enqueue(ctx, change{query: `INSERT OR REPLACE INTO probes VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`,
		args: append(row.values(model, query), checksumOf(row.checked(model, query)...), p.Host), fact: probeFact{model, query, row}})
}

// unprobedPrefix begins the keys in meta that say why nothing is known of a
// model's texts; the model's name follows.
const unprobedPrefix = "unprobed "

// unprobed is what such a key holds.
type unprobed struct{ Why, Checksum string }

func unprobedChecksum(model, why string) string {
	return checksumText(fmt.Sprintf("%q %q", model, why))
}

// PutUnprobed queues why a model says nothing of any text. It stands for all
// queries of the model that have no probe.
func (s *Store) PutUnprobed(ctx context.Context, model, why string) error {
	b, err := json.Marshal(unprobed{why, unprobedChecksum(model, why)})
	if err != nil {
		return fmt.Errorf("encode why %s is not probed: %w", model, err)
	}
	return s.enqueue(ctx, change{query: `INSERT OR REPLACE INTO meta VALUES (?, ?)`, args: []any{unprobedPrefix + model, string(b)}})
}

// unprobed reads which models say nothing of any text.
func (s *Store) unprobed(ctx context.Context) (map[string]string, error) {
	out := make(map[string]string)
	err := s.eachMeta(ctx, unprobedPrefix, func(model, text string) error {
		var u unprobed
		if err := json.Unmarshal([]byte(text), &u); err != nil || u.Checksum != unprobedChecksum(model, u.Why) {
			return damaged(s.dir, fmt.Sprintf("why %s was not probed is not what was stored", model))
		}
		out[model] = u.Why
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what %s was not probed for: %w", s.dir, err)
	}
	return out, nil
}

// probeRow is a probe as the table has it; all of it is NULL where there is none.
type probeRow struct {
	answers, choices, divergences, incomparable sql.NullString
	start, end                                  sql.NullInt64 // ns since 1970
	kind, message, host                         sql.NullString
	sum                                         []byte // as it is read
}

func probeRowOf(p eval.Probe) (row probeRow, err error) {
	for _, part := range []struct {
		text *sql.NullString
		of   any
	}{{&row.answers, p.Answers}, {&row.choices, p.Choices}, {&row.divergences, p.Divergences}} {
		b, err := json.Marshal(part.of)
		if err != nil {
			return row, err
		}
		*part.text = textOf(string(b))
	}
	if f := p.Failure; f != nil {
		row.kind, row.message = textOf(string(f.Kind)), textOf(f.Message)
	}
	start, end := p.Start.UnixNano(), p.End.UnixNano()
	row.incomparable, row.host, row.start, row.end = textOf(p.Incomparable), textOf(p.Host), nullable(&start), nullable(&end)
	return row, nil
}

// there reports whether there is a probe.
func (r *probeRow) there() bool { return r.start.Valid }

// values are the columns in the table's order up to the checksum.
func (r *probeRow) values(model, query int) []any {
	return append(make([]any, 0, 12), model, query, r.answers.String, r.choices.String, r.divergences.String, r.incomparable.String,
		r.start.Int64, r.end.Int64, valueOf(r.kind), valueOf(r.message))
}

// checked are the values that the checksum covers: the same as before there
// were hosts where it has none.
func (r *probeRow) checked(model, query int) []any {
	values := r.values(model, query)
	if r.host.String == "" {
		return values
	}
	return append(values, r.host.String)
}

func (r *probeRow) decode(s *Store, model, query int) (*eval.Probe, error) {
	if !r.there() {
		return nil, nil
	}
	id, err := s.jobAt(model, query, 0)
	if err != nil {
		return nil, err
	}
	p := &eval.Probe{ProbeID: eval.ProbeID{Model: id.Model, Query: id.Query}, Incomparable: r.incomparable.String, Host: r.host.String,
		Start: time.Unix(0, r.start.Int64), End: time.Unix(0, r.end.Int64)}
	if r.kind.Valid {
		p.Failure = &eval.Failure{Kind: eval.FailureKind(r.kind.String), Message: r.message.String}
	}
	err = errors.Join(unmarshal(r.answers.String, &p.Answers), unmarshal(r.choices.String, &p.Choices), unmarshal(r.divergences.String, &p.Divergences))
	if err != nil {
		return nil, damaged(s.dir, fmt.Sprintf("the probabilities of %s cannot be read: %v", id, err))
	}
	return p, nil
}

// unmarshal is json.Unmarshal, for which null, the most frequent text, is a
// long way round to nothing.
func unmarshal(text string, v any) error {
	if text == "null" {
		return nil
	}
	return json.Unmarshal([]byte(text), v)
}

// viewNoProbeHosts lets a record be read from before a probe named its host.
const viewNoProbeHosts = `CREATE TEMP VIEW probes AS SELECT *, '' AS host FROM main.probes;`

// withoutProbeHosts is the version of the last schema that knows none.
const withoutProbeHosts = 4
