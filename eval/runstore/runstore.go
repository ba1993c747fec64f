// Package runstore keeps the record of one run in one SQLite file, run.db.
//
// Policy: an outcome counts once it is committed. One goroutine writes, in
// groups, so that a slow disk costs a run little; a kill at any moment loses
// at most what was in flight. One process at a time has the file. Nothing
// that can be computed from the replies is stored in their place.
package runstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
)

// FileName is the record's name in a run's folder.
const FileName = "run.db"

// Errors that callers tell apart.
var (
	ErrNotRun = errors.New("not a run's folder")
	ErrBusy   = errors.New("another process has the run open")
)

// Store is a run's open record. It is an eval.Store and an eval.Run.
type Store struct {
	dir      string
	db       *sql.DB
	record   eval.RunRecord
	readOnly bool
	models   map[string]int // Model.Name -> index
	queries  map[string]int // Query.ID -> index
	writer   *writer
}

var _ eval.Store = (*Store)(nil)
var _ eval.Run = (*Store)(nil)

// Create makes dir and the record of a new run in it. rec's ID, plan, host
// and times are stored; dir must not hold a run yet.
func Create(ctx context.Context, dir string, rec eval.RunRecord) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the run's folder: %w", err)
	}
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); err == nil {
		return nil, fmt.Errorf("create %s: it exists already", path)
	}
	db, err := open(ctx, path, "rwc")
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, db: db, record: rec}
	if err := s.init(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.index()
	s.writer = startWriter(s)
	return s, nil
}

// Open opens the record in dir to read it and to write more. Where the folder
// cannot be written it is read only. ErrNotRun where there is no record,
// ErrBusy where another process has it.
func Open(ctx context.Context, dir string) (*Store, error) {
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open %s: %w: it holds no %s", dir, ErrNotRun, FileName)
	}
	readOnly := false
	db, err := open(ctx, path, "rw")
	if isCode(err, sqlite3.SQLITE_READONLY) || isCode(err, sqlite3.SQLITE_CANTOPEN) {
		readOnly = true
		db, err = open(ctx, path, "ro&immutable=1")
	}
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, db: db, readOnly: readOnly}
	if err := s.load(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.index()
	if !readOnly {
		s.writer = startWriter(s)
	}
	return s, nil
}

// open connects with the one connection that holds the file's lock, and
// brings the schema up to date.
func open(ctx context.Context, path, mode string) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?mode=" + mode
	if !strings.Contains(mode, "ro") {
		dsn += "&_pragma=locking_mode(EXCLUSIVE)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	if err := migrate(ctx, db, strings.Contains(mode, "ro")); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, explain(err)), db.Close())
	}
	return db, nil
}

func migrate(ctx context.Context, db *sql.DB, readOnly bool) error {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("the record is of version %d, this program knows up to %d: use a newer disteval", version, len(migrations))
	}
	if readOnly {
		return nil
	}
	// Taking the write lock even when there is nothing to migrate is what
	// keeps a second process out.
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, m := range migrations[version:] {
		if _, err := tx.ExecContext(ctx, m); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(migrations))); err != nil {
		return err
	}
	return tx.Commit()
}

func isCode(err error, code int) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == code
}

// explain says in words what SQLite's codes mean for a run.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case isCode(err, sqlite3.SQLITE_BUSY), isCode(err, sqlite3.SQLITE_LOCKED):
		return fmt.Errorf("%w; wait for it to end, or end it", ErrBusy)
	case isCode(err, sqlite3.SQLITE_FULL):
		return fmt.Errorf("the disk is full; all that was stored before is whole: make room, then go on with --resume (%w)", err)
	case isCode(err, sqlite3.SQLITE_READONLY):
		return fmt.Errorf("the file cannot be written; check its permissions and the file system (%w)", err)
	case isCode(err, sqlite3.SQLITE_IOERR):
		return fmt.Errorf("the disk does not take it; all that was stored before is whole: check free space and limits, then go on with --resume (%w)", err)
	case isCode(err, sqlite3.SQLITE_NOTADB), isCode(err, sqlite3.SQLITE_CORRUPT):
		return fmt.Errorf("the file is damaged or not a run's record (%w)", err)
	}
	return err
}

// header is the part of the record that is stored as JSON under meta.
type header struct {
	ID          string      `json:"id"`
	ToolVersion string      `json:"tool_version"`
	Created     time.Time   `json:"created"`
	PlanHash    string      `json:"plan_hash"`
	Host        eval.Host   `json:"host"`
	Plan        storedPlan  `json:"plan"`
	Facts       []eval.Fact `json:"facts"`
}

// storedPlan is a plan without its queries, which have their own table.
type storedPlan struct {
	SetName    string         `json:"set_name"`
	SetVersion string         `json:"set_version"`
	QuerySrc   string         `json:"query_src"`
	Source     string         `json:"source"`
	Parallel   int            `json:"parallel"`
	Models     []eval.Model   `json:"models"`
	Scoring    eval.Scoring   `json:"scoring"`
	Emissions  eval.Emissions `json:"emissions"`
}

func (s *Store) init(ctx context.Context) error {
	rec := s.record
	p := rec.Plan
	h, err := json.Marshal(header{ID: rec.ID, ToolVersion: rec.ToolVersion, Created: rec.Created,
		PlanHash: rec.PlanHash, Host: rec.Host, Facts: p.Facts(),
		Plan: storedPlan{SetName: p.Queries.Name, SetVersion: p.Queries.Version, QuerySrc: p.QuerySrc,
			Source: p.Source, Parallel: p.Parallel, Models: p.Models, Scoring: p.Scoring, Emissions: p.Emissions}})
	if err != nil {
		return fmt.Errorf("encode the plan: %w", err)
	}
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO meta VALUES ('run', ?)", string(h)); err != nil {
			return err
		}
		put, err := tx.PrepareContext(ctx, "INSERT INTO queries VALUES (?, ?)")
		if err != nil {
			return err
		}
		defer put.Close()
		for i, q := range p.Queries.Queries {
			b, err := json.Marshal(q)
			if err != nil {
				return err
			}
			if _, err := put.ExecContext(ctx, i, string(b)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) load(ctx context.Context) error {
	var text string
	err := s.db.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = 'run'").Scan(&text)
	if err != nil {
		return fmt.Errorf("read %s: %w: its record has no plan (%w)", s.dir, ErrNotRun, explain(err))
	}
	var h header
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return fmt.Errorf("read the plan in %s: %w", s.dir, err)
	}
	set := queries.Set{Name: h.Plan.SetName, Version: h.Plan.SetVersion}
	err = s.each(ctx, func(rows *sql.Rows) error {
		var idx int
		var b string
		if err := rows.Scan(&idx, &b); err != nil {
			return err
		}
		if idx != len(set.Queries) {
			return fmt.Errorf("the file is damaged: query %d is missing", len(set.Queries))
		}
		var q queries.Query
		if err := json.Unmarshal([]byte(b), &q); err != nil {
			return err
		}
		set.Queries = append(set.Queries, q)
		return nil
	}, "SELECT idx, query FROM queries ORDER BY idx")
	if err != nil {
		return fmt.Errorf("read the queries in %s: %w", s.dir, err)
	}
	s.record = eval.RunRecord{ID: h.ID, Dir: s.dir, ToolVersion: h.ToolVersion, Created: h.Created, PlanHash: h.PlanHash, Host: h.Host,
		Plan: eval.Plan{Queries: set, QuerySrc: h.Plan.QuerySrc, Source: h.Plan.Source, Parallel: h.Plan.Parallel,
			Models: h.Plan.Models, Scoring: h.Plan.Scoring, Emissions: h.Plan.Emissions}}
	return nil
}

func (s *Store) index() {
	s.models = make(map[string]int)
	for i, m := range s.record.Plan.Models {
		s.models[m.Name] = i
	}
	s.queries = make(map[string]int, len(s.record.Plan.Queries.Queries))
	for i, q := range s.record.Plan.Queries.Queries {
		s.queries[q.ID] = i
	}
}

func (s *Store) inTx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return explain(err)
	}
	defer tx.Rollback()
	if err := do(tx); err != nil {
		return explain(err)
	}
	return explain(tx.Commit())
}

func (s *Store) each(ctx context.Context, row func(*sql.Rows) error, query string, args ...any) error {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return explain(rows.Err())
}

// Close writes what is queued and lets go of the file.
func (s *Store) Close() error {
	var err error
	if s.writer != nil {
		err = s.writer.stop()
		// Without its log beside it the file can be read from anywhere, also
		// where nothing may be written.
		if _, jerr := s.db.Exec("PRAGMA journal_mode = DELETE"); jerr != nil && err == nil {
			err = explain(jerr)
		}
	}
	return errors.Join(err, s.db.Close())
}
