package progress

import (
	"strings"
	"testing"
)

// TestScreen draws two bars one below the other, with a message above them.
func TestScreen(t *testing.T) {
	var out strings.Builder
	s := &screen{w: &out}
	a := s.line("a")
	a.Write([]byte("\ra 1"))
	if got := out.String(); got != "\ra 1" {
		t.Errorf("one bar: %q", got)
	}
	out.Reset()
	b := s.line("b")
	b.Write([]byte("\rb 1"))
	if got := out.String(); got != "\n\x1b[1A\r\x1b[Ka 1\n\r\x1b[Kb 1" {
		t.Errorf("a second bar: %q", got)
	}
	out.Reset()
	s.printf("b: given up\n")
	if got := out.String(); got != "\x1b[1A\r\x1b[Jb: given up\n\n\x1b[1A\r\x1b[Ka 1\n\r\x1b[Kb 1" {
		t.Errorf("a message: %q", got)
	}
	out.Reset()
	s.end("a")
	if got := out.String(); got != "" {
		t.Errorf("the first bar ends: %q", got)
	}
	s.end("b")
	if got := out.String(); got != "\n" || len(s.lines) > 0 {
		t.Errorf("the last bar ends: %q", got)
	}
}
