package runstore

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Errors that callers tell apart.
var (
	ErrNotRun = errors.New("not a run's folder")
	ErrBusy   = errors.New("another process has the run open")
)

// DamagedError means that a record is not what was stored.
type DamagedError struct{ Dir, What string }

func damaged(dir, what string) error { return &DamagedError{Dir: dir, What: what} }

func (e *DamagedError) Error() string { return fmt.Sprintf("%s is damaged: %s", e.Dir, e.What) }

// Hint is where to get a whole record.
func (*DamagedError) Hint() string {
	return "take the folder from a backup, or run again; nothing in it can be trusted"
}

func isCode(err error, code int) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == code
}

// isReadOnly reports whether the file cannot be written, which shows when a
// writer wants its lock.
func isReadOnly(err error) bool {
	var e *sqlite.Error
	return isCode(err, sqlite3.SQLITE_READONLY) || errors.As(err, &e) && e.Code() == sqlite3.SQLITE_IOERR_LOCK
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
	case isReadOnly(err):
		return fmt.Errorf("the file cannot be written; check its permissions and the file system (%w)", err)
	case isCode(err, sqlite3.SQLITE_IOERR):
		return fmt.Errorf("the disk does not take it; all that was stored before is whole: check free space and limits, then go on with --resume (%w)", err)
	case isCode(err, sqlite3.SQLITE_NOTADB), isCode(err, sqlite3.SQLITE_CORRUPT):
		return fmt.Errorf("the file is damaged or not a run's record (%w)", err)
	}
	return err
}
