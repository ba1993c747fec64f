package text

import (
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
)

// TestWriteConditions has an error and its advice try to break out.
func TestWriteConditions(t *testing.T) {
	all := []eval.Condition{
		{Name: "Ollama", State: eval.Works, Found: "0.17.4"},
		{Name: "energy", State: eval.Fails, Found: "a\n::error::b\x1b[2J", Cure: "first\n::error::second"},
	}
	var plain, color strings.Builder
	if err := WriteConditions(&plain, all, false); err != nil {
		t.Fatal(err)
	}
	want := `works   Ollama                 0.17.4
fails   energy                 a\n::error::b\x1b[2J
                               do: first
                                   \x3a:error::second
`
	if plain.String() != want {
		t.Errorf("got\n%s\nwant\n%s", plain.String(), want)
	}
	if err := WriteConditions(&color, all, true); err != nil || !strings.Contains(color.String(), "\x1b[31mfails") || strings.Contains(color.String(), "\x1b[2J") {
		t.Errorf("%v, %q", err, color.String())
	}
}
