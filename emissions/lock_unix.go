//go:build unix && !solaris && !aix && !illumos

package emissions

import (
	"os"
	"syscall"
	"time"
)

func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// held tells whether a living process holds the lock on path. Anybody may have
// put something there: links are not followed and pipes not waited for. Our
// own file that nobody holds was left by a run that died, and is removed.
func held(path string) bool {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		return true
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(stat.Uid) == os.Geteuid() && time.Since(info.ModTime()) > settled {
		_ = os.Remove(path)
	}
	return false
}
