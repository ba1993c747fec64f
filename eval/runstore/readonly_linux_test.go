package runstore_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// readOnly lets nobody write in dir until the test ends: for root, whom no
// permission stops, dir is mounted so.
func readOnly(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() == 0 {
		if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
			t.Skipf("as root a read-only folder takes a mount: %v", err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
		must(t, syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
		return
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	for _, f := range files {
		must(t, os.Chmod(f, 0o444))
	}
	must(t, os.Chmod(dir, 0o555))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
}
