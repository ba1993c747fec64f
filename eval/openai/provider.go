// Package openai asks models behind any server that speaks OpenAI's API: vLLM,
// llama.cpp, LM Studio, SGLang, or Ollama's own /v1.
//
// Policy: what a server can do is found by trying, never by its name, and is
// stored with the run. The client library sends and cuts the event stream; its
// own habits are off: it reads no OPENAI_* variable, has no retries, and knows
// no key but that of the models file. Events are decoded here, because an
// absent count must stay absent.
package openai

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/disteval/disteval/eval"
)

// detailTimeout bounds a call that only tells what the server knows.
const detailTimeout = 10 * time.Second

// Provider gives access to the models of the servers that a plan names. It is
// an eval.EmbeddingProvider. Its methods may be called from several goroutines.
type Provider struct {
	limits eval.Limits

	mu      sync.Mutex
	clients map[string]*client // by address and the name of the key
}

// NewProvider makes a provider; it connects to no server yet.
func NewProvider(limits eval.Limits) *Provider {
	return &Provider{limits: limits, clients: make(map[string]*client)}
}

// client talks to one server with one key.
type client struct {
	server *eval.Server // its URL is the API's root, such as http://127.0.0.1:8000/v1
	limits eval.Limits
}

// Address reads a server's address: with or without scheme, and with or without
// the version of the API, /v1, at its end.
func Address(host string) (*url.URL, error) {
	u, err := eval.ParseAddress(strings.TrimSpace(host), "80")
	if err != nil {
		return nil, fmt.Errorf("openai %w", err)
	}
	if !version.MatchString(u.Path) {
		u.Path += "/v1"
	}
	return u, nil
}

var version = regexp.MustCompile(`/v[0-9]+$`)

// client returns the client of the server at host with the key that keyEnv
// names.
func (p *Provider) client(host, keyEnv string) (*client, error) {
	base, err := Address(host)
	if err != nil {
		return nil, eval.BadInput(err, "set host: of the model to its server's address, such as http://127.0.0.1:8000/v1")
	}
	key := ""
	if keyEnv != "" {
		if key = os.Getenv(keyEnv); key == "" {
			return nil, eval.BadInput(fmt.Errorf("api_key_env names %s, which is not set", keyEnv), "export "+keyEnv+"=KEY, or leave api_key_env out")
		}
	}
	address := *base
	address.User = nil
	name := keyEnv + " " + address.String()
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.clients[name]
	// A resolved model's host has lost the credentials that it was named with.
	if !ok || base.User != nil {
		c = &client{server: eval.NewServer(base, key, p.limits), limits: p.limits}
		p.clients[name] = c
	}
	return c, nil
}

// Open returns the generator of a resolved model.
func (p *Provider) Open(m eval.Model) (eval.Generator, error) {
	c, err := p.client(m.Host, m.APIKeyEnv)
	if err != nil {
		return nil, err
	}
	return &Generator{client: c, model: m}, nil
}

// sdk is the official client over the shared way to the server. It is put
// together by hand: its constructor reads OPENAI_* variables.
func (c *client) sdk(over *http.Client) *openai.Client {
	return &openai.Client{Options: []option.RequestOption{
		option.WithBaseURL(c.server.URL.String()),
		option.WithHTTPClient(over),
		option.WithMaxRetries(0),
	}}
}

// ServerError means that no server answers at an address, or not as one that
// speaks OpenAI's API does.
type ServerError struct {
	Address string
	Asked   string
	Err     error
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("ask the server at %s for %s: %v", e.Address, e.Asked, e.Err)
}

func (e *ServerError) Unwrap() error { return e.Err }

// Hint is what to do about what the server says.
func (e *ServerError) Hint() string {
	return eval.ServerHint(e.Err,
		"start it, or set host: of the model to where it runs",
		"put its key into an environment variable and name that in api_key_env:, or USER:PASSWORD@ into host:; neither is stored nor printed",
		"something answers there, but not as OpenAI's API does: see that host: is its address, with the path before /v1 where it has one")
}

func (c *client) serverError(asked string, err error) error {
	return &ServerError{Address: c.server.URL.String(), Asked: asked, Err: eval.PlainError(err)}
}

// get reads a JSON document below the API's root, or below the server's where
// path begins with a slash.
func (c *client) get(ctx context.Context, path string, into any) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, detailTimeout)
	defer cancel()
	at := c.server.URL.JoinPath(path)
	if strings.HasPrefix(path, "/") {
		at = c.root().JoinPath(path)
	}
	return c.server.GetJSON(ctx, at, into)
}

// post sends a JSON document to a path below the server's address and reads the
// one that comes back.
func (c *client) post(ctx context.Context, path string, what, into any) error {
	ctx, cancel := context.WithTimeout(ctx, detailTimeout)
	defer cancel()
	return c.server.PostJSON(ctx, c.root().JoinPath(path), what, into)
}

// root is the server's address, above the API's.
func (c *client) root() *url.URL {
	root := *c.server.URL
	root.Path = version.ReplaceAllString(root.Path, "")
	return &root
}
