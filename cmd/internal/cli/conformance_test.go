package cli

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/ollama/ollamatest"
)

// TestEndsAreOllamas compares, in this process and at a real Ollama, what ends
// a reply: the context, num_predict, a stop text; and the repeat penalty. The
// replies of the whole set are compared by the program's own TestConformance.
func TestEndsAreOllamas(t *testing.T) {
	server := ollamatest.Start(t)
	a, _, messages := pullApp(t, server.URL, "")
	source, err := filepath.Abs("../../../eval/builtin/models/mini-teacher.gguf")
	if err != nil {
		t.Fatal(err)
	}
	file := modelsFile(t, t.TempDir(),
		`{name: here, provider: builtin, model: mini-teacher, role: reference}`,
		fmt.Sprintf(`{name: there, provider: ollama, model: mini-teacher, source: %q, generation: {num_thread: 1}}`, source))
	if err := a.pullModels(t.Context(), file); err != nil {
		t.Fatalf("%v\n%s", err, messages)
	}
	plan, err := a.loadPlan(file)
	if err != nil {
		t.Fatal(err)
	}
	ps := a.session().Providers
	for _, change := range []func(*eval.Generation){
		func(g *eval.Generation) { g.NumCtx = 12 },
		func(g *eval.Generation) { g.NumPredict = 3 },
		func(g *eval.Generation) { g.Stop = []string{"room was"} },
		func(g *eval.Generation) { g.RepeatPenalty = 1.3 },
	} {
		var replies []eval.Reply
		for _, m := range plan.Models {
			change(&m.Generation)
			known, err := ps.Resolve(t.Context(), []eval.Model{m})
			if err != nil {
				t.Fatal(err)
			}
			g, err := ps.Open(known[0])
			if err != nil {
				t.Fatal(err)
			}
			reply, err := g.Generate(t.Context(), eval.Request{Prompt: "The capital of France is"})
			if err != nil {
				t.Fatal(err)
			}
			reply.Timing = eval.Timing{}
			replies = append(replies, reply)
		}
		if diff := cmp.Diff(replies[0], replies[1]); diff != "" {
			t.Errorf("here and in Ollama (-here +Ollama):\n%s", diff)
		}
	}
}
