package openai

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics/likelihood"
)

// idPrefix stands before a token's number where a server names tokens by it:
// vLLM does with return_tokens_as_token_ids. Texts do not tell tokens apart,
// since several read alike.
const idPrefix = "token_id:"

// numbered gives tokens that are named by number their IDs. text is what they
// read together.
func numbered(tokens []eval.Token, text string) error {
	number := func(name string) (int, error) {
		n, err := strconv.Atoi(strings.TrimPrefix(name, idPrefix))
		if err != nil || n < 0 || !strings.HasPrefix(name, idPrefix) {
			return -1, eval.Malformed("%.40q names no token by its number", name)
		}
		return n, nil
	}
	for i := range tokens {
		t := &tokens[i]
		var err error
		if t.ID, err = number(t.Text); err != nil {
			return err
		}
		for k := range t.Top {
			if t.Top[k].ID, err = number(t.Top[k].Text); err != nil {
				return err
			}
			t.Top[k].Text = ""
		}
		if t.Text = ""; i == len(tokens)-1 {
			t.Text = text
		}
	}
	return nil
}

// predictions asks what the model makes of every token of a prompt, by numbers.
// The prompt is a text or, where ids is given, these.
func (g *Generator) predictions(ctx context.Context, text string, ids []int) ([]eval.Token, error) {
	q := g.question(eval.Request{Prompt: text, Logprobs: max(1, g.model.Capabilities.Logprobs)})
	q.ids, q.echo, q.numbered, q.maxTokens, q.stop = ids, true, true, 1, nil
	r, err := g.ask(ctx, q, g.client.limits.Silence)
	if err != nil {
		return nil, err
	}
	n := r.Usage.PromptTokens
	if n == nil || *n < 1 || *n > len(r.Tokens) || ids != nil && *n != len(ids) {
		return nil, eval.Malformed("%s prompt tokens counted, and %d echoed", counted(n), len(r.Tokens))
	}
	for i, id := range ids {
		if r.Tokens[i].ID != id {
			return nil, eval.Malformed("the echoed token %d is not the one that was sent", i)
		}
	}
	return r.Tokens[:*n], nil
}

func counted(n *int) string {
	if n == nil {
		return "no"
	}
	return strconv.Itoa(*n)
}

// compare has the model predict the reference's reply, token by token as it was
// generated. It says why it does not, or not to the end.
func (g *Generator) compare(ctx context.Context, prompt string, reply []eval.Token) (out []likelihood.Divergence, why string, err error) {
	if !g.model.Capabilities.TokenIDs {
		return nil, "its server does not name tokens by their numbers", nil
	}
	var ids []int
	text := ""
	for _, t := range reply {
		if err := likelihood.Check(t.Top); err != nil || t.ID < 0 {
			return nil, fmt.Sprintf("the reference's log-probabilities cannot be used: token %d, %v", t.ID, err), nil
		}
		ids, text = append(ids, t.ID), text+t.Text
	}
	read, err := g.detokenize(ctx, ids)
	if err != nil {
		return nil, "", err
	}
	if !reads(read, text) {
		return nil, "its vocabulary is not the reference's, so that their predictions cannot be compared", nil
	}
	before, err := g.predictions(ctx, prompt, nil)
	if err != nil {
		return nil, "", err
	}
	n := len(before)
	room := g.model.Generation.NumCtx - n - 1 // a token is generated, too
	ids = ids[:max(0, min(len(ids), room))]
	if len(ids) == 0 {
		return nil, "", nil
	}
	whole := make([]int, 0, n+len(ids))
	for _, t := range before {
		whole = append(whole, t.ID)
	}
	ours, err := g.predictions(ctx, "", append(whole, ids...))
	if err != nil {
		return nil, "", err
	}
	for i, t := range ours[n:] {
		if err := likelihood.Check(t.Top); err != nil {
			return out, "its log-probabilities cannot be used: " + err.Error(), nil
		}
		if d, ok := likelihood.DivergeTop(reply[i].Top, t.Top, t.ID, reply[i].Logprob); ok {
			out = append(out, d)
		}
	}
	return out, "", nil
}

// detokenize has the server read tokens.
func (g *Generator) detokenize(ctx context.Context, ids []int) (string, error) {
	var read struct {
		Prompt *string `json:"prompt"`
	}
	if err := g.client.post(ctx, "/detokenize", map[string]any{"model": g.model.Model, "tokens": ids}, &read); err != nil {
		return "", eval.CallFailure(err)
	}
	if read.Prompt == nil {
		return "", eval.Malformed("the server does not say what tokens read")
	}
	return *read.Prompt, nil
}

// reads reports whether tokens that read as whole are those of which text is
// known: all of it, or the beginning, where several tokens came in one event.
func reads(whole, text string) bool {
	whole, text = letters(whole), letters(text)
	return strings.HasPrefix(whole, text) && (text != "" || whole == "")
}

// letters is a text without blanks, which some servers drop at the beginning of
// a token, and without a character that is cut at its end.
func letters(s string) string {
	s = strings.TrimRight(s, "\ufffd")
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// tryTokenIDs looks whether tokens can be named, sent and read by number: then
// predictions of two models can be compared.
func (t *trial) tryTokenIDs(ctx context.Context) error {
	g := Generator{client: t.client, model: *t.model}
	ignored := func(err error) error {
		if refused(err) && ctx.Err() == nil {
			return nil
		}
		return t.client.serverError("tokens by number", err)
	}
	named, err := g.predictions(ctx, trialPrompt, nil)
	if err != nil {
		return ignored(err)
	}
	var ids []int
	for _, token := range named {
		ids = append(ids, token.ID)
	}
	if _, err := g.predictions(ctx, "", ids); err != nil {
		return ignored(err)
	}
	read, err := g.detokenize(ctx, ids)
	if err != nil {
		return ignored(err)
	}
	t.model.Capabilities.TokenIDs = strings.HasSuffix(letters(read), letters(trialPrompt))
	return nil
}
