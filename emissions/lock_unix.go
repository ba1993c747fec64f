//go:build unix && !solaris && !aix && !illumos

package emissions

import (
	"os"
	"syscall"
)

func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// held tells whether a living process holds the lock on path. A file nobody
// holds was left by a run that died; it is removed where that is allowed.
func held(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		return true
	}
	_ = os.Remove(path)
	return false
}
