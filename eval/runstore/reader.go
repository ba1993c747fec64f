package runstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	sqlite3 "modernc.org/sqlite/lib"
)

// Read opens the record in dir to read it only. Any number of readers may have
// it at once; a writer may not. A finished run's file is left as it is, byte
// for byte. What a killed run left in its log is brought into the file first;
// where the folder cannot be written it is read from a copy.
func Read(ctx context.Context, dir string) (*Store, error) {
	dir, path, err := recordIn(dir)
	if err != nil {
		return nil, err
	}
	logged, err := hasLog(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if logged {
		writable, err := Open(ctx, dir)
		switch {
		case err == nil:
			if err := writable.Close(); err != nil {
				return nil, err
			}
		case isReadOnly(err), isCode(err, sqlite3.SQLITE_CANTOPEN), errors.Is(err, fs.ErrPermission):
			return readCopy(ctx, dir)
		default:
			return nil, err
		}
	}
	return readFile(ctx, dir, path, "ro")
}

// hasLog reports whether the file's header says that a log belongs to it,
// which it does until it was closed in order.
func hasLog(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var header [20]byte
	if _, err := io.ReadFull(f, header[:]); err != nil {
		return false, errors.New("the file is damaged or not a run's record: it is too short")
	}
	const fileFormatWAL = 2 // at offsets 18 and 19 of the SQLite file format
	return header[18] == fileFormatWAL || header[19] == fileFormatWAL, nil
}

// readFile holds one transaction from here to Close, so that all that is read
// is of one moment.
func readFile(ctx context.Context, dir, path, mode string) (*Store, error) {
	db, err := connect(path, "mode="+mode)
	if err != nil {
		return nil, err
	}
	version, err := schemaVersion(ctx, db)
	if err == nil && version == 1 {
		_, err = db.ExecContext(ctx, viewVersion1())
	}
	if err == nil && version <= withoutHosts {
		_, err = db.ExecContext(ctx, viewNoHosts)
	}
	if err == nil && version <= withoutPower {
		_, err = db.ExecContext(ctx, viewNoPower)
	}
	if err == nil && version > 1 && version <= withoutProbeHosts {
		_, err = db.ExecContext(ctx, viewNoProbeHosts)
	}
	if err == nil {
		_, err = db.ExecContext(ctx, "BEGIN")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, explain(err)), db.Close())
	}
	return loaded(ctx, dir, db, func(s *Store) error { return s.whole(ctx) })
}

// readCopy reads a record and its log from a copy in the temporary folder. It
// refuses when the two change meanwhile, which only a writer does.
func readCopy(ctx context.Context, dir string) (s *Store, err error) {
	scratch, err := os.MkdirTemp("", "disteval-read-")
	if err != nil {
		return nil, fmt.Errorf("copy the record of %s to read it: %w", dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(scratch))
		}
	}()
	before := state(dir)
	for _, name := range []string{FileName, FileName + "-wal"} {
		if err := copyFile(filepath.Join(scratch, name), filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("copy the record of %s to read it: %w", dir, err)
		}
	}
	if state(dir) != before {
		return nil, fmt.Errorf("open %s: %w; wait for it to end", dir, ErrBusy)
	}
	if s, err = readFile(ctx, dir, filepath.Join(scratch, FileName), "rw"); err != nil {
		return nil, err
	}
	s.scratch = scratch
	return s, nil
}

// state changes when a record or its log does.
func state(dir string) string {
	all := ""
	for _, name := range []string{FileName, FileName + "-wal"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			all += fmt.Sprintln(info.Size(), info.ModTime().UnixNano())
		}
	}
	return all
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
