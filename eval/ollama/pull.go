package ollama

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/ollama/ollama/api"

	"github.com/disteval/disteval/eval"
)

// rawTemplate hands the prompt to the model as it is.
const rawTemplate = "{{ .Prompt }}"

// CreateError is the server's refusal to make a model of the files it was
// given.
type CreateError struct {
	Model   string
	Address string
	Err     error // the server's words
}

func (e *CreateError) Error() string {
	return fmt.Sprintf("create model %s at %s: Ollama cannot use these files: %v", e.Model, e.Address, e.Err)
}

func (e *CreateError) Unwrap() error { return e.Err }

// Find returns the digest of a model that the server has; ok is false where it
// has none of that name.
func (c *Client) Find(ctx context.Context, name string) (digest string, ok bool, err error) {
	if _, err := c.Version(ctx); err != nil {
		return "", false, err
	}
	ctx, cancel := context.WithTimeout(ctx, detailTimeout)
	defer cancel()
	list, err := c.api.List(ctx)
	if err != nil {
		return "", false, c.serverError("its models", err)
	}
	for _, m := range list.Models {
		if fullName(m.Name) == fullName(name) {
			return m.Digest, true, nil
		}
	}
	return "", false, nil
}

// Pull makes the server fetch a model from its registry. The server itself
// keeps what came of a pull that was interrupted.
func (c *Client) Pull(ctx context.Context, name string, tell eval.PullProgress) error {
	finished := false
	err := c.streaming().Pull(ctx, &api.PullRequest{Model: name}, func(p api.ProgressResponse) error {
		finished = p.Status == "success"
		tell(p.Status, p.Completed, p.Total)
		return nil
	})
	if err = ended(ctx, err, finished); err != nil {
		return fmt.Errorf("pull model %s at %s: %w", name, c.base, err)
	}
	return nil
}

// Copy gives a model of the server a second name.
func (c *Client) Copy(ctx context.Context, from, to string) error {
	if err := c.api.Copy(ctx, &api.CopyRequest{Source: from, Destination: to}); err != nil {
		return fmt.Errorf("copy model %s to %s at %s: %w", from, to, c.base, plain(err))
	}
	return nil
}

// Create makes a model of files. Files that the server has are not sent again;
// the model appears whole or not at all.
func (c *Client) Create(ctx context.Context, m eval.Creation, tell eval.PullProgress) error {
	byName := make(map[string]string, len(m.Files))
	for _, f := range m.Files {
		if err := c.upload(ctx, f, tell); err != nil {
			return err
		}
		byName[f.Name] = "sha256:" + f.SHA256
	}
	req := &api.CreateRequest{Model: m.Model, Files: byName, Parameters: contextOf(m.NumCtx)}
	if !m.Chat {
		req.Template = rawTemplate
	}
	if err := c.create(ctx, m.Model, req, tell); err != nil {
		return err
	}
	if m.NumCtx > 0 {
		return nil
	}
	return c.whole(ctx, m.Model, c.stateContext(ctx, m.Model, tell))
}

// Quantize makes the model to of the server's model from, stored as kind.
func (c *Client) Quantize(ctx context.Context, from, to, kind string, tell eval.PullProgress) error {
	return c.create(ctx, to, &api.CreateRequest{Model: to, From: from, Quantize: kind}, tell)
}

// Delete removes a model.
func (c *Client) Delete(ctx context.Context, name string) error {
	if err := c.api.Delete(ctx, &api.DeleteRequest{Model: name}); err != nil {
		return fmt.Errorf("delete model %s at %s: %w", name, c.base, plain(err))
	}
	return nil
}

// whole removes a model that err has left half made: the next pull would take
// it for there.
func (c *Client) whole(ctx context.Context, name string, err error) error {
	if err == nil {
		return nil
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), detailTimeout)
	defer cancel()
	if left := c.Delete(cleanup, name); left != nil {
		err = errors.Join(err, fmt.Errorf("the unfinished model is still there: %w", left))
	}
	return err
}

// stateContext gives a model the positions that the server has read from its
// files as its context length.
func (c *Client) stateContext(ctx context.Context, name string, tell eval.PullProgress) error {
	show, err := c.api.Show(ctx, &api.ShowRequest{Model: name})
	if err != nil {
		return fmt.Errorf("show model %s at %s: %w", name, c.base, plain(err))
	}
	numCtx := contextLength(show.ModelInfo)
	if numCtx == 0 {
		return nil
	}
	return c.create(ctx, name, &api.CreateRequest{Model: name, From: name, Parameters: contextOf(numCtx)}, tell)
}

func contextOf(numCtx int) map[string]any {
	if numCtx == 0 {
		return nil
	}
	return map[string]any{"num_ctx": numCtx}
}

func (c *Client) create(ctx context.Context, name string, req *api.CreateRequest, tell eval.PullProgress) error {
	finished := false
	err := c.streaming().Create(ctx, req, func(p api.ProgressResponse) error {
		finished = p.Status == "success"
		tell(p.Status, p.Completed, p.Total)
		return nil
	})
	if err = ended(ctx, err, finished); err == nil || ctx.Err() != nil {
		return err
	}
	if _, gone := c.Version(ctx); gone != nil && ctx.Err() == nil {
		return &DeathError{Model: name, Address: c.base.String(), Err: err}
	}
	return &CreateError{Model: name, Address: c.base.String(), Err: err}
}

// DeathError means that a server answered before it was given a model's files
// and does no longer.
type DeathError struct {
	Model   string
	Address string
	Err     error // how the connection ended
}

func (e *DeathError) Error() string {
	return fmt.Sprintf("create model %s: the Ollama server at %s died of it: %v", e.Model, e.Address, e.Err)
}

func (e *DeathError) Unwrap() error { return e.Err }

// Hint says how to go on.
func (e *DeathError) Hint() string {
	return "read the last lines of the server's log, start it again, and convert the model to GGUF\n" +
		"(llama.cpp's convert_hf_to_gguf.py does) to name that file as source"
}

// upload sends a file unless the server has it.
func (c *Client) upload(ctx context.Context, b eval.Blob, tell eval.PullProgress) error {
	digest := "sha256:" + b.SHA256
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, c.base.JoinPath("/api/blobs", digest).String(), nil)
	if err != nil {
		return fmt.Errorf("upload %s: %w", b.Name, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("upload %s to %s: %w", b.Name, c.base, plain(err))
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	f, err := os.Open(b.Path)
	if err != nil {
		return fmt.Errorf("upload %s: %w", b.Name, err)
	}
	defer f.Close()
	sent := int64(0)
	body := readerFunc(func(p []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		n, err := f.Read(p)
		sent += int64(n)
		tell("upload "+b.Name, sent, b.Size)
		return n, err
	})
	if err := c.streaming().CreateBlob(ctx, digest, body); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("upload %s to %s: %w", b.Name, c.base, plain(err))
	}
	return nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// streaming is the client for calls that take as long as the model is large:
// their answers are read line by line, and need no bound on the whole.
func (c *Client) streaming() *api.Client { return api.NewClient(c.base, c.http) }

// ended judges a stream: without its word of success it was cut off.
func ended(ctx context.Context, err error, finished bool) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return errors.New(strings.TrimSpace(plain(err).Error()))
	case !finished:
		return io.ErrUnexpectedEOF
	}
	return nil
}
