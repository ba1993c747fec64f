package progress

import (
	"fmt"
	"io"
	"strings"
)

// screen draws the bars of several models one below the other and messages
// above them. Its methods are called by one goroutine at a time. With one bar it
// only hands on what the bar writes.
type screen struct {
	w     io.Writer
	lines []*barLine // drawn, from above
}

// barLine is where one bar writes.
type barLine struct {
	screen *screen
	name   string
	text   string
	ended  bool
}

// line is the place of a model's bar.
func (s *screen) line(name string) io.Writer {
	for _, l := range s.lines {
		if l.name == name {
			return l
		}
	}
	l := &barLine{screen: s, name: name}
	if len(s.lines) > 0 {
		fmt.Fprintln(s.w)
	}
	s.lines = append(s.lines, l)
	return l
}

// Write takes one picture of a bar; it begins with a carriage return.
func (l *barLine) Write(b []byte) (int, error) {
	s := l.screen
	if text := strings.Trim(string(b), "\r\n "); text != "" {
		l.text = text
	}
	if len(s.lines) == 1 {
		return s.w.Write(b)
	}
	s.draw()
	return len(b), nil
}

// draw draws every bar anew; the cursor is on the last.
func (s *screen) draw() {
	var b strings.Builder
	if n := len(s.lines) - 1; n > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", n)
	}
	for i, l := range s.lines {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString("\r\x1b[K" + l.text)
	}
	fmt.Fprint(s.w, b.String())
}

// printf says a whole line above the bars.
func (s *screen) printf(format string, args ...any) {
	if n := len(s.lines) - 1; n > 0 {
		fmt.Fprintf(s.w, "\x1b[%dA\r\x1b[J", n)
	}
	fmt.Fprintf(s.w, format, args...)
	if n := len(s.lines); n > 1 {
		fmt.Fprint(s.w, strings.Repeat("\n", n-1))
		s.draw()
	}
}

// end leaves a model's bar as it stands; with the last of them the lines after
// it are free.
func (s *screen) end(name string) {
	left := false
	for _, l := range s.lines {
		l.ended = l.ended || l.name == name
		left = left || !l.ended
	}
	if !left {
		fmt.Fprintln(s.w)
		s.lines = nil
	}
}
