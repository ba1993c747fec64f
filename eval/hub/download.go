package hub

import (
	"context"
	"crypto/sha1" // git's name of a file's content
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// download brings one file of a commit into the cache.
func (c *Client) download(ctx context.Context, ref Ref, commit string, want remote, tell Progress) (File, error) {
	dest := filepath.Join(c.cache, safeHost(c.base), filepath.FromSlash(ref.Repo), commit, want.name)
	if f, err := check(ctx, dest, want, tell); err == nil || ctx.Err() != nil {
		return f, err
	}
	if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
		return File{}, fmt.Errorf("make the cache folder: %w", err)
	}
	part := dest + ".partial"
	if err := c.complete(ctx, ref, commit, part, &want, tell); err != nil {
		return File{}, err
	}
	f, err := check(ctx, part, want, tell)
	var wrong *mismatchError
	if errors.As(err, &wrong) {
		return File{}, errors.Join(&Error{"check " + want.name + " of " + ref.String(), err,
			"the file was damaged on the way and is removed: run the same command again"}, os.Remove(part))
	}
	if err != nil {
		return File{}, err
	}
	if err := os.Rename(part, dest); err != nil {
		return File{}, fmt.Errorf("store %s: %w", want.name, err)
	}
	f.Path = dest
	return f, nil
}

func safeHost(u *url.URL) string { return strings.ReplaceAll(u.Host, ":", "_") }

// complete makes part the whole file, or leaves as much as came.
func (c *Client) complete(ctx context.Context, ref Ref, commit, part string, want *remote, tell Progress) error {
	have := int64(0)
	if info, err := os.Stat(part); err == nil {
		have = info.Size()
	}
	switch {
	case have > 0 && have == want.size:
		return nil // all came, but the check was interrupted
	case want.size >= 0 && have > want.size:
		have = 0
	}
	doing := fmt.Sprintf("download %s of %s", want.name, ref)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	resp, err := c.get(ctx, doing, ref, c.base.JoinPath(ref.Repo, "resolve", commit, want.name), have)
	if err != nil {
		var status *statusError
		if errors.As(err, &status) && status.code == http.StatusRequestedRangeNotSatisfiable {
			return errors.Join(err, os.Remove(part))
		}
		return err
	}
	defer resp.Body.Close()
	if err := want.adopt(resp); err != nil {
		return &Error{doing, err, "the hub contradicts itself: try later"}
	}
	if resp.StatusCode == http.StatusOK {
		have = 0 // the hub sends all of it
	} else if !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)) {
		return &Error{doing, errors.New("the hub sent another part than the one asked for"), again}
	}
	watch := time.AfterFunc(c.silence, func() { cancel(errSilent) })
	defer watch.Stop()
	body := &meter{r: resp.Body, done: have, total: want.size, tell: func(done, total int64) {
		watch.Reset(c.silence)
		tell(want.name, done, total)
	}}
	// One byte more than due shows that the file is too long.
	n, err := appendTo(part, have, io.LimitReader(body, want.size-have+1))
	return c.judge(ctx, doing, part, have+n, want.size, err)
}

// appendTo writes what r holds into the file at path, from offset on, and
// returns how many bytes that were.
func appendTo(path string, offset int64, r io.Reader) (n int64, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	end, err := f.Seek(0, io.SeekEnd)
	if err == nil && end > offset {
		err = f.Truncate(offset)
	}
	if err == nil {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		return 0, err
	}
	return io.Copy(f, r)
}

// judge says what a download that ended means.
func (c *Client) judge(ctx context.Context, doing, part string, have, size int64, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return &Error{doing, fmt.Errorf("the disk is full after %d of %d bytes: %w", have, size, err),
			fmt.Sprintf("make room in %s (%d bytes more), then %s", c.cache, size-have, again)}
	case ctx.Err() != nil:
		return interrupted(doing, ctx)
	case have > size:
		return errors.Join(&Error{doing, fmt.Errorf("the hub sends more than the %d bytes it states", size), "try later"}, os.Remove(part))
	case err != nil || have < size:
		if err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the connection ended")
		}
		return &Error{doing, fmt.Errorf("%d of %d bytes came: %w", have, size, err), again}
	}
	return nil
}

// adopt adds what the headers of an answer, and of the redirects before it,
// state of the file, and refuses a contradiction.
func (w *remote) adopt(resp *http.Response) error {
	size, sum := int64(-1), ""
	for r := resp; r != nil; r = r.Request.Response {
		if s, err := strconv.ParseInt(r.Header.Get("X-Linked-Size"), 10, 64); err == nil {
			size = s
		}
		if tag := r.Header.Get("X-Linked-Etag"); tag != "" {
			sum = strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
		}
	}
	if size < 0 && w.size < 0 && resp.StatusCode == http.StatusOK {
		size = resp.ContentLength
	}
	switch {
	case size >= 0 && w.size >= 0 && size != w.size:
		return fmt.Errorf("its list states %d bytes, its answer %d", w.size, size)
	case len(sum) == 64 && w.sha256 != "" && sum != w.sha256:
		return fmt.Errorf("its list states sha256 %s, its answer %s", w.sha256, sum)
	}
	w.size = max(w.size, size)
	if len(sum) == 64 {
		w.sha256 = sum
	} else if len(sum) == 40 && w.git == "" {
		w.git = sum
	}
	if w.size < 0 || w.sha256 == "" && w.git == "" {
		return errors.New("it states no size or no hash of the file")
	}
	return nil
}

// mismatchError is a file that is not what the hub states.
type mismatchError struct{ what, is, want string }

func (e *mismatchError) Error() string {
	return fmt.Sprintf("its %s is %s, the hub states %s", e.what, e.is, e.want)
}

// check hashes a file and compares it with what the hub states.
func check(ctx context.Context, path string, want remote, tell Progress) (File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return File{}, &Error{"read " + path, errors.New("it is not a regular file"), "name another source"} // opening a pipe would wait for ever
	}
	f, err := os.Open(path)
	if err != nil {
		return File{}, fmt.Errorf("check %s: %w", want.name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return File{}, fmt.Errorf("check %s: %w", want.name, err)
	}
	whole, blob := sha256.New(), sha1.New()
	fmt.Fprintf(blob, "blob %d\x00", info.Size())
	to := io.Writer(whole)
	if want.sha256 == "" && want.git != "" {
		to = io.MultiWriter(whole, blob)
	}
	body := &meter{ctx: ctx, r: f, total: info.Size(), tell: func(done, total int64) { tell("check "+want.name, done, total) }}
	if _, err := io.Copy(to, body); err != nil {
		return File{}, fmt.Errorf("check %s: %w", want.name, err)
	}
	out := File{Name: want.name, Path: path, Size: info.Size(), SHA256: hex.EncodeToString(whole.Sum(nil))}
	switch git := hex.EncodeToString(blob.Sum(nil)); {
	case want.size >= 0 && out.Size != want.size:
		return out, &mismatchError{"size", strconv.FormatInt(out.Size, 10), strconv.FormatInt(want.size, 10)}
	case want.sha256 != "" && out.SHA256 != want.sha256:
		return out, &mismatchError{"sha256", out.SHA256, want.sha256}
	case want.sha256 == "" && want.git != "" && git != want.git:
		return out, &mismatchError{"git hash", git, want.git}
	}
	return out, nil
}

// meter tells how much was read, and ends with its context where it has one.
type meter struct {
	ctx         context.Context
	r           io.Reader
	done, total int64
	tell        func(done, total int64)
}

func (m *meter) Read(p []byte) (int, error) {
	if m.ctx != nil && m.ctx.Err() != nil {
		return 0, m.ctx.Err()
	}
	n, err := m.r.Read(p)
	m.done += int64(n)
	if n > 0 {
		m.tell(min(m.done, m.total), m.total)
	}
	return n, err
}
