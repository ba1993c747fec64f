package eval_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
)

func TestUnfit(t *testing.T) {
	p := capitals()
	m := eval.Model{Name: "m", Generation: eval.Generation{NumCtx: 12, NumPredict: 6}}
	four := func(string) (int, error) { return 4, nil }
	many := func(text string) (int, error) { return len(text), nil }
	for name, tt := range map[string]struct {
		count func(string) (int, error)
		words string
		want  string
	}{
		"fits":              {four, "", ""},
		"counted":           {many, "", "the prompt of France has 24 tokens, and with num_predict 6 more it does not fit num_ctx 12"},
		"by words":          {nil, "one two three", "has at least 8 tokens"},
		"by words, fits":    {nil, "", ""},
		"cannot be counted": {func(string) (int, error) { return 0, errors.New("no") }, "", ""},
		"by words then":     {func(string) (int, error) { return 0, errors.New("no") }, "one two three", "has at least 8 tokens"},
	} {
		m.Prompting.Template = ""
		if tt.words != "" {
			m.Prompting.Template = tt.words + " {{prompt}}"
		}
		if got := p.Unfit(m, tt.count); !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestUnfitAsksForLongPrompts: a prompt that fits even with a token for every
// byte is not counted.
func TestUnfitAsksForLongPrompts(t *testing.T) {
	p := capitals()
	asked := 0
	count := func(string) (int, error) { asked++; return 1, nil }
	for raw, want := range map[bool]bool{true: false, false: true} { // a chat's template adds tokens
		asked = 0
		p.Unfit(eval.Model{Name: "m", Generation: eval.Generation{Raw: raw, NumCtx: 128, NumPredict: 64}}, count)
		if asked > 0 != want {
			t.Errorf("raw %t: counted %d prompts", raw, asked)
		}
	}
}

func TestWasCut(t *testing.T) {
	five, two := 5, 2
	if eval.WasCut("one two three", eval.Usage{}) || eval.WasCut("one two three", eval.Usage{PromptTokens: &five}) || !eval.WasCut("one two three", eval.Usage{PromptTokens: &two}) {
		t.Error("a prompt of three words was cut where fewer than three tokens were read")
	}
}
