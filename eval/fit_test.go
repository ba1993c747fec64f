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

func TestWasCut(t *testing.T) {
	five, two := 5, 2
	if eval.WasCut("one two three", eval.Usage{}) || eval.WasCut("one two three", eval.Usage{PromptTokens: &five}) || !eval.WasCut("one two three", eval.Usage{PromptTokens: &two}) {
		t.Error("a prompt of three words was cut where fewer than three tokens were read")
	}
}
