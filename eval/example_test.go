package eval_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/session"
	"github.com/disteval/disteval/eval/spec"
	"github.com/disteval/disteval/metrics"
)

// parrot is both a Provider and a Generator: it answers every question with the
// same words.
type parrot struct{ words string }

func (p parrot) Resolve(_ context.Context, models []eval.Model) ([]eval.Model, error) {
	for i := range models {
		models[i].Digest = "sha256:" + p.words
		models[i].Capabilities = eval.Capabilities{Raw: true, MaxTokens: true, Digest: true}
	}
	return models, nil
}

func (p parrot) Open(eval.Model) (eval.Generator, error) { return p, nil }

func (parrot) Load(context.Context) error                 { return nil }
func (parrot) Warmup(context.Context, eval.Request) error { return nil }
func (parrot) Unload(context.Context) error               { return nil }

func (p parrot) Generate(_ context.Context, r eval.Request) (eval.Reply, error) {
	if strings.Contains(r.Prompt, "Mockingbird") {
		return eval.Reply{}, &eval.Failure{Kind: eval.FailGenerator, Message: "it does not read"}
	}
	return eval.Reply{Text: p.words, DoneReason: "stop"}, nil
}

// Three queries on their way from a models file to scores. Package session takes
// each step; reports.Build and reports/gate go on from the stored run.
func Example() {
	const file = `
version: 1
emissions: {method: "off"}
models: [{name: parrot, provider: builtin, model: parrot}]
`
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	// models file -> Plan
	plan, err := spec.Parse([]byte(file), "models.yaml", spec.Defaults{})
	if err != nil {
		log.Fatal(err)
	}
	plan.Queries.Queries = plan.Queries.Queries[:3]
	s := session.Session{
		Providers: session.Providers{eval.ProviderBuiltin: parrot{" Paris, of course."}},
		Now:       time.Now,
		Say:       func(string) {},
	}
	if plan, err = s.Resolve(ctx, plan); err != nil {
		log.Fatal(err)
	}

	// Plan -> Jobs -> Replies, stored raw
	store, err := s.Create(ctx, plan, dir)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	if err := s.Ask(ctx, ctx, store, quiet{}); err != nil {
		log.Fatal(err)
	}

	// Replies -> Scores
	if err := s.Score(ctx, store); err != nil {
		log.Fatal(err)
	}
	for r, err := range store.Replies(ctx) {
		switch {
		case err != nil:
			log.Fatal(err)
		case r.Reply.Failure != nil:
			fmt.Println(r.Query.Prompt, "->", r.Reply.Failure)
		default:
			em := metrics.Find(r.Scores, metrics.EM)
			fmt.Printf("%s ->%s em %g\n", r.Query.Prompt, r.Reply.Text, em.Value)
		}
	}
	// Output:
	// The capital of France is -> Paris, of course. em 1
	// The author of To Kill a Mockingbird is -> generation: it does not read
	// The planet known as the Red Planet is -> Paris, of course. em 0
}
