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
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ollama/ollama/api"
)

const (
	defaultHost   = "127.0.0.1:11434"
	reachTimeout  = 1500 * time.Millisecond // for a server to say its version
	detailTimeout = 10 * time.Second        // for one further control call
	controlBytes  = 64 << 20                // most of a control call's answer that is read
)

// Limits bounds what one answer may take.
type Limits struct {
	Silence     time.Duration // longest wait for the next byte of an answer
	LoadSilence time.Duration // the same while the model loads
	LineBytes   int           // longest line of the stream
	ReplyBytes  int           // longest reply; a longer one is a failure
}

// DefaultLimits suits models of any size on a slow machine.
var DefaultLimits = Limits{Silence: 2 * time.Minute, LoadSilence: 10 * time.Minute, LineBytes: 8 << 20, ReplyBytes: 16 << 20}

// Client talks to one Ollama server.
type Client struct {
	Tokenizer NewTokenizer // cuts texts as the models do; nil: their probabilities cannot be asked for

	base   *url.URL
	http   *http.Client
	api    *api.Client
	limits Limits
}

// Host returns the server's address: host where it is given, else OLLAMA_HOST,
// else 127.0.0.1:11434. It accepts what Ollama's own tools accept.
func Host(host string) (*url.URL, error) {
	if host == "" {
		host = strings.Trim(strings.TrimSpace(os.Getenv("OLLAMA_HOST")), `"'`)
	}
	if host == "" {
		host = defaultHost
	}
	scheme, rest, ok := strings.Cut(host, "://")
	port := "11434"
	switch {
	case !ok:
		scheme, rest = "http", host
	case scheme == "http":
		port = "80"
	case scheme == "https":
		port = "443"
	default:
		return nil, fmt.Errorf("ollama address %q: scheme %q is not http or https", host, scheme)
	}
	rest, path, _ := strings.Cut(rest, "/")
	name := strings.Trim(rest, "[]")
	if h, p, err := net.SplitHostPort(rest); err == nil {
		name, port = h, p
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return nil, fmt.Errorf("ollama address %q: port %q is not a number from 1 to 65535", host, port)
	}
	if name == "" {
		name = "127.0.0.1"
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(name, port), Path: strings.TrimSuffix("/"+path, "/")}, nil
}

// New makes a client; it does not connect yet.
func New(base *url.URL, limits Limits) *Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	bounded := &http.Client{Transport: boundedTransport{t}}
	return &Client{base: base, http: &http.Client{Transport: t}, api: api.NewClient(base, bounded), limits: limits}
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

// Hint is how to get a server, or to do without one.
func (e *ServerError) Hint() string {
	return "start it with `ollama serve` (or set OLLAMA_HOST to where it runs),\nor try the models inside the program: disteval run --models builtin"
}

// plain says time-outs and bare status codes in words and drops the method and
// address that a url.Error repeats.
func plain(err error) error {
	var status api.StatusError
	if errors.As(err, &status) && status.Status == "" && status.ErrorMessage == "" {
		return fmt.Errorf("HTTP %d", status.StatusCode)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	return err
}

// boundedTransport ends an answer that grows past controlBytes.
type boundedTransport struct{ next http.RoundTripper }

func (t boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, most: controlBytes}
	return resp, nil
}

var errBodyTooLong = errors.New("the answer does not end")

// boundedBody is an error after most bytes.
type boundedBody struct {
	io.ReadCloser
	most, read int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.read >= b.most {
		return 0, fmt.Errorf("%w: over %d MB", errBodyTooLong, b.most>>20)
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.most-b.read)])
	b.read += n
	return n, err
}
