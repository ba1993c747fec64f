package session

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strings"
	"unicode/utf8"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/builtin"
	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/queries"
)

const (
	comparedPrompts = 5
	comparedTokens  = 24          // of each reply
	oneThread       = 100_000_000 // parameters up to which a server's threads wait for each other longer than they compute
	tie             = 0.01        // nats between the two best tokens within which either may come
)

// ChangedError means that a served model does not answer as its source does.
type ChangedError struct {
	Model      string
	Source     string
	Prompts    int
	Tokens     int
	Difference string // the first, in words
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("the conversion of %s changed the model: %s", e.Source, e.Difference)
}

// Hint says what to do with the model.
func (e *ChangedError) Hint() string {
	return fmt.Sprintf("do not trust %s (ollama rm %s removes it); see disteval models doctor %s", e.Model, e.Model, e.Source)
}

// compare asks a served model and its source, in the built-in engine, the same.
func (p *Puller) compare(ctx context.Context, m eval.Model, w *hub.Weights, made converted) ([]string, error) {
	llm, err := original(w, made)
	if err != nil {
		return []string{"not compared with its source, which the built-in engine does not run: " + reason(err)}, nil
	}
	defer llm.Unload()
	threads := m.Generation.NumThread
	if one := 1; threads == nil && llm.Info().Parameters <= oneThread {
		threads = &one
	}
	m.Generation = eval.DefaultGeneration()
	m.Generation.NumThread = threads
	m.Generation.NumPredict = comparedTokens
	m.Generation.NumCtx = min(llm.Info().ContextLength, 512)
	g, err := p.Providers.Open(m)
	if err != nil {
		return nil, err
	}
	defer func() { _ = g.Unload(context.WithoutCancel(ctx)) }() // it unloads by itself in minutes
	if err := llm.Load(); err != nil {
		return nil, fmt.Errorf("compare %s with its source: %w", m.Model, err)
	}
	var prompts []queries.Query
	for _, q := range p.Queries {
		if ids, err := llm.Encode(q.Prompt); err == nil && len(ids) <= m.Generation.NumCtx/2 {
			prompts = append(prompts, q)
		}
	}
	prompts = spread(prompts, comparedPrompts)
	if len(prompts) == 0 {
		return []string{"not compared with its source: no prompt of the plan fits half its context"}, nil
	}
	ties := 0
	for i, q := range prompts {
		p.Tell(fmt.Sprintf("compare with the source, prompt %d of %d", i+1, len(prompts)), 0, 0)
		tied, err := compareOne(ctx, g, llm, q.Prompt, m)
		var changed *ChangedError
		if errors.As(err, &changed) {
			changed.Source = m.Source
		}
		if err != nil {
			return nil, err
		}
		if tied {
			ties++
		}
	}
	said := fmt.Sprintf("answers %d prompts as its source does, with the same text and number of tokens", len(prompts))
	if ties > 0 {
		said += fmt.Sprintf(" (%d up to a tie of two tokens)", ties)
	}
	return []string{said}, nil
}

// spread takes n of the queries, evenly.
func spread(all []queries.Query, n int) (out []queries.Query) {
	n = min(n, len(all))
	for i := range n {
		out = append(out, all[i*len(all)/n])
	}
	return out
}

// compareOne asks both one prompt. tied means that they part where two tokens
// are equally probable, and agree before.
func compareOne(ctx context.Context, g eval.Generator, llm *builtin.LLM, prompt string, m eval.Model) (tied bool, err error) {
	reply, err := g.Generate(ctx, eval.Request{Prompt: prompt, Seed: m.Generation.Seed})
	if err != nil {
		return false, fmt.Errorf("compare %s with its source: ask it %q: %w", m.Model, prompt, err)
	}
	ids, err := llm.Encode(prompt)
	if err != nil {
		return false, fmt.Errorf("compare %s with its source: %w", m.Model, err)
	}
	choices, err := llm.Greedy(ctx, ids, m.Generation.NumPredict)
	if err != nil {
		return false, fmt.Errorf("compare %s with its source: %w", m.Model, err)
	}
	changed := func(format string, args ...any) error {
		return &ChangedError{Model: m.Model, Difference: fmt.Sprintf("%q: ", prompt) + fmt.Sprintf(format, args...)}
	}
	if n := reply.Usage.PromptTokens; n != nil && *n != len(ids) {
		return false, changed("the prompt is %d tokens at the server, %d by its own tokenizer", *n, len(ids))
	}
	var source served
	lead := math.Inf(1) // the least since the texts were last seen to agree
	for i, choice := range choices {
		before := source.text
		lead = min(lead, choice.Lead)
		if !choice.End {
			piece, err := llm.Piece(choice.ID)
			if err != nil {
				return false, err
			}
			source.add(piece)
		}
		if i == len(choices)-1 {
			source.flush()
		}
		parts := !strings.HasPrefix(reply.Text, source.text) || i == len(choices)-1 && reply.Text != source.text
		switch {
		case parts && lead <= tie:
			return true, nil
		case parts:
			return false, changed("after %q the source goes on with %q, the server with %q (token %d, %.2f nats ahead of its next best)",
				before, strings.TrimPrefix(source.text, before), strings.TrimPrefix(reply.Text, before), i+1, choice.Lead)
		case source.text != before:
			lead = math.Inf(1)
		}
	}
	if n := reply.Usage.CompletionTokens; n != nil && *n != len(choices) {
		return false, changed("the reply is %d tokens at the server, %d in the source", *n, len(choices))
	}
	return false, nil
}

// served puts pieces together as Ollama hands them on: when the last character
// looks whole, and of what is no character nothing from its first byte on.
type served struct{ text, pending string }

func (s *served) add(piece string) {
	if s.pending += piece; !incomplete(s.pending) {
		s.flush()
	}
}

func (s *served) flush() {
	for i, r := range s.pending {
		if _, size := utf8.DecodeRuneInString(s.pending[i:]); r == utf8.RuneError && size == 1 {
			s.pending = s.pending[:i]
			break
		}
	}
	s.text, s.pending = s.text+s.pending, ""
}

// incomplete tells by its first byte whether the last character wants more.
func incomplete(text string) bool {
	for n := 1; n <= min(utf8.UTFMax, len(text)); n++ {
		if b := text[len(text)-n]; utf8.RuneStart(b) {
			want := bits.LeadingZeros8(^b) // the ones that a first byte begins with
			return want > n && want <= utf8.UTFMax
		}
	}
	return false
}
