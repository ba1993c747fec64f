package eval

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Limits bounds what one answer of a model server may take.
type Limits struct {
	Silence     time.Duration // longest wait for more text
	LoadSilence time.Duration // the same while the model loads
	LineBytes   int           // longest line of a stream
	ReplyBytes  int           // longest reply; a longer one is a failure
}

// DefaultLimits suits models of any size on a slow machine.
var DefaultLimits = Limits{Silence: 2 * time.Minute, LoadSilence: 10 * time.Minute, LineBytes: 8 << 20, ReplyBytes: 16 << 20}

const (
	// streamFactor is how many bytes of stream a byte of the longest reply may
	// take, with its escapes and the JSON around each piece.
	streamFactor = 8
	// controlBytes is the most of a control call's answer that is read.
	controlBytes = 64 << 20
)

// Server is the way to a model server that the clients of all protocols share:
// credentials go to its address and nowhere else, an error status is a
// *StatusError, and no answer is read without a bound.
type Server struct {
	URL    *url.URL // without credentials, so that it can be printed and stored
	Limits Limits

	transport http.RoundTripper
	secrets   []string // that a server may repeat in what it says
}

// NewServer makes the way to the server at base. A user and password in base
// are sent as HTTP basic authentication, token as a bearer's; either may be
// missing.
func NewServer(base *url.URL, token string, limits Limits) *Server {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	clean := *base
	clean.User = nil
	var secrets []string
	if password, ok := base.User.Password(); ok {
		secrets = append(secrets, password)
	}
	secrets = append(secrets, token)
	return &Server{URL: &clean, Limits: limits, secrets: secrets, transport: credentials{next: t, base: &clean, user: base.User, token: token}}
}

// Plain is a client that hands every answer on as it comes: for callers that
// judge the status and bound the body themselves.
func (s *Server) Plain() *http.Client {
	return &http.Client{Transport: s.transport, CheckRedirect: stayThere}
}

// Control is the client of calls that answer with one document.
func (s *Server) Control() *http.Client { return s.strict(controlBytes) }

// Streaming is the client of questions.
func (s *Server) Streaming() *http.Client { return s.strict(streamFactor * s.Limits.ReplyBytes) }

func (s *Server) strict(most int) *http.Client {
	return &http.Client{Transport: strictTransport{server: s, most: most}, CheckRedirect: stayThere}
}

// Redact takes credentials out of what the server says: some repeat them when
// they refuse them.
func (s *Server) Redact(text string) string {
	for _, secret := range s.secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[credentials]")
		}
	}
	return text
}

// credentials adds what a server asks for, for its own address only.
type credentials struct {
	next  http.RoundTripper
	base  *url.URL
	user  *url.Userinfo
	token string
}

func (c credentials) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != c.base.Host || req.URL.Scheme != c.base.Scheme || (c.user == nil && c.token == "") {
		return c.next.RoundTrip(req)
	}
	req = req.Clone(req.Context())
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	} else {
		password, _ := c.user.Password()
		req.SetBasicAuth(c.user.Username(), password)
	}
	return c.next.RoundTrip(req)
}

// RedirectError means that a server sends its clients elsewhere.
type RedirectError struct{ To string }

func (e *RedirectError) Error() string {
	return "the server redirects to " + e.To + ", which is not followed"
}

// Hint is how to go there on purpose.
func (e *RedirectError) Hint() string {
	return "if that is the server you mean, name it as the model's host"
}

// stayThere follows redirects within a server: prompts and credentials are for
// the address that was named.
func stayThere(req *http.Request, via []*http.Request) error {
	first := via[0]
	if req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme || req.Method != first.Method {
		return &RedirectError{To: (&url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host, Path: req.URL.Path}).String()}
	}
	if len(via) >= 10 {
		return errors.New("the server redirects without end")
	}
	return nil
}

// StatusError is a server's refusal.
type StatusError struct {
	Code    int
	Message string        // the server's own words, or the first line of what it sent: untrusted
	After   time.Duration // how long it asks to wait; 0: it does not say
}

func (e *StatusError) Error() string {
	s := strings.TrimSpace(fmt.Sprintf("HTTP %d %s", e.Code, http.StatusText(e.Code)))
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// Denied reports whether the server, or a proxy before it, wants credentials.
func (e *StatusError) Denied() bool {
	return e.Code == http.StatusUnauthorized || e.Code == http.StatusForbidden || e.Code == http.StatusProxyAuthRequired
}

// passes reports whether asking again can help.
func (e *StatusError) passes() bool {
	return e.Code == http.StatusTooManyRequests || e.Code >= http.StatusInternalServerError
}

// GetJSON reads the JSON document at u.
func (s *Server) GetJSON(ctx context.Context, u *url.URL, into any) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	return s.json(req, into)
}

// PostJSON sends what to u and reads the JSON document that comes back.
func (s *Server) PostJSON(ctx context.Context, u *url.URL, what, into any) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	_, err = s.json(req, into)
	return err
}

func (s *Server) json(req *http.Request, into any) (http.Header, error) {
	req.Header.Set("Accept", "application/json")
	resp, err := s.Control().Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return nil, fmt.Errorf("the answer is not the JSON that is expected (%w): %s", err, Excerpt(body))
	}
	return resp.Header, nil
}

// ServerHint chooses the next step for an error of a server: what the error
// itself says, or the one for a server that does not answer, wants credentials,
// or answers otherwise than it should.
func ServerHint(err error, silent, denied, strange string) string {
	var hinted interface{ Hint() string }
	var status *StatusError
	switch {
	case errors.As(err, &hinted):
		return hinted.Hint()
	case !errors.As(err, &status):
		return silent
	case status.Denied():
		return denied
	}
	return strange
}

func statusError(resp *http.Response) *StatusError {
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what came is all that can be told
	e := &StatusError{Code: resp.StatusCode, Message: ErrorMessage(body)}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.After = time.Duration(s) * time.Second
	}
	return e
}

// ErrorMessage takes a server's own words out of the JSON that it answers an
// error with, {"error": "…"}, {"error": {"message": "…"}}, {"message": "…"} or
// {"detail": "…"}, and the first line of anything else.
func ErrorMessage(body []byte) string {
	var e struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  string          `json:"detail"`
	}
	if json.Unmarshal(body, &e) == nil {
		var inner struct {
			Message string `json:"message"`
		}
		var text string
		_, _ = json.Unmarshal(e.Error, &text), json.Unmarshal(e.Error, &inner)
		for _, s := range []string{text, inner.Message, e.Message, e.Detail} {
			if s != "" {
				return Excerpt([]byte(s))
			}
		}
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	return Excerpt([]byte(line))
}

// Excerpt is the beginning of b on one line.
func Excerpt(b []byte) string {
	const most = 200
	s := strings.Join(strings.Fields(strings.ToValidUTF8(string(b[:min(len(b), most)]), "\uFFFD")), " ")
	if len(b) > most {
		s += " …"
	}
	return s
}

// PlainError says time-outs and unknown certificates in words and drops the
// method and address that a url.Error repeats.
func PlainError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
		return &CertificateError{Err: err}
	}
	return err
}

// CertificateError means that nobody whom this machine trusts vouches for an
// https server.
type CertificateError struct{ Err error }

func (e *CertificateError) Error() string {
	return "its certificate is not signed by anyone whom this machine trusts (" + e.Err.Error() + ")"
}

func (e *CertificateError) Unwrap() error { return e.Err }

// Hint is how to trust the server.
func (e *CertificateError) Hint() string {
	return "set SSL_CERT_FILE to a file with the certificate of the authority that signed it"
}

// strictTransport turns an error status into an error and ends an answer that
// grows past most bytes.
type strictTransport struct {
	server *Server
	most   int
}

func (t strictTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.server.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		refusal := statusError(resp)
		refusal.Message = t.server.Redact(refusal.Message)
		return nil, refusal
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, most: t.most}
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
