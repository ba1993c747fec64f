package ollama_test

import (
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
)

// TestCountTokens cuts a text by the vocabulary that the server shows, however
// much longer than the context it is.
func TestCountTokens(t *testing.T) {
	counter := newWalkServer(t, even("a", 0.5)).prober(t, true).(eval.TokenCounter)
	for text, want := range map[string]int{"abba": 1 + 3, strings.Repeat("ab", 300): 1 + 300} {
		if n, err := counter.CountTokens(t.Context(), text); err != nil || n != want {
			t.Errorf("%d tokens, %v; want %d", n, err, want)
		}
	}
	if n, err := counter.CountTokens(t.Context(), "É"); err == nil {
		t.Errorf("a text that the vocabulary cannot write has %d tokens", n)
	}
}
