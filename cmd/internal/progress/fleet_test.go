package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/eval"
)

func TestFleet(t *testing.T) {
	now := time.Unix(0, 0)
	for _, tty := range []bool{false, true} {
		var out bytes.Buffer
		p := NewFleet(&out, tty, func() time.Time { return now })
		m := eval.Model{Name: "M"}
		p.PhaseBegun(m, eval.PhaseAnswer, 20, 30)
		for i := range 20 {
			now = now.Add(time.Second)
			host := "a"
			if i%4 == 0 {
				host = "b\x1b[31m"
			}
			p.ReplyReceived(m, eval.Reply{Host: host})
		}
		p.Say("hello\x1b[2J")
		p.Close()
		got := out.String()
		for _, want := range []string{"M: 10 of 30 replies are there already", "20 of 20, 1/s, 0s left", "hello"} {
			if !strings.Contains(got, want) {
				t.Errorf("terminal %t: %q lacks %q", tty, got, want)
			}
		}
		if strings.Contains(got, "\x1b[31m") || strings.Contains(got, "\x1b[2J") {
			t.Errorf("terminal %t: %q obeys a worker", tty, got)
		}
		if !tty && (strings.Contains(got, "\x1b") || !strings.Contains(got, "a 15, b")) {
			t.Errorf("off a terminal: %q", got)
		}
	}
}
