package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
)

// TestErrorsForgeNothing has errors and hints quote text that a build service
// would take for a command, or a terminal for an escape.
func TestErrorsForgeNothing(t *testing.T) {
	const hostile = "model\n::error::forged\n \t::warning file=a::forged\r\n##[error]forged ##vso[x]\x1b[31m\u202e"
	var said strings.Builder
	a := &app{err: &said}
	if code := a.exit(eval.WithHint(errors.New(hostile), hostile)); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	for line := range strings.Lines(said.String()) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") || strings.Contains(line, "##vso[") {
			t.Errorf("a line is a command: %q", line)
		}
	}
	if strings.ContainsAny(said.String(), "\x1b\r\u202e") {
		t.Errorf("controls are written: %q", said.String())
	}
	if !strings.HasPrefix(said.String(), "disteval: model\n") {
		t.Errorf("the message is %q", said.String())
	}
}
