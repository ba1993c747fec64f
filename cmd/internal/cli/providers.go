package cli

import (
	"context"
	"fmt"
	"net/url"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/builtin"
	"github.com/disteval/disteval/eval/ollama"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
)

// providers are the servers and in-process models of one plan.
type providers struct {
	limits  eval.Limits
	clients map[string]*ollama.Client // by address
}

// loadPatience is how many times the wait for an answer a model may take to load.
const loadPatience = 5

func newProviders(s *settings) *providers {
	limits := eval.DefaultLimits
	limits.Silence = s.timeout()
	limits.LoadSilence = loadPatience * limits.Silence
	return &providers{limits: limits, clients: make(map[string]*ollama.Client)}
}

// client returns the client of the server at host, or of OLLAMA_HOST.
func (p *providers) client(host string) (*ollama.Client, *url.URL, error) {
	base, err := ollama.Host(host)
	if err != nil {
		return nil, nil, eval.BadInput(err, "set host: of the model or OLLAMA_HOST to an address such as http://127.0.0.1:11434")
	}
	c, ok := p.clients[base.String()]
	if !ok {
		c = ollama.New(base, p.limits)
		p.clients[base.String()] = c
	}
	return c, base, nil
}

// resolve fills in what the providers know of each model, in the plan's order.
func (p *providers) resolve(ctx context.Context, models []eval.Model) ([]eval.Model, error) {
	byServer := make(map[*ollama.Client][]int)
	var order []*ollama.Client
	out := make([]eval.Model, len(models))
	for i, m := range models {
		if m.Provider == eval.ProviderBuiltin {
			described, err := builtin.Provider{}.Resolve(ctx, []eval.Model{m})
			if err != nil {
				return nil, err
			}
			out[i] = described[0]
			continue
		}
		c, _, err := p.client(m.Host)
		if err != nil {
			return nil, err
		}
		if byServer[c] == nil {
			order = append(order, c)
		}
		byServer[c] = append(byServer[c], i)
	}
	for _, c := range order {
		var ask []eval.Model
		for _, i := range byServer[c] {
			ask = append(ask, models[i])
		}
		described, err := c.Resolve(ctx, ask)
		if err != nil {
			return nil, err
		}
		for k, i := range byServer[c] {
			out[i] = described[k]
		}
	}
	return out, nil
}

// open returns the generator of a resolved model.
func (p *providers) open(m eval.Model) (eval.Generator, error) {
	if m.Provider == eval.ProviderBuiltin {
		return builtin.NewGenerator(m)
	}
	c, _, err := p.client(m.Host)
	if err != nil {
		return nil, err
	}
	return c.Generator(m), nil
}

// scoringConfig turns the plan's scoring into the scorer's configuration.
func (p *providers) scoringConfig(s eval.Scoring) (scoring.Config, error) {
	cfg := scoring.Config{IncludePrompt: s.IncludePrompt}
	if !served(s) {
		return cfg, nil
	}
	c, _, err := p.client("")
	if err != nil {
		return cfg, err
	}
	cfg.Embedder = c.Embedder(s.Embedding)
	return cfg, nil
}

// served reports whether a server makes the vectors.
func served(s eval.Scoring) bool {
	return s.Embedding != eval.EmbeddingBuiltin && s.Embedding != ""
}

// checkEmbedding scores a text that no reply is, so that an embedding model
// which is missing ends a run before it starts and not when it is to be scored.
func (p *providers) checkEmbedding(ctx context.Context, s eval.Scoring) error {
	if !served(s) {
		return nil
	}
	c, _, err := p.client("")
	if err != nil {
		return err
	}
	if _, err := c.Version(ctx); err != nil {
		return err
	}
	cfg, err := p.scoringConfig(s)
	if err != nil {
		return err
	}
	const probe = "is the embedding model there"
	if _, err := scoring.New(cfg).Score(ctx, metrics.Pair{Reference: probe, Text: probe}); err != nil {
		return embeddingHint(fmt.Errorf("check the embedding model %s: %w", s.Embedding, err), cfg)
	}
	return nil
}

// embeddingHint adds to an error of scoring what to do about an embedding server.
func embeddingHint(err error, cfg scoring.Config) error {
	if cfg.Embedder == nil {
		return err
	}
	name := cfg.Embedder.Name()
	return eval.WithHint(err, fmt.Sprintf("see that Ollama serves %s (ollama pull %s), or choose the embedding builtin", name, name))
}
