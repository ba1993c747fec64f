package progress

import (
	"bytes"
	"strings"
	"testing"
)

func TestSteps(t *testing.T) {
	var b bytes.Buffer
	p := NewBytes(&b, false, "M\x1b")
	for done := int64(0); done <= 20_000_000; done += 500_000 {
		p.Tell("w.safetensors", done, 20_000_000)
	}
	p.Tell("config.json", 100, 100)
	p.Tell("converting model", 0, 0)
	p.Close()
	if got := strings.Count(b.String(), "\n"); got != 11 || !strings.HasPrefix(b.String(), `M\x1b: w.safetensors: 2.0 MB of 20 MB`) {
		t.Errorf("%d lines, want a line each tenth and one for the step without size:\n%s", got, &b)
	}
}
