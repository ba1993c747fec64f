package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const again = "run the same command again: what is there already is kept"

// get asks for a file or list from byte offset on. Anything but such an answer
// is an *Error.
func (c *Client) get(ctx context.Context, doing string, ref Ref, address *url.URL, offset int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	req.Header.Set("User-Agent", "disteval")
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, interrupted(doing, ctx)
		}
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // its address may be one that the hub has signed
		}
		return nil, &Error{doing, err, "check the connection and HF_ENDPOINT; then " + again}
	}
	switch kind := resp.Header.Get("Content-Type"); {
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent:
		err = c.refusal(doing, ref, resp)
	case strings.HasPrefix(kind, "text/html"):
		err = &Error{doing, errors.New("a web page came instead"), notHub}
	default:
		return resp, nil
	}
	resp.Body.Close()
	return nil, err
}

// refusal says what a status means for the user.
func (c *Client) refusal(doing string, ref Ref, resp *http.Response) error {
	e := &Error{Doing: doing, Err: &statusError{resp.StatusCode}, Next: again}
	page := c.base.JoinPath(ref.Repo).String()
	switch {
	case resp.StatusCode == http.StatusUnauthorized && c.token:
		e.Next = "the hub does not take this HF_TOKEN, or the repository does not exist: check both"
	case resp.StatusCode == http.StatusUnauthorized:
		e.Next = "the repository is private, needs its licence accepted, or does not exist: check the name, and set HF_TOKEN to a token that may read it"
	case resp.StatusCode == http.StatusForbidden:
		e.Next = "ask for access or accept the licence at " + page + " with the account of HF_TOKEN"
	case resp.StatusCode == http.StatusNotFound:
		e.Next = "check owner, repository and revision: " + page
	case resp.StatusCode == http.StatusTooManyRequests:
		e.Next = waitHint(resp.Header.Get("Retry-After"))
		if !c.token {
			e.Next += "; a set HF_TOKEN raises the limit"
		}
	}
	return e
}

// waitHint reads Retry-After, which is seconds or a date.
func waitHint(after string) string {
	wait := time.Duration(0)
	if s, err := strconv.Atoi(after); err == nil && s > 0 {
		wait = time.Duration(s) * time.Second
	} else if t, err := http.ParseTime(after); err == nil {
		wait = max(0, time.Until(t).Round(time.Second))
	}
	if wait == 0 {
		return "wait some minutes, then " + again
	}
	return fmt.Sprintf("wait %s, then %s", wait, again)
}

// statusError is an HTTP status that is no success.
type statusError struct{ code int }

func (e *statusError) Error() string {
	what := map[int]string{
		http.StatusUnauthorized:    "the hub wants to know who asks",
		http.StatusForbidden:       "the hub does not allow it",
		http.StatusNotFound:        "the hub does not have it",
		http.StatusTooManyRequests: "the hub has had too many requests",
	}[e.code]
	if what == "" {
		what = "the hub answers " + http.StatusText(e.code)
	}
	return fmt.Sprintf("%s (HTTP %d)", what, e.code)
}

var errSilent = errors.New("no byte from the hub for too long")

// interrupted is the error of a context that is done: the user's interrupt as
// it is, a time-out with its next step.
func interrupted(doing string, ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, errSilent) || errors.Is(cause, context.DeadlineExceeded) {
		return &Error{doing, errSilent, "check the connection; then " + again}
	}
	return fmt.Errorf("%s: %w", doing, ctx.Err())
}
