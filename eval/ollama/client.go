// Package ollama asks models served by Ollama. It is the only importer of
// ollama's api package.
//
// Policy: control calls go through api.Client; answers are streamed with the
// package's types over a bounded reader of our own, because the client's
// Generate allocates 8 MB per call and takes a stream that ends early for a
// complete one. Nothing that a server sends can make memory grow without
// bound or be taken for an answer when it is not one.
package ollama

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/ollama/ollama/api"

	"github.com/disteval/disteval/eval"
)

const (
	defaultHost   = "127.0.0.1:11434"
	reachTimeout  = 1500 * time.Millisecond // for a server to say its version
	detailTimeout = 10 * time.Second        // for one further control call
)

// Client talks to one Ollama server.
type Client struct {
	Tokenizer NewTokenizer // cuts texts as the models do; nil: their probabilities cannot be asked for

	server *eval.Server
	base   *url.URL // the server's, without credentials
	user   *url.Userinfo
	http   *http.Client // for calls that judge the status themselves
	api    *api.Client
	limits eval.Limits
}

// Host returns the server's address: host where it is given, else OLLAMA_HOST,
// else 127.0.0.1:11434. It accepts what Ollama's own tools accept, and a user
// and password before an @, which are the URL's User: those are for New, and
// neither for people nor for the record. An address without them takes those
// of OLLAMA_HOST, if it is the same server's.
func Host(host string) (*url.URL, error) {
	general := strings.Trim(strings.TrimSpace(os.Getenv("OLLAMA_HOST")), `"'`)
	if host == "" {
		return parseHost(cmp.Or(general, defaultHost))
	}
	u, err := parseHost(host)
	if err != nil || u.User != nil || general == "" {
		return u, err
	}
	if g, err := parseHost(general); err == nil && g.Scheme == u.Scheme && g.Host == u.Host {
		u.User = g.User
	}
	return u, nil
}

func parseHost(host string) (*url.URL, error) {
	u, err := eval.ParseAddress(host, "11434")
	if err != nil {
		return nil, fmt.Errorf("ollama %w", err)
	}
	return u, nil
}

// New makes a client; it does not connect yet.
func New(base *url.URL, limits eval.Limits) *Client {
	s := eval.NewServer(base, "", limits)
	return &Client{server: s, base: s.URL, user: base.User, http: s.Plain(), api: api.NewClient(s.URL, s.Control()), limits: limits}
}

// Version returns the server's version, or a *ServerError within 1.5 s.
func (c *Client) Version(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	v, err := c.api.Version(ctx)
	if err == nil && v == "" {
		err = errors.New("the answer holds no version")
	}
	if err != nil {
		return "", c.serverError("its version", err)
	}
	return v, nil
}

// ServerError means that no Ollama answers at an address, or none that is well.
type ServerError struct {
	Address string
	Asked   string // what the server was asked for
	Err     error
}

func (c *Client) serverError(asked string, err error) *ServerError {
	return &ServerError{Address: c.base.String(), Asked: asked, Err: plain(err)}
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("ask the Ollama server at %s for %s: %v", e.Address, e.Asked, e.Err)
}

func (e *ServerError) Unwrap() error { return e.Err }

// Hint is what to do about what the server says, or how to get one.
func (e *ServerError) Hint() string {
	return eval.ServerHint(e.Err,
		"start it with `ollama serve` (or set OLLAMA_HOST to where it runs),\nor try the models inside the program: disteval run --models builtin",
		"put the user and password that it asks for into OLLAMA_HOST or host:, as in http://USER:PASSWORD@"+strings.TrimPrefix(e.Address, "http://")+";\nthey are neither stored nor printed",
		"something answers there, but not as Ollama does: see that OLLAMA_HOST or host: names the server itself")
}

// plain says an error in words.
func plain(err error) error {
	err = eval.PlainError(err)
	var status api.StatusError
	if errors.As(err, &status) && status.Status == "" && status.ErrorMessage == "" {
		return fmt.Errorf("HTTP %d", status.StatusCode)
	}
	return err
}
