package builtin

import (
	"context"
	"fmt"
	"slices"

	"github.com/disteval/disteval/eval"
)

// engineVersion changes whenever the same file could give another text.
const engineVersion = "builtin 1"

// notice is what every run of a miniature says of it.
const notice = "The mini models are miniatures inside this program, for trying and testing it: their scores follow from which facts each was taught, and say nothing about real models or about distillation."

// Miniature reports whether a model of that name is inside the program.
func Miniature(name string) bool { return slices.Contains(Names(), name) }

// Generator answers for one model of a plan. It is an eval.Generator.
type Generator struct {
	llm     *LLM
	options Options
	written written
}

// countOf says a number of parameters as people do, such as 2.03M.
func countOf(n int64) string {
	if n >= 1e9 {
		return fmt.Sprintf("%.2fB", float64(n)/1e9)
	}
	return fmt.Sprintf("%.2fM", float64(n)/1e6)
}

// NewGenerator opens a model that Describe has described.
func NewGenerator(m eval.Model) (*Generator, error) {
	llm, err := Open(m.Model)
	if err != nil {
		return nil, err
	}
	if is := llm.Info().Digest; is != m.Digest {
		return nil, fmt.Errorf("open model %s: the plan was made for %s, the file is now %s; start again", m.Model, m.Digest, is)
	}
	g := m.Generation
	o := Options{NumPredict: g.NumPredict, NumCtx: g.NumCtx, Temperature: g.Temperature,
		RepeatPenalty: g.RepeatPenalty, Seed: g.Seed, Stop: g.Stop}
	if g.TopK != nil {
		o.TopK = *g.TopK
	}
	if g.TopP != nil {
		o.TopP = *g.TopP
	}
	return &Generator{llm: llm, options: o}, nil
}

// Load reads the weights.
func (g *Generator) Load(context.Context) error { return g.llm.Load() }

// Warmup does nothing: the weights are in memory and no answer depends on the
// one before.
func (g *Generator) Warmup(context.Context, eval.Request) error { return nil }

// Generate completes a prompt.
func (g *Generator) Generate(ctx context.Context, ask eval.Request) (eval.Reply, error) {
	o := g.options
	o.Seed, o.Logprobs, o.Tokens = ask.Seed, ask.Logprobs, ask.Tokens
	r, err := g.llm.Generate(ctx, ask.Prompt, o, nil)
	if ctx.Err() != nil {
		return eval.Reply{}, ctx.Err()
	}
	if err != nil {
		return eval.Reply{Text: r.Text}, &eval.Failure{Kind: eval.FailGenerator, Message: err.Error()}
	}
	g.written.keep(ask.Prompt, r)
	return eval.Reply{Text: r.Text, DoneReason: r.DoneReason, Tokens: r.Tokens,
		Usage:  eval.Usage{PromptTokens: &r.PromptTokens, CompletionTokens: &r.CompletionTokens},
		Timing: eval.Timing{PromptEval: r.PromptEval, Eval: r.Eval}}, nil
}

// Unload frees the weights. What is known of the replies stays.
func (g *Generator) Unload(context.Context) error {
	g.llm.Unload()
	return nil
}
