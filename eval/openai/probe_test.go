package openai

import (
	"math"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
)

// TestFormOf takes a text's tokens from an echoed prompt.
func TestFormOf(t *testing.T) {
	token := func(text string, logprob float64, top ...float64) eval.Token {
		out := eval.Token{ID: -1, Text: text, Logprob: logprob}
		for _, p := range top {
			out.Top = append(out.Top, eval.Alternative{ID: -1, Logprob: p})
		}
		return out
	}
	first := token("The", math.NaN())
	before := []eval.Token{first, token(" cap", -3)}
	f := formOf(" Paris", before, []eval.Token{first, token(" cap", -3), token(" Par", -2, -1, -2), token("is", -5, -1, -2)})
	if lo, _ := f.Bits(); !f.Exact() || math.Abs(lo-7/math.Ln2) > 1e-12 || len(f.Steps) != 2 || f.Bytes != 6 {
		t.Errorf("%+v", f)
	}
	if a, b := f.Steps[0], f.Steps[1]; a.Rank != 2 || a.RankOpen || b.Rank != 3 || !b.RankOpen {
		t.Errorf("ranks %+v and %+v", a, b)
	}
	seam := formOf("ital", before, []eval.Token{first, token(" capital", -1)})
	if lo, _ := seam.Bits(); len(seam.Steps) != 1 || math.Abs(lo-1/math.Ln2) > 1e-12 {
		t.Errorf("across the seam: %+v", seam)
	}
	for want, whole := range map[string][]eval.Token{
		"adds no token":      before,
		"nothing comes":      {token("Thecap", -1)},
		"no log-probability": {first, token(" cap", -3), token(" x", math.NaN())},
	} {
		if f := formOf("x", before, whole); !strings.Contains(f.Reason, want) || len(f.Steps) > 0 {
			t.Errorf("%+v, want %q", f, want)
		}
	}
}
