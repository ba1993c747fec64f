package openai

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics/likelihood"
)

// keptAlternatives is how many of the most probable tokens a step keeps.
const keptAlternatives = 5

// echoing is a Generator of a server that echoes a prompt with its
// log-probabilities, which makes it an eval.Prober: each text is one request, and
// exact.
type echoing struct{ *Generator }

// Probe asks for the probabilities of each text after the prompt.
func (g echoing) Probe(ctx context.Context, r eval.ProbeRequest) (out eval.ProbeReply, err error) {
	prompt, err := g.echo(ctx, r.Prompt)
	if err == nil {
		out.Forms, err = g.forms(ctx, prompt, r.Prompt, r.Texts)
	}
	if err == nil {
		out.Choices, err = g.forms(ctx, prompt, r.Prompt, r.Choices)
	}
	if r.Reply != nil {
		out.Incomparable = "a server's predictions on another model's tokens are not compared over this API"
	}
	var failure *eval.Failure
	switch {
	case ctx.Err() != nil:
		return eval.ProbeReply{}, ctx.Err()
	case err != nil && !errors.As(err, &failure):
		err = &eval.Failure{Kind: eval.FailMalformed, Message: err.Error()}
	}
	return out, err
}

// echo asks for the tokens of a text with their log-probabilities.
func (g echoing) echo(ctx context.Context, text string) ([]eval.Token, error) {
	q := g.question(eval.Request{Prompt: text, Logprobs: max(1, g.model.Capabilities.Logprobs)})
	q.echo, q.maxTokens, q.temperature, q.topP, q.stop = true, 1, 0, nil, nil
	q.more = extras(eval.Generation{RepeatPenalty: 1})
	r, err := g.ask(ctx, q, g.client.limits.Silence)
	if err != nil {
		return nil, err
	}
	of, _, err := echoed(text, r)
	return of, err
}

func (g echoing) forms(ctx context.Context, prompt []eval.Token, before string, texts []string) ([]likelihood.Form, error) {
	var out []likelihood.Form
	for _, text := range texts {
		whole, err := g.echo(ctx, before+text)
		if err != nil {
			return nil, fmt.Errorf("the probabilities of %q: %w", text, err)
		}
		out = append(out, form(prompt, whole, text))
	}
	return out, nil
}

// form is made of the tokens after those that prompt and whole share.
func form(prompt, whole []eval.Token, text string) likelihood.Form {
	f := likelihood.Form{Text: text, Bytes: len(text)}
	k := 0
	for k < min(len(prompt), len(whole)) && prompt[k].Text == whole[k].Text {
		k++
	}
	switch {
	case k == 0:
		f.Reason = "the server gives no log-probability for a text's first token, and prompt and text share none"
	case k == len(whole):
		f.Reason = "the text adds no token to the prompt"
	}
	if f.Reason != "" {
		return f
	}
	for _, t := range whole[k:] {
		s := likelihood.Step{ID: t.ID, Text: t.Text, Logprob: t.Logprob, Known: true, Rank: 1}
		for _, a := range t.Top {
			if a.Logprob > t.Logprob {
				s.Rank++
			}
			s.Top = append(s.Top, likelihood.Alternative(a))
		}
		s.Top = slices.Clip(s.Top[:min(keptAlternatives, len(s.Top))])
		f.Steps = append(f.Steps, s)
	}
	return f
}
