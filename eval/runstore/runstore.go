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
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/disteval/disteval/eval"
)

// FileName is the record's name in a run's folder.
const FileName = "run.db"

// Store is a run's open record. It is an eval.Store and an eval.Run.
type Store struct {
	dir     string
	db      *sql.DB
	record  eval.RunRecord
	models  map[string]int // Model.Name -> index
	queries map[string]int // Query.ID -> index
	writer  *writer        // nil where the record is only read
	memory  memory         // of what it writes
	file    os.FileInfo    // of the record, to notice when another takes its place
	scratch string         // folder of a copy to read from; empty: none
	closing sync.Once
	closed  error // what came of it

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
	syncFolder(parent)
	rec.Dir = dir
	return open(ctx, dir, func(s *Store) error {
		s.record = rec
		s.remember()
		return nil
	})
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
	ahead, stop := context.WithCancel(ctx)
	defer stop()
	rows := encodeQueries(ahead, rec.Plan.Queries.Queries)
	path := filepath.Join(dir, FileName)
	empty, err := blank()
	if err != nil {
		return explain(err)
	}
	if err := os.WriteFile(path, empty, 0o644); err != nil {
		return err
	}
	// Nobody relies on the file before it is whole: until then one sync does.
	db, err := connect(path, "mode=rw", "_pragma=locking_mode(EXCLUSIVE)", "_pragma=journal_mode(MEMORY)", "_pragma=synchronous(OFF)")
	if err != nil {
		return err
	}
	s := &Store{dir: dir, db: db, record: rec}
	if err := errors.Join(s.init(ctx, rows), s.logAhead(ctx), db.Close()); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	syncFolder(dir)
	return errors.Join(f.Sync(), f.Close())
}

// logAhead gives a file the journal that open asks for, which then has nothing
// to change, and to wait for.
func (s *Store) logAhead(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, "PRAGMA journal_mode = WAL")
	return explain(err)
}

// syncFolder waits until what a folder lists is on disk, on systems that can.
func syncFolder(dir string) {
	if f, err := os.Open(dir); err == nil {
		_ = f.Sync() // Windows has no such thing, and no need of it
		_ = f.Close()
	}
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
	return open(ctx, dir, func(s *Store) error { return s.whole(ctx) })
}

// open opens the record in dir to write to it; load brings the plan. The
// driver sets the mode of locking before that of the journal: otherwise the log
// of a file that has one already gets an index on disk, which nobody shares.
func open(ctx context.Context, dir string, load func(*Store) error) (*Store, error) {
	dir, path, err := recordIn(dir)
	if err != nil {
		return nil, err
	}
	db, err := connect(path, "mode=rw", "_txlock=immediate", "_pragma=locking_mode(EXCLUSIVE)", "_journal_mode=WAL", "_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, explain(err)), db.Close())
	}
	s, err := loaded(ctx, dir, db, load)
	if err != nil {
		return nil, err
	}
	if s.file, err = os.Stat(path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.writer = startWriter(s)
	return s, nil
}

// loaded is the store of a record that load brings the plan of, with all else
// that the record holds.
func loaded(ctx context.Context, dir string, db *sql.DB, load func(*Store) error) (*Store, error) {
	s := &Store{dir: dir, db: db}
	if err := load(s); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.index()
	if err := s.Refresh(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// whole reads the plan and holds the file to what was stored. The plan is decoded
// while SQLite looks over the file's pages.
func (s *Store) whole(ctx context.Context) error {
	plan, err := s.load(ctx)
	if err != nil {
		return errors.Join(err, s.check(ctx))
	}
	decoded := make(chan error, 1)
	go func() { decoded <- s.decodePlan(plan) }()
	checked := s.check(ctx)
	return errors.Join(<-decoded, checked)
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

// Close writes what is queued and lets go of the file. Calling it again does
// nothing more.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closed = s.close() })
	return s.closed
}

func (s *Store) close() error {
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
