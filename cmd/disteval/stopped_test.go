//go:build unix

package main_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStopped stops the program for a while in the middle of a run.
func TestStopped(t *testing.T) {
	got := meteredRun(t, t.TempDir(), "off", func(p *os.Process) {
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			t.Error(err)
		}
		time.Sleep(2500 * time.Millisecond)
		if err := p.Signal(syscall.SIGCONT); err != nil {
			t.Error(err)
		}
	})
	if w := strings.Join(got.Energy.Warnings, "; "); !strings.Contains(w, "stood still for 2.") && !strings.Contains(w, "stood still for 3.") {
		t.Errorf("a run that was stopped for 2.5 s says %q", w)
	}
}
