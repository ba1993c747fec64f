package emissions

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Counters of a machine cannot tell two runs apart. Each metered run therefore
// holds a locked file in a folder that all users of the machine share, so that
// both notice, and one that died is not taken for alive.

// recheck is how often a run looks for others that began after it.
const recheck = time.Second

// settled is how old a file without a lock must be to be a dead run's: a
// younger one may be about to be locked.
const settled = 10 * time.Second

// mark begins the names of the files.
const presenceMark = "disteval-metering-"

// sharedDirs are where all users of a machine may make files, the best first.
var sharedDirs = []string{"/run/lock", "/tmp"}

// Presence makes a metered run known to others on this machine, and others to
// it. It is safe for concurrent use.
type Presence struct {
	dir  string
	path string // of file
	file *os.File
	own  bool // dir is not shared: other users' runs are unseen

	mu      sync.Mutex
	checked time.Time
	warning string
}

// Announce makes this run known in dir, or, with an empty dir, where all users
// of this machine do. It does not fail: what is not known is a Warning.
func Announce(dir string) *Presence {
	p := &Presence{}
	dirs := []string{dir}
	if dir == "" {
		dirs = append(filter(sharedDirs, sharedByAll), os.TempDir())
	}
	var errs []error
	for _, p.dir = range dirs {
		var err error
		if p.file, err = createLocked(p.dir); err == nil {
			p.path = p.file.Name()
			p.own = dir == "" && !sharedByAll(p.dir)
			break
		}
		errs = append(errs, err)
	}
	if p.file == nil {
		p.warning = fmt.Sprintf("whether another metered run overlaps is not known: %v", errors.Join(errs...))
	}
	return p
}

func filter(dirs []string, keep func(string) bool) []string {
	var out []string
	for _, d := range dirs {
		if keep(d) {
			out = append(out, d)
		}
	}
	return out
}

// sharedByAll tells whether every user may make files in dir and nobody may
// take another's away.
func sharedByAll(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir() && info.Mode()&os.ModeSticky != 0 && info.Mode().Perm()&0o002 != 0
}

// createLocked makes a file of a new name, which no link can stand in for.
func createLocked(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, fmt.Sprintf("%s%d-", presenceMark, os.Getpid()))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(lockFile(f), f.Chmod(0o644)); err != nil {
		return nil, errors.Join(err, os.Remove(f.Name()), f.Close())
	}
	return f, nil
}

// Warning says what is to be said beside a reading; empty where nothing is.
// Another run that was seen once stays said.
func (p *Presence) Warning() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.file != nil && p.warning == "" && now.Sub(p.checked) > recheck {
		p.checked = now
		if pid := p.other(); pid != "" {
			p.warning = fmt.Sprintf("another metered run (process %s) overlaps with this one on this machine: the energy is of both; run one at a time", pid)
		}
	}
	if p.warning == "" && p.own {
		return fmt.Sprintf("whether another user's metered run overlaps is not known: %s is not shared by all users; name a folder that is with DISTEVAL_LOCK_DIR", p.dir)
	}
	return p.warning
}

// other returns the process of another run that is alive, "" where there is none.
func (p *Presence) other() string {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return ""
	}
	for _, e := range entries {
		path := filepath.Join(p.dir, e.Name())
		name, ours := strings.CutPrefix(e.Name(), presenceMark)
		if !ours || path == p.path || !e.Type().IsRegular() || !held(path) {
			continue
		}
		pid, _, _ := strings.Cut(name, "-")
		return pid
	}
	return ""
}

// Close makes this run unknown again.
func (p *Presence) Close() error {
	if p.file == nil {
		return nil
	}
	return errors.Join(os.Remove(p.path), p.file.Close())
}

// WithPresence returns m with p's warning on every reading.
func WithPresence(m Meter, p *Presence) Meter { return present{m, p} }

type present struct {
	Meter
	presence *Presence
}

func (m present) Read(from, to time.Time) Reading {
	r := m.Meter.Read(from, to)
	if w := m.presence.Warning(); w != "" {
		r.Warnings = append(r.Warnings, w)
	}
	return r
}
