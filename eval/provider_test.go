package eval_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
)

func TestCheckNamesWhatIsMissing(t *testing.T) {
	sampled := eval.Generation{Raw: true, Temperature: 0.8}
	for _, tt := range []struct {
		name string
		g    eval.Generation
		has  eval.Capabilities
		want string // in the error; empty: none
	}{
		{"all there", sampled, eval.Capabilities{MaxTokens: true, Raw: true, Seed: true}, ""},
		{"greedy needs no seed", eval.Generation{Raw: true}, eval.Capabilities{MaxTokens: true, Raw: true}, ""},
		{"no seed", sampled, eval.Capabilities{MaxTokens: true, Raw: true}, "seed"},
		{"no template", eval.Generation{}, eval.Capabilities{MaxTokens: true, Raw: true}, "raw: false"},
		{"no length", eval.Generation{Raw: true}, eval.Capabilities{Raw: true}, "num_predict"},
		{"no stop", eval.Generation{Raw: true, Stop: []string{"\n"}}, eval.Capabilities{MaxTokens: true, Raw: true}, "stop"},
		{"an ignored option", eval.Generation{Raw: true}, eval.Capabilities{MaxTokens: true, Raw: true, Ignores: []eval.Ignored{{Option: "top_k 3", Cure: "c"}}}, "top_k 3"},
		{"no completion", eval.Generation{Raw: true}, eval.Capabilities{MaxTokens: true, Chat: true}, "raw completion"},
	} {
		p := eval.Plan{Models: []eval.Model{{Name: "m", Provider: "p", Model: "x", Generation: tt.g, Capabilities: tt.has}}}
		err := p.Check()
		if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var lacks *eval.CapabilityError
		if err != nil && (!errors.As(err, &lacks) || lacks.Hint() == "") {
			t.Errorf("%s: no next step: %v", tt.name, err)
		}
	}
}
