package ollama

import (
	"context"
	"sync"

	"github.com/disteval/disteval/eval"
)

// Provider gives access to the models of every Ollama server that a plan
// names. It is an eval.EmbeddingProvider and an eval.PullingProvider. Its methods
// may be called from several goroutines.
type Provider struct {
	Tokenizer NewTokenizer // as Client's, for the clients made from here on

	limits eval.Limits

	mu      sync.Mutex
	clients map[string]*Client // by address, without credentials
}

// NewProvider makes a provider; it connects to no server yet.
func NewProvider(limits eval.Limits) *Provider {
	return &Provider{limits: limits, clients: make(map[string]*Client)}
}

// Client returns the client of the server at host, or of OLLAMA_HOST where
// host is empty.
func (p *Provider) Client(host string) (*Client, error) {
	base, err := Host(host)
	if err != nil {
		return nil, eval.BadInput(err, "set host: of the model or OLLAMA_HOST to an address such as http://127.0.0.1:11434")
	}
	address := *base
	address.User = nil
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.clients[address.String()]
	// A resolved model's host has lost the credentials that it was named with.
	if !ok || base.User != nil && (c.user == nil || base.User.String() != c.user.String()) {
		c = New(base, p.limits)
		c.Tokenizer = p.Tokenizer
		p.clients[address.String()] = c
	}
	return c, nil
}

// Library returns the models of the server of m.
func (p *Provider) Library(m eval.Model) (eval.Library, error) { return p.Client(m.Host) }

// Resolve fills in what the servers know of the models, asking each server
// once.
func (p *Provider) Resolve(ctx context.Context, models []eval.Model) ([]eval.Model, error) {
	byServer := make(map[*Client][]int)
	var order []*Client
	for i, m := range models {
		c, err := p.Client(m.Host)
		if err != nil {
			return nil, err
		}
		if byServer[c] == nil {
			order = append(order, c)
		}
		byServer[c] = append(byServer[c], i)
	}
	out := make([]eval.Model, len(models))
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

// Models lists what the server at OLLAMA_HOST has, resolved.
func (p *Provider) Models(ctx context.Context) ([]eval.Model, error) {
	c, err := p.Client("")
	if err != nil {
		return nil, err
	}
	names, err := c.Names(ctx)
	if err != nil {
		return nil, err
	}
	models := make([]eval.Model, len(names))
	for i, name := range names {
		models[i] = eval.Model{Name: name, Provider: eval.ProviderOllama, Model: name}
	}
	return c.Resolve(ctx, models)
}

// Open returns the generator of a resolved model.
func (p *Provider) Open(m eval.Model) (eval.Generator, error) {
	c, err := p.Client(m.Host)
	if err != nil {
		return nil, err
	}
	return c.Generator(m), nil
}

// Loaded reports whether a resolved model is in its server's memory.
func (p *Provider) Loaded(ctx context.Context, m eval.Model) (bool, error) {
	c, err := p.Client(m.Host)
	if err != nil {
		return false, err
	}
	return c.Loaded(ctx, m)
}

// Embedder returns an embedding model of the server that by names, or of
// OLLAMA_HOST's, which must answer.
func (p *Provider) Embedder(ctx context.Context, by eval.Scoring) (eval.Embedder, error) {
	c, err := p.Client(by.Host)
	if err != nil {
		return nil, err
	}
	if _, err := c.Version(ctx); err != nil {
		return nil, err
	}
	return c.Embedder(by.Embedding), nil
}
