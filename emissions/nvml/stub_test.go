//go:build !nvml || !cgo

package nvml

import (
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
)

func TestNothingPretended(t *testing.T) {
	r := New().Read(time.Now(), time.Now())
	if r.Quality != emissions.Unavailable || !strings.Contains(r.Reason, "-tags nvml") {
		t.Errorf("%+v", r)
	}
	if p := Examine(); p.Reason == "" || len(p.Devices) > 0 {
		t.Errorf("%+v", p)
	}
}
