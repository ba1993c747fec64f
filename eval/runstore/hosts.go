package runstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/disteval/disteval/eval"
)

// PutHost queues what is known of a machine that answers for the run; what was
// known before is replaced.
func (s *Store) PutHost(ctx context.Context, name string, h eval.Host) error {
	host, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encode the machine %s: %w", name, err)
	}
	row := []any{name, string(host)}
	return s.enqueue(ctx, change{query: `INSERT OR REPLACE INTO hosts VALUES (?,?,?)`, args: append(row, checksumOf(row...))})
}

// PutAudit queues what a second host answered. It is no outcome of the job.
func (s *Store) PutAudit(ctx context.Context, r eval.Reply) error {
	model, query, err := s.job(r.JobID)
	if err != nil {
		return err
	}
	reply, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the second reply of %s: %w", r.JobID, err)
	}
	row := []any{model, query, r.Sample, r.Host, string(reply)}
	return s.enqueue(ctx, change{query: `INSERT OR REPLACE INTO audits VALUES (?,?,?,?,?,?)`, args: append(row, checksumOf(row...))})
}

// refreshHosts reads the machines that answered and what they were audited by.
func (s *Store) refreshHosts(ctx context.Context) error {
	rec := &s.record
	rec.Hosts, rec.Audits = make(map[string]eval.Host), nil
	err := s.each(ctx, func(rows *sql.Rows) error {
		var name, host string
		var sum []byte
		if err := rows.Scan(&name, &host, &sum); err != nil {
			return err
		}
		var h eval.Host
		if !s.intact(sum, name, host) || json.Unmarshal([]byte(host), &h) != nil {
			return damaged(s.dir, "a machine is not what was stored")
		}
		rec.Hosts[name] = h
		return nil
	}, "SELECT name, host, checksum FROM hosts")
	if err != nil {
		return fmt.Errorf("read the machines in %s: %w", s.dir, err)
	}
	err = s.each(ctx, func(rows *sql.Rows) error {
		var model, query, sample int
		var host, reply string
		var sum []byte
		if err := rows.Scan(&model, &query, &sample, &host, &reply, &sum); err != nil {
			return err
		}
		var r eval.Reply
		if !s.intact(sum, model, query, sample, host, reply) || json.Unmarshal([]byte(reply), &r) != nil {
			return damaged(s.dir, fmt.Sprintf("the second reply to query %d is not what was stored", query))
		}
		id, err := s.jobAt(model, query, sample)
		r.JobID = id
		rec.Audits = append(rec.Audits, r)
		return err
	}, "SELECT model, query, sample, host, reply, checksum FROM audits ORDER BY model, query, sample, host")
	if err != nil {
		return fmt.Errorf("read the second replies in %s: %w", s.dir, err)
	}
	return nil
}

// viewNoHosts lets a record from before there were workers be read.
const viewNoHosts = `
CREATE TEMP VIEW hosts AS SELECT '' AS name, '' AS host, NULL AS checksum WHERE 0;
CREATE TEMP VIEW audits AS SELECT 0 AS model, 0 AS query, 0 AS sample, '' AS host, '' AS reply, NULL AS checksum WHERE 0;
`

// withoutHosts is the version of the last schema that knows no workers.
const withoutHosts = 2
