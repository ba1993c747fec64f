package queries_test

import (
	"strings"
	"testing"

	"github.com/disteval/disteval/queries"
)

func TestNearest(t *testing.T) {
	known := []string{"run", "models", "resume", "limit", "country"}
	for word, want := range map[string]string{
		"modles": "models", "rnu": "run", "runs": "run", "nur": "", "Models": "models", "contry": "country", "limt": "limit", "resumee": "resume",
		"x": "", "": "", "temperature": "", "modlesss": "", strings.Repeat("models", 1000): "",
	} {
		if got := queries.Nearest(word, known); got != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", word, got, want)
		}
	}
}
