package files

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Atomic writes a file beside path and renames it there. It makes the folder
// where there is none.
func Atomic(path string, write func(io.Writer) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	removeStale(path)
	f, err := os.CreateTemp(filepath.Dir(path), temporary(path))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	b := bufio.NewWriterSize(f, 64<<10)
	if err := write(b); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(b.Flush(), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// temporary is the pattern of the names under which path is written.
func temporary(path string) string { return "." + filepath.Base(path) + ".*" }

// stale is how old a file under a temporary name is before it counts as left
// behind by a process that was killed.
const stale = 10 * time.Minute

// removeStale clears what killed processes left of path.
func removeStale(path string) {
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), temporary(path)))
	for _, name := range left {
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > stale {
			_ = os.Remove(name) // the next writing tries again
		}
	}
}
