//go:build !unix || solaris || aix || illumos

package emissions

import (
	"errors"
	"os"
	"runtime"
)

func lockFile(*os.File) error {
	return errors.New("file locks are not supported on " + runtime.GOOS)
}

func held(string) bool { return false }
