//go:build static

package nvml

import (
	"strings"
	"testing"
)

func TestStatic(t *testing.T) {
	if p := Examine(); !strings.Contains(p.Reason, "static") || len(p.Devices) > 0 {
		t.Errorf("%+v", p)
	}
}
