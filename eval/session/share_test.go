package session_test

import (
	"testing"

	"github.com/disteval/disteval/eval/session"
)

func TestParseShare(t *testing.T) {
	for text, want := range map[string]float64{"0%": 0, "5%": 0.05, " 100% ": 1, "0.25": 0.25} {
		if got, err := session.ParseShare(text); err != nil || got != want {
			t.Errorf("%q is %g, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "%", "101%", "-1", "NaN", "5 percent"} {
		if got, err := session.ParseShare(text); err == nil {
			t.Errorf("%q is %g", text, got)
		}
	}
}
