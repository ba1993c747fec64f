package session

import (
	"context"
	"fmt"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/builtin"
	"github.com/disteval/disteval/eval/ollama"
	"github.com/disteval/disteval/eval/openai"
)

// Providers holds every kind of provider by its name in models.yaml.
type Providers map[string]eval.Provider

// loadPatience is how many times the wait for an answer a model may take to load.
const loadPatience = 5

// NewProviders makes all providers. silence is the longest that a server may
// take for the next byte of an answer.
func NewProviders(silence time.Duration) Providers {
	limits := eval.DefaultLimits
	limits.Silence, limits.LoadSilence = silence, loadPatience*silence
	walked := ollama.NewProvider(limits)
	walked.Tokenizer = func(values map[string]any) (ollama.Tokenizer, error) { return builtin.NewTokenizer(values) }
	return Providers{
		eval.ProviderOllama:  walked,
		eval.ProviderOpenAI:  openai.NewProvider(limits),
		eval.ProviderBuiltin: builtin.Provider{},
	}
}

func (p Providers) of(m eval.Model) (eval.Provider, error) {
	provider, ok := p[m.Provider]
	if !ok {
		return nil, eval.BadInput(fmt.Errorf("model %s: there is no provider %q", m.Name, m.Provider), "")
	}
	return provider, nil
}

// Resolve fills in what the providers know of each model, in the plan's order.
func (p Providers) Resolve(ctx context.Context, models []eval.Model) ([]eval.Model, error) {
	out := make([]eval.Model, len(models))
	for _, name := range eval.Providers() {
		var ask []eval.Model
		var at []int
		for i, m := range models {
			if m.Provider == name {
				ask, at = append(ask, m), append(at, i)
			}
		}
		if len(ask) == 0 {
			continue
		}
		provider, err := p.of(ask[0])
		if err != nil {
			return nil, err
		}
		described, err := provider.Resolve(ctx, ask)
		if err != nil {
			return nil, err
		}
		for k, i := range at {
			out[i] = described[k]
		}
	}
	return out, nil
}

// Open returns the generator of a resolved model.
func (p Providers) Open(m eval.Model) (eval.Generator, error) {
	provider, err := p.of(m)
	if err != nil {
		return nil, err
	}
	return provider.Open(m)
}

// Loaded says whether a resolved model is in its server's memory: yes, no, or -
// where it is not known.
func (p Providers) Loaded(ctx context.Context, m eval.Model) string {
	server, ok := p[m.Provider].(interface {
		Loaded(context.Context, eval.Model) (bool, error)
	})
	if !ok {
		return "no"
	}
	is, err := server.Loaded(ctx, m)
	switch {
	case err != nil:
		return "-"
	case is:
		return "yes"
	}
	return "no"
}
