// Package runstore keeps the record of one run in one SQLite file, run.db.
//
// Policy: an outcome counts once it is committed. One goroutine writes, in
// groups, so that a slow disk costs a run little; a kill at any moment loses
// at most what was in flight. One process at a time may write; any number read
// side by side, and change nothing. Rows carry checksums, so that a record
// that was damaged is refused and not believed. Nothing that can be computed
// from the replies is stored in their place.
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
	"syscall"
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
	dir     string
	db      *sql.DB
	record  eval.RunRecord
	models  map[string]int // Model.Name -> index
	queries map[string]int // Query.ID -> index
	writer  *writer        // nil where the record is only read
	file    os.FileInfo    // of the record, to notice when another takes its place
	scratch string         // folder of a copy to read from; empty: none

	unchecked bool // whether rows may be from before there were checksums
}

var _ eval.Store = (*Store)(nil)
var _ eval.Run = (*Store)(nil)

// Create makes dir and the record of a new run in it. rec's ID, plan, host
// and times are stored. The folder appears whole or not at all; where there is
// one already the error is fs.ErrExist.
func Create(ctx context.Context, dir string, rec eval.RunRecord) (*Store, error) {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, fmt.Errorf("make the run's folder: %w", err)
	}
	removeStale(parent)
	begun, err := os.MkdirTemp(parent, newPrefix+"*")
	if err != nil {
		return nil, fmt.Errorf("make the run's folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(begun) }() // nothing is left of it once it has its name
	if err := initialise(ctx, begun, rec); err != nil {
		return nil, fmt.Errorf("create %s: %w", filepath.Join(dir, FileName), err)
	}
	if err := claim(begun, dir); err != nil {
		return nil, fmt.Errorf("create %s: %w", dir, err)
	}
	return Open(ctx, dir)
}

// newPrefix begins the name of a run's folder until its record is whole.
const newPrefix = ".disteval-new-"

// removeStale clears what processes killed while they began a run left behind.
func removeStale(parent string) {
	left, _ := filepath.Glob(filepath.Join(parent, newPrefix+"*"))
	for _, dir := range left {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > time.Minute {
			_ = os.RemoveAll(dir) // the next run tries again
		}
	}
}

func initialise(ctx context.Context, dir string, rec eval.RunRecord) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	db, err := connect(filepath.Join(dir, FileName), "mode=rwc", "_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	s := &Store{dir: dir, db: db, record: rec}
	return errors.Join(explain(migrate(ctx, db)), s.init(ctx), db.Close())
}

// claim gives a folder its name, which nothing else may have.
func claim(begun, dir string) error {
	if _, err := os.Lstat(dir); err == nil {
		return fs.ErrExist
	}
	err := os.Rename(begun, dir)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) {
		return fs.ErrExist
	}
	return err
}

// Open opens the record in dir to read it and to write more. ErrNotRun where
// there is no record, ErrBusy where another process has it.
func Open(ctx context.Context, dir string) (*Store, error) {
	dir, path, err := recordIn(dir)
	if err != nil {
		return nil, err
	}
	db, err := connect(path, "mode=rw", "_pragma=locking_mode(EXCLUSIVE)", "_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, explain(err)), db.Close())
	}
	s, err := loaded(ctx, dir, db)
	if err != nil {
		return nil, err
	}
	if s.file, err = os.Stat(path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.writer = startWriter(s)
	return s, nil
}

// loaded reads what the record says of itself.
func loaded(ctx context.Context, dir string, db *sql.DB) (*Store, error) {
	s := &Store{dir: dir, db: db}
	if err := errors.Join(s.load(ctx), s.check(ctx)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.index()
	if err := s.Refresh(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func recordIn(dir string) (folder, path string, err error) {
	dir = strings.TrimSuffix(dir, string(filepath.Separator)+FileName) // people name the file as well
	path = filepath.Join(dir, FileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return "", "", eval.BadInput(fmt.Errorf("open %s: %w: it holds no %s", dir, ErrNotRun, FileName),
			"name a run's folder, the one that holds "+FileName+" (runs/<id>)")
	}
	return dir, path, nil
}

// connect opens the file over one connection, which alone holds its locks.
func connect(path string, options ...string) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + strings.Join(options, "&")
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// schemaVersion is the version of the file's schema; an error where this
// program does not know it.
func schemaVersion(ctx context.Context, db *sql.DB) (int, error) {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, err
	}
	if version < 0 || version > maxVersion {
		return 0, fmt.Errorf("the file is damaged: no record is of version %d", version)
	}
	if version > len(migrations) {
		return 0, fmt.Errorf("the record is of version %d, this program knows up to %d: use a newer disteval", version, len(migrations))
	}
	return version, nil
}

// maxVersion is more than there will ever be.
const maxVersion = 10_000

// migrate brings the schema up to date. It takes the write lock even where
// there is nothing to do, which is what keeps a second process out.
func migrate(ctx context.Context, db *sql.DB) error {
	version, err := schemaVersion(ctx, db)
	if err != nil {
		return err
	}
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

func (s *Store) init(ctx context.Context) error {
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
		put, err := tx.PrepareContext(ctx, "INSERT INTO queries VALUES (?, ?)")
		if err != nil {
			return err
		}
		defer put.Close()
		for i, q := range rec.Plan.Queries.Queries {
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

// load reads the plan and holds it to the checksum and the hash that were
// stored with it.
func (s *Store) load(ctx context.Context) error {
	var text string
	err := s.db.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = 'run'").Scan(&text)
	if isCode(err, sqlite3.SQLITE_BUSY) {
		return fmt.Errorf("open %s: %w", s.dir, explain(err))
	}
	if err != nil {
		return eval.BadInput(fmt.Errorf("read %s: %w: its record has no plan (%w)", s.dir, ErrNotRun, explain(err)), "name the folder of another run")
	}
	if s.unchecked, err = s.hasUnchecked(ctx); err != nil {
		return fmt.Errorf("read the plan in %s: %w", s.dir, explain(err))
	}
	var sum string
	err = s.db.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = 'run checksum'").Scan(&sum)
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("read the plan in %s: %w", s.dir, explain(err))
	case err != nil && s.unchecked: // none was stored
	case sum != checksumText(text):
		return damaged(s.dir, "the plan is not what was stored")
	}
	var h header
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return damaged(s.dir, "the plan cannot be read: "+err.Error())
	}
	list, err := s.loadQueries(ctx)
	if err != nil {
		return fmt.Errorf("read the queries in %s: %w", s.dir, err)
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

func (s *Store) loadQueries(ctx context.Context) (list []queries.Query, err error) {
	err = s.each(ctx, func(rows *sql.Rows) error {
		var idx int
		var b string
		if err := rows.Scan(&idx, &b); err != nil {
			return err
		}
		if idx != len(list) {
			return damaged(s.dir, fmt.Sprintf("query %d is missing", len(list)))
		}
		var q queries.Query
		known := json.NewDecoder(strings.NewReader(b))
		known.DisallowUnknownFields() // a flipped bit in a name would drop its value
		if err := known.Decode(&q); err != nil {
			return damaged(s.dir, fmt.Sprintf("query %d cannot be read: %v", idx, err))
		}
		list = append(list, q)
		return nil
	}, "SELECT idx, query FROM queries ORDER BY idx")
	return list, err
}

// DamagedError means that a record is not what was stored.
type DamagedError struct{ Dir, What string }

func damaged(dir, what string) error { return &DamagedError{Dir: dir, What: what} }

func (e *DamagedError) Error() string { return fmt.Sprintf("%s is damaged: %s", e.Dir, e.What) }

// Hint is where to get a whole record.
func (*DamagedError) Hint() string {
	return "take the folder from a backup, or run again; nothing in it can be trusted"
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
	err = errors.Join(err, s.db.Close())
	if s.scratch != "" {
		err = errors.Join(err, os.RemoveAll(s.scratch))
	}
	return err
}
