//go:build !linux || (!amd64 && !arm64) || static

package nvml

import (
	"errors"
	"runtime"
)

const libraryName = ""

// library is NVML, which this build cannot open.
type library struct{}

func openLibrary(string) (*library, error) {
	if runtime.GOOS != "linux" {
		return nil, errors.New("NVIDIA's cards are metered on Linux only")
	}
	return nil, errors.New("this build is linked to nothing and so cannot open NVIDIA's library: use the default build for Linux (built without -tags static)")
}

func (l *library) cards() ([]card, []error, error) { return nil, nil, nil }
func (l *library) close()                          {}

func unsupported(error) bool { return false }
