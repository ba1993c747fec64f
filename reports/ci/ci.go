// Package ci keeps one comment on the pull request that a job of GitHub Actions
// or GitLab CI runs for.
//
// Policy: the place is what the service's environment names, and the token goes
// there and nowhere else: no redirect and no link of a reply is followed, and
// no error holds it. A comment is known by a hidden mark at its start and is
// changed only where nobody else can have written it. What cannot be written is
// an error; it never changes a verdict.
package ci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/disteval/disteval/eval"
)

// MostBytes is how long a comment may be. GitHub takes 65,536 characters, GitLab
// more.
const MostBytes = 65_000

const (
	perPage   = 100 // comments; the most that either service gives
	mostPages = 100
	mostReply = 64 << 20 // bytes of one page: a comment may have 256 KiB
	patience  = 30 * time.Second
)

// PullRequest is the pull request, or merge request, that a job runs for.
type PullRequest struct {
	service service
	name    string // such as "pull request 12 of owner/name"
	fork    bool   // its commits come from another repository
}

// service is what the two services differ in.
type service interface {
	self(context.Context) (author string, err error) // empty: the token is nobody's, but the service's own
	list(ctx context.Context, page int) ([]comment, bool, error)
	create(ctx context.Context, body string) (url string, err error)
	update(ctx context.Context, id int64, body string) (url string, err error)
}

type comment struct {
	id     int64
	author string
	person bool // the service says that a person wrote it, not a program
	body   string
}

// ErrNone says that the job runs for no pull request.
var ErrNone = errors.New("the job runs for no pull request")

// Find returns the pull request that the environment names. The token is
// GITHUB_TOKEN's, or GITLAB_TOKEN's.
func Find(getenv func(string) string) (*PullRequest, error) {
	switch {
	case getenv("GITHUB_ACTIONS") != "":
		return github(getenv)
	case getenv("GITLAB_CI") != "":
		return gitlab(getenv)
	}
	return nil, eval.BadInput(errors.New("this is no job of GitHub Actions or GitLab CI: neither GITHUB_ACTIONS nor GITLAB_CI is set"), "")
}

// String names the pull request.
func (p *PullRequest) String() string { return p.name }

// Fork tells whether the commits come from another repository. Jobs of such
// pull requests commonly get a token that may only read.
func (p *PullRequest) Fork() bool { return p.fork }

// names are those that a comment can have, at most longestName bytes long. The
// length as part of the pattern would make every command begin later.
var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

const longestName = 64

// Mark is the hidden start of the comment of this name.
func Mark(name string) (string, error) {
	if len(name) > longestName || !names.MatchString(name) || strings.Contains(name, "--") {
		return "", eval.BadInput(fmt.Errorf("%q is no name of a comment", name), "letters, digits, single - and . and _, at most 64 of them")
	}
	return "<!-- disteval: " + name + " -->\n", nil
}

// Comment writes text as the comment of this name, in the place of the one
// that is there. It returns its address.
func (p *PullRequest) Comment(ctx context.Context, name, text string) (url string, err error) {
	mark, err := Mark(name)
	if err != nil {
		return "", err
	}
	if len(mark)+len(text) > MostBytes {
		return "", fmt.Errorf("comment on %s: %d bytes, at most %d can be", p.name, len(mark)+len(text), MostBytes)
	}
	old, err := p.find(ctx, mark)
	if err == nil {
		if old != nil {
			url, err = p.service.update(ctx, old.id, mark+text)
		} else {
			url, err = p.service.create(ctx, mark+text)
		}
	}
	if err != nil {
		return "", fmt.Errorf("comment on %s: %w", p.name, err)
	}
	return url, nil
}

// find returns the comment that begins with the mark; nil: there is none.
// Anybody can write the mark, so that it must not be another person's.
func (p *PullRequest) find(ctx context.Context, mark string) (*comment, error) {
	self, err := p.service.self(ctx)
	if err != nil {
		return nil, err
	}
	for page := 1; page <= mostPages; page++ {
		comments, more, err := p.service.list(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, c := range comments {
			ours := c.author == self || self == "" && !c.person
			// A service may end lines otherwise than they were sent.
			if ours && strings.HasPrefix(strings.ReplaceAll(c.body, "\r\n", "\n"), strings.TrimSpace(mark)) {
				return &c, nil
			}
		}
		if !more {
			return nil, nil
		}
	}
	return nil, fmt.Errorf("it has more than %d comments", mostPages*perPage)
}

// api is a service's interface over HTTP.
type api struct {
	base   string // without a slash at its end
	header http.Header
	advice func(status int) string // what to do about a refusal; empty: nothing known
}

// client gives a redirect back as it is, since a custom header with a token
// would go with it.
var client = &http.Client{
	Timeout:       patience,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Refused is a reply other than a success.
type Refused struct {
	Status int
	What   string // method, address, status and the service's message
	advice string
}

func (e *Refused) Error() string { return e.What }
func (e *Refused) Hint() string  { return e.advice }

// Forbidden tells whether it was the token that did not do.
func (e *Refused) Forbidden() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden || e.Status == http.StatusNotFound
}

// do sends a request and decodes the reply; more tells whether the service has
// a next page.
func (a api) do(ctx context.Context, method, path string, body, into any) (more bool, err error) {
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return false, err
		}
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, payload)
	if err != nil {
		return false, fmt.Errorf("address of the service: %w", err)
	}
	req.Header = a.header.Clone()
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := client.Do(req)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, mostReply))
	if err != nil {
		return false, fmt.Errorf("%s %s: %w", method, a.base+path, err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return false, &Refused{Status: res.StatusCode, What: fmt.Sprintf("%s %s: %s%s", method, a.base+path, res.Status, message(data)), advice: a.advice(res.StatusCode)}
	}
	if err := json.Unmarshal(data, into); err != nil {
		return false, fmt.Errorf("%s %s: read the reply: %w", method, a.base+path, err)
	}
	return strings.Contains(res.Header.Get("Link"), `rel="next"`), nil
}

// message is what a service says of a refusal; empty where it is not said in
// the usual form.
func message(data []byte) string {
	var m struct {
		Message any `json:"message"`
		Error   any `json:"error"`
	}
	if json.Unmarshal(data, &m) != nil {
		return ""
	}
	for _, said := range []any{m.Message, m.Error} {
		if said != nil {
			return fmt.Sprintf(" (%.300v)", said)
		}
	}
	return ""
}
