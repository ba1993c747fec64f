package openai_test

import (
	"math"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/evaltest"
	"github.com/disteval/disteval/metrics"
)

// TestFidelity compares a student with its teacher on the teacher's reply, both
// behind a server that names tokens by number.
func TestFidelity(t *testing.T) {
	f := evaltest.NewOpenAI(t, evaltest.VLLM, "teacher", "student")
	f.Skew = map[string]float64{"student": 0.5}
	f.Answer = func(string, int) string { return " is the city of Paris" }
	teacher, err := resolve(t, model(f, func(m *eval.Model) { m.Model, m.Role = "teacher", eval.RoleReference }))
	if err != nil {
		t.Fatal(err)
	}
	reply, err := opened(t, teacher).Generate(t.Context(), eval.Request{Prompt: "The capital", Logprobs: 20})
	if err != nil || len(reply.Tokens) != 5 || reply.Tokens[0].ID < 0 || reply.Tokens[0].Text != " is" || len(reply.Tokens[0].Top) != 20 || reply.Tokens[0].Top[0].ID != reply.Tokens[0].ID {
		t.Fatalf("%+v, %v", reply, err)
	}
	student, err := resolve(t, model(f, func(m *eval.Model) { m.Model = "student" }))
	if err != nil {
		t.Fatal(err)
	}
	probe := func(m eval.Model, tokens []eval.Token) eval.ProbeReply {
		t.Helper()
		out, err := opened(t, m).(eval.Prober).Probe(t.Context(), eval.ProbeRequest{Prompt: "The capital", Reply: tokens})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	out := probe(student, reply.Tokens)
	if len(out.Divergences) != 5 || out.Incomparable != "" {
		t.Fatalf("%+v", out)
	}
	for i, d := range out.Divergences {
		p := reply.Tokens[i].Logprob
		if want := math.Exp(p-0.5) - math.Exp(p); !d.SameTop1 || math.Abs(d.DeltaP-want) > 1e-12 || d.DeltaPBound != "" || d.KLD <= 0 || d.KLDBound != metrics.AtLeast {
			t.Errorf("token %d: %+v, want delta p %v", i, d, want)
		}
	}
	few := student
	few.Generation.NumCtx = 2 + 3 + 1
	if out := probe(few, reply.Tokens); len(out.Divergences) != 3 {
		t.Errorf("with room for 3: %+v", out)
	}
	for _, d := range probe(teacher, reply.Tokens).Divergences {
		if d.KLD > 1e-9 || d.DeltaP != 0 {
			t.Errorf("of a model and itself: %+v", d)
		}
	}

	other := evaltest.NewOpenAI(t, evaltest.VLLM, "student")
	other.Shift = 1
	stranger, err := resolve(t, model(other, func(m *eval.Model) { m.Model = "student" }))
	if err != nil {
		t.Fatal(err)
	}
	if out := probe(stranger, reply.Tokens); len(out.Divergences) != 0 || !strings.Contains(out.Incomparable, "vocabulary is not the reference's") {
		t.Errorf("another vocabulary: %+v", out)
	}
	named := reply.Tokens[0]
	named.ID = -1
	if out := probe(student, []eval.Token{named}); len(out.Divergences) != 0 || !strings.Contains(out.Incomparable, "cannot be used") {
		t.Errorf("a reference whose tokens have no numbers: %+v", out)
	}
}
