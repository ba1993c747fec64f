package emissions

import (
	"strings"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	c := NewClock()
	a := c.Now()
	time.Sleep(5 * time.Millisecond)
	b := c.Now()
	// What is left of a time in a file is the wall's part.
	if wall, mono := b.Round(0).Sub(a.Round(0)), b.Sub(a); wall != mono || wall < 5*time.Millisecond {
		t.Errorf("%v by the stored times, %v by the monotonic clock", wall, mono)
	}
	if off := time.Since(a); off < 0 || off > time.Minute {
		t.Errorf("the clock is %v off the wall", off)
	}
}

func TestPauses(t *testing.T) {
	start := time.Now()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	var p pauses
	step := func(mono, wall time.Duration) { p.beat(at(mono), at(wall).Round(0)) }
	step(0, 0)
	step(beat, beat)
	step(beat+time.Second, beat+time.Second) // a busy machine
	step(22*time.Second, 22*time.Second)     // SIGSTOP
	step(23*time.Second, 623*time.Second)    // asleep for ten minutes
	step(24*time.Second, 24*time.Second-time.Hour)
	said := func(from, to time.Duration) string { return strings.Join(p.warnings(at(from), at(to)), "; ") }
	if w := said(0, 10*time.Second); !strings.Contains(w, "stood still for 20.8 s") || strings.Contains(w, "slept") {
		t.Errorf("stopped: %q", w)
	}
	if w := said(22500*time.Millisecond, 24*time.Second); !strings.Contains(w, "slept for 600 s") || strings.Contains(w, "still") {
		t.Errorf("asleep: %q", w)
	}
	if w := said(0, time.Second/2); w != "" {
		t.Errorf("nothing befell: %q", w)
	}
}

func TestWithPauses(t *testing.T) {
	m := WithPauses(steady{10, Measured, "rapl"})
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if r := m.Read(now, now); len(r.Warnings) != 0 {
		t.Errorf("%q", r.Warnings)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
