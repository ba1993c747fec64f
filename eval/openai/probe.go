package openai

import (
	"context"
	"errors"
	"math"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics/likelihood"
)

// Probe has the server echo the prompt with each text behind it, and its
// log-probabilities. It makes the Generator an eval.Prober.
func (g *Generator) Probe(ctx context.Context, r eval.ProbeRequest) (out eval.ProbeReply, err error) {
	prompt, err := g.echo(ctx, r.Prompt)
	if err != nil {
		return out, err
	}
	if out.Forms, err = g.forms(ctx, r.Prompt, prompt, r.Texts); err == nil {
		out.Choices, err = g.forms(ctx, r.Prompt, prompt, r.Choices)
	}
	if err == nil && r.Reply != nil {
		out.Divergences, out.Incomparable, err = g.compare(ctx, r.Prompt, r.Reply)
	}
	return out, err
}

func (g *Generator) forms(ctx context.Context, prompt string, before []eval.Token, texts []string) ([]likelihood.Form, error) {
	out := make([]likelihood.Form, len(texts))
	for i, text := range texts {
		whole, err := g.echo(ctx, prompt+text)
		var failure *eval.Failure
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &failure) && failure.Retry:
			return nil, err
		case err != nil:
			out[i] = likelihood.Form{Text: text, Bytes: len(text), Reason: err.Error()}
		default:
			out[i] = formOf(text, before, whole)
		}
	}
	return out, nil
}

// echo gives the tokens of a text.
func (g *Generator) echo(ctx context.Context, text string) ([]eval.Token, error) {
	q := g.question(eval.Request{Prompt: text, Logprobs: max(1, g.model.Capabilities.Logprobs)})
	q.echo, q.maxTokens, q.stop = true, 1, nil
	r, err := g.ask(ctx, q, g.client.limits.Silence)
	if err != nil {
		return nil, err
	}
	of, _, err := echoed(text, r)
	return of, err
}

// formOf takes the steps of a text from the tokens that it changes or adds.
func formOf(text string, before, whole []eval.Token) likelihood.Form {
	f := likelihood.Form{Text: text, Bytes: len(text)}
	k := 0
	for k < min(len(before), len(whole)) && before[k].Text == whole[k].Text {
		k++
	}
	switch {
	case k == len(whole):
		f.Reason = "it adds no token to the prompt"
	case k == 0:
		f.Reason = "it changes the prompt's first token, which nothing comes before"
	}
	if f.Reason != "" {
		return f
	}
	for _, t := range whole[k:] {
		if math.IsNaN(t.Logprob) || math.IsInf(t.Logprob, 0) {
			return likelihood.Form{Text: text, Bytes: len(text), Reason: "the server gives a token of it no log-probability"}
		}
		s := likelihood.Step{ID: t.ID, Text: t.Text, Logprob: t.Logprob, Known: true, Rank: likelihood.Rank(t.Top, t.Logprob), Top: t.Top}
		s.RankOpen = s.Rank > len(t.Top)
		f.Steps = append(f.Steps, s)
	}
	return f
}
