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

// TestDepth: a token that vLLM gives beside the most probable ones, since it is
// none of them, must not pass for the last of these.
func TestDepth(t *testing.T) {
	p := func(v float64) *float64 { return &v }
	l := logprobs{Tokens: []string{" far"}, TokenLogprobs: []*float64{p(-9)}, TopLogprobs: []map[string]*float64{{" a": p(-1), " b": p(-2), " far": p(-9)}}}
	tokens, err := l.tokens(false, 2)
	if err != nil || len(tokens[0].Top) != 2 || tokens[0].Top[1].Text != " b" {
		t.Errorf("%+v, %v", tokens, err)
	}
	first := eval.Token{ID: -1, Text: "The", Logprob: math.NaN()}
	if f := formOf(" far", []eval.Token{first}, []eval.Token{first, tokens[0]}); f.Steps[0].Rank != 3 || !f.Steps[0].RankOpen {
		t.Errorf("%+v, want a rank of 3 or more", f.Steps[0])
	}
}

// TestEchoedWithoutBlanks: some servers read each token by itself.
func TestEchoedWithoutBlanks(t *testing.T) {
	n := 4
	r := eval.Reply{Text: "The capital of France", Usage: eval.Usage{PromptTokens: &n}}
	for _, text := range []string{"<s>", "The", "capital", "of", " France"} {
		r.Tokens = append(r.Tokens, eval.Token{Text: text})
	}
	if of, generated, err := echoed("The capital of", r); err != nil || len(of) != 4 || len(generated) != 1 {
		t.Errorf("%v, %v, %v", of, generated, err)
	}
	r.Tokens[1].Text = "A"
	if _, _, err := echoed("The capital of", r); err == nil {
		t.Error("another text passes for the prompt")
	}
}

func TestNumbered(t *testing.T) {
	tokens := []eval.Token{{Text: "token_id:7"}, {Text: "token_id:12", Top: []eval.Alternative{{Text: "token_id:3"}}}}
	if err := numbered(tokens, " two tokens"); err != nil || tokens[0].ID != 7 || tokens[0].Text != "" || tokens[1].ID != 12 || tokens[1].Text != " two tokens" || tokens[1].Top[0].ID != 3 {
		t.Errorf("%+v, %v", tokens, err)
	}
	for _, bad := range []string{"7", "token_id:", "token_id:-1", " Paris"} {
		if err := numbered([]eval.Token{{Text: bad}}, ""); err == nil {
			t.Errorf("%q passes for a number", bad)
		}
	}
}

// TestSum: probabilities that cannot be are refused, whatever their order.
func TestSum(t *testing.T) {
	p := func(f float64) *float64 { return &f }
	l := logprobs{Tokens: []string{"a"}, TokenLogprobs: []*float64{p(-0.5)}, TopLogprobs: []map[string]*float64{{"b": p(-0.6), "a": p(-0.5)}}}
	if _, err := l.tokens(false, 2); err == nil || !strings.Contains(err.Error(), "sum to 1.155, above 1") {
		t.Errorf("got %v", err)
	}
	l.TopLogprobs[0]["b"] = p(-0.94)
	if got, err := l.tokens(false, 2); err != nil || got[0].Top[0].Text != "a" {
		t.Errorf("got %+v, %v", got, err)
	}
}
