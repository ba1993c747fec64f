package runstore

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
)

// header is the part of the record that is stored as JSON under meta.
type header struct {
	ID          string     `json:"id"`
	ToolVersion string     `json:"tool_version"`
	Created     time.Time  `json:"created"`
	PlanHash    string     `json:"plan_hash"`
	Host        eval.Host  `json:"host"`
	Plan        storedPlan `json:"plan"`
}

// storedPlan is a plan without its queries, which have their own table.
type storedPlan struct {
	SetName    string          `json:"set_name"`
	SetVersion string          `json:"set_version"`
	QuerySrc   string          `json:"query_src"`
	Source     string          `json:"source"`
	Parallel   int             `json:"parallel"`
	Samples    int             `json:"samples"` // 0 in a record of version 1
	Rules      int             `json:"rules"`   // 0 in a record of version 1
	Models     []eval.Model    `json:"models"`
	Scoring    eval.Scoring    `json:"scoring"`
	Emissions  eval.Emissions  `json:"emissions"`
	Likelihood eval.Likelihood `json:"likelihood"`
}

func stored(p eval.Plan) storedPlan {
	return storedPlan{SetName: p.Queries.Name, SetVersion: p.Queries.Version, QuerySrc: p.QuerySrc, Source: p.Source,
		Parallel: p.Parallel, Samples: p.Samples, Rules: p.Rules, Models: p.Models, Scoring: p.Scoring, Emissions: p.Emissions, Likelihood: p.Likelihood}
}

func (p storedPlan) plan(list []queries.Query) eval.Plan {
	return eval.Plan{Queries: queries.Set{Name: p.SetName, Version: p.SetVersion, Queries: list}, QuerySrc: p.QuerySrc, Source: p.Source,
		Parallel: p.Parallel, Samples: p.Samples, Rules: p.Rules, Models: p.Models, Scoring: p.Scoring, Emissions: p.Emissions, Likelihood: p.Likelihood}
}

// init stores the plan; rows are its queries as encodeQueries gives them.
func (s *Store) init(ctx context.Context, rows <-chan encodedQueries) error {
	rec := s.record
	h, err := json.Marshal(header{ID: rec.ID, ToolVersion: rec.ToolVersion, Created: rec.Created,
		PlanHash: rec.PlanHash, Host: rec.Host, Plan: stored(rec.Plan)})
	if err != nil {
		return fmt.Errorf("encode the plan: %w", err)
	}
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO meta VALUES ('run', ?), ('run checksum', ?)", string(h), checksumText(string(h))); err != nil {
			return err
		}
		return putQueries(ctx, tx, rows)
	})
}

// queriesTogether is how many queries go into one statement: writing them takes
// a third of the time that it takes one by one.
const queriesTogether = 32

// encodedQueries are queries that follow each other, as the table has them.
type encodedQueries struct {
	args []any // index of the first, then the JSON of each
	err  error
}

// encodeQueries encodes a set's queries, in groups of queriesTogether, a few
// groups ahead of who takes them. It ends with ctx.
func encodeQueries(ctx context.Context, list []queries.Query) <-chan encodedQueries {
	rows := make(chan encodedQueries, 64)
	go func() {
		defer close(rows)
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		first := 0
		for some := range slices.Chunk(list, queriesTogether) {
			group := encodedQueries{args: make([]any, 1, 1+len(some))}
			group.args[0] = first
			for i := range some {
				text.Reset()
				if err := enc.Encode(&some[i]); err != nil {
					group.err = err
				}
				group.args = append(group.args, strings.TrimSuffix(text.String(), "\n"))
			}
			first += len(some)
			select {
			case rows <- group:
			case <-ctx.Done():
				return
			}
		}
	}()
	return rows
}

// putQueries writes queries in their order. SQLite gives each that states no
// index the one after the highest.
func putQueries(ctx context.Context, tx *sql.Tx, rows <-chan encodedQueries) (err error) {
	var put *sql.Stmt
	size := 0 // of the groups that put takes
	for group := range rows {
		if group.err != nil {
			return group.err
		}
		if n := len(group.args) - 1; n != size { // the first group and the last
			if put, err = tx.PrepareContext(ctx, "INSERT INTO queries VALUES (?,?)"+strings.Repeat(",(NULL,?)", n-1)); err != nil {
				return err
			}
			defer put.Close()
			size = n
		}
		if _, err := put.ExecContext(ctx, group.args...); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// planText is a plan as it is stored.
type planText struct {
	header  string   // JSON
	queries []string // JSON, each
}

// load reads the plan and holds it to the checksum that was stored with it.
func (s *Store) load(ctx context.Context) (plan planText, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = 'run'").Scan(&plan.header)
	if isCode(err, sqlite3.SQLITE_BUSY) {
		return plan, fmt.Errorf("open %s: %w", s.dir, explain(err))
	}
	if err != nil {
		return plan, eval.BadInput(fmt.Errorf("read %s: %w: its record has no plan (%w)", s.dir, ErrNotRun, explain(err)), "name the folder of another run")
	}
	if s.unchecked, err = s.hasUnchecked(ctx); err != nil {
		return plan, fmt.Errorf("read the plan in %s: %w", s.dir, explain(err))
	}
	var sum string
	err = s.db.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = 'run checksum'").Scan(&sum)
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return plan, fmt.Errorf("read the plan in %s: %w", s.dir, explain(err))
	case err != nil && s.unchecked: // none was stored
	case sum != checksumText(plan.header):
		return plan, damaged(s.dir, "the plan is not what was stored")
	}
	err = s.each(ctx, func(rows *sql.Rows) error {
		var idx int
		var text string
		err := rows.Scan(&idx, &text)
		if err == nil && idx != len(plan.queries) {
			return damaged(s.dir, fmt.Sprintf("query %d is missing", len(plan.queries)))
		}
		plan.queries = append(plan.queries, text)
		return err
	}, "SELECT idx, query FROM queries ORDER BY idx")
	if err != nil {
		return plan, fmt.Errorf("read the queries in %s: %w", s.dir, err)
	}
	return plan, nil
}

// decodePlan makes the record of the plan's text, and holds it to the hash that
// was stored with it.
func (s *Store) decodePlan(plan planText) error {
	var h header
	if err := json.Unmarshal([]byte(plan.header), &h); err != nil {
		return damaged(s.dir, "the plan cannot be read: "+err.Error())
	}
	list := make([]queries.Query, len(plan.queries))
	for i, text := range plan.queries {
		known := json.NewDecoder(strings.NewReader(text))
		known.DisallowUnknownFields() // a flipped bit in a name would drop its value
		if err := known.Decode(&list[i]); err != nil {
			return damaged(s.dir, fmt.Sprintf("query %d cannot be read: %v", i, err))
		}
	}
	s.record = eval.RunRecord{ID: h.ID, Dir: s.dir, ToolVersion: h.ToolVersion, Created: h.Created, PlanHash: h.PlanHash, Host: h.Host,
		Plan: h.Plan.plan(list)}
	if is := s.record.Plan.Hash(); is != h.PlanHash {
		return damaged(s.dir, fmt.Sprintf("its plan gives the hash %s, and %s was stored", is[:min(12, len(is))], h.PlanHash[:min(12, len(h.PlanHash))]))
	}
	return nil
}

// hasUnchecked reports whether the record is, or was, of version 1.
func (s *Store) hasUnchecked(ctx context.Context) (bool, error) {
	version, err := schemaVersion(ctx, s.db)
	if err != nil || version == 1 {
		return true, err
	}
	var n int
	err = s.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM meta WHERE key = ?", uncheckedRows).Scan(&n)
	return n > 0, err
}

// check has SQLite look whether the file's pages hang together: one that does
// not could hide rows.
func (s *Store) check(ctx context.Context) error {
	var found string
	if err := s.db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return fmt.Errorf("check %s: %w", s.dir, explain(err))
	}
	if found != "ok" {
		return damaged(s.dir, found)
	}
	return nil
}
