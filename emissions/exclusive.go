package emissions

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// LockDir is where metered runs make themselves known to each other: one
// place for all users of a machine.
func LockDir() string { return filepath.Join(os.TempDir(), "disteval-metering") }

// recheck is how often a run looks for others that began after it.
const recheck = time.Second

// WarnOverlap returns m with a warning on every reading while, or since,
// another metered run went on on this machine: counters of the machine cannot
// tell two runs apart. Each run holds a locked file in dir, so that both
// notice, and one that died is not taken for alive.
func WarnOverlap(m Meter, dir string) Meter { return &overlap{Meter: m, dir: dir} }

type overlap struct {
	Meter
	dir     string
	file    *os.File
	path    string // of file
	checked time.Time
	warning string
}

func (o *overlap) Start(ctx context.Context) error {
	o.register()
	o.check(time.Now())
	if err := o.Meter.Start(ctx); err != nil {
		o.release()
		return err
	}
	return nil
}

func (o *overlap) register() {
	err := os.MkdirAll(o.dir, 0o777)
	if err == nil {
		// The umask must not keep other users out; the sticky bit keeps their
		// hands off our file. Only the folder's owner can and need do this.
		_ = os.Chmod(o.dir, 0o777|os.ModeSticky)
		o.file, err = os.CreateTemp(o.dir, "new-")
	}
	if err == nil {
		o.path = o.file.Name()
		_ = o.file.Chmod(0o644)
		err = lockFile(o.file)
	}
	if err == nil {
		// It gets its name when it is locked: before, it would pass for the
		// file of a run that died.
		named := filepath.Join(o.dir, fmt.Sprintf("run-%d-%s", os.Getpid(), strings.TrimPrefix(filepath.Base(o.path), "new-")))
		if err = os.Rename(o.path, named); err == nil {
			o.path = named
		}
	}
	if err != nil {
		o.warning = fmt.Sprintf("whether another metered run overlaps is not known: %v", err)
	}
}

func (o *overlap) Read(from, to time.Time) Reading {
	if now := time.Now(); now.Sub(o.checked) > recheck {
		o.check(now)
	}
	r := o.Meter.Read(from, to)
	if o.warning != "" {
		r.Warnings = append(r.Warnings, o.warning)
	}
	return r
}

func (o *overlap) check(now time.Time) {
	o.checked = now
	if o.warning != "" || o.file == nil {
		return
	}
	entries, err := os.ReadDir(o.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(o.dir, e.Name())
		if path == o.path || !strings.HasPrefix(e.Name(), "run-") {
			continue
		}
		if held(path) {
			pid, _, _ := strings.Cut(strings.TrimPrefix(e.Name(), "run-"), "-")
			o.warning = fmt.Sprintf("another metered run (process %s) overlaps with this one on this machine: the energy is of both; run one at a time", pid)
			return
		}
	}
}

func (o *overlap) release() {
	if o.file != nil {
		_ = os.Remove(o.path)
		_ = o.file.Close()
	}
}

func (o *overlap) Close() error {
	o.release()
	return o.Meter.Close()
}
