// Package hub gets a model's files from a Hugging Face hub or a local folder,
// in the form that Ollama takes: safetensors or GGUF beside configuration and
// tokenizer.
//
// Policy: what a hub sends is untrusted. Only files of known names are taken,
// from the commit that the hub named first, and none is used before its size
// and hash are those that the hub states. A file is complete or called
// .partial, which the next call continues. The token goes to the hub's own
// address alone, never to where the hub redirects, and into no message or file.
package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const (
	defaultEndpoint = "https://huggingface.co"
	listBytes       = 32 << 20        // most of a list of files that is read
	silence         = 2 * time.Minute // longest wait for the next byte of a file
)

// Config says where the hub is and where files are kept.
type Config struct {
	Endpoint string // base address; empty: https://huggingface.co
	Token    string // bearer token; empty: none
	Cache    string // folder of the files
}

// FromEnv reads HF_ENDPOINT and HF_TOKEN; files are kept in disteval/hub of
// the user's cache folder.
func FromEnv() (Config, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return Config{}, fmt.Errorf("find the user's cache folder: %w", err)
	}
	return Config{
		Endpoint: os.Getenv("HF_ENDPOINT"),
		Token:    strings.TrimSpace(os.Getenv("HF_TOKEN")),
		Cache:    filepath.Join(dir, "disteval", "hub"),
	}, nil
}

// Progress is told how far a step has come, in bytes. A step's last call has
// done == total.
type Progress func(step string, done, total int64)

// Model is a model's files on this machine.
type Model struct {
	Files     []File
	Positions int       // max_position_embeddings of config.json; 0: not stated
	Others    []string  // files of weights beside them that were not taken
	Index     []Finding // of an index of shards that is not what they hold
}

// File is one file, complete and hashed.
type File struct {
	Name   string // as Ollama's converter expects it
	Path   string
	Size   int64  // bytes
	SHA256 string // hexadecimal
}

// Error is a refusal or fault with the next step.
type Error struct {
	Doing string
	Err   error
	Next  string
}

func (e *Error) Error() string { return e.Doing + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }
func (e *Error) Hint() string  { return e.Next }

// Ref names a repository's revision.
type Ref struct {
	Repo     string // OWNER/NAME
	Revision string // branch, tag or commit
}

func (r Ref) String() string { return r.Repo + "@" + r.Revision }

var (
	repoPattern     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*$`)
	revisionPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/-]*$`)
	commitPattern   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// ParseRef reads OWNER/NAME or OWNER/NAME@REVISION; the revision is main
// unless stated.
func ParseRef(s string) (Ref, error) {
	repo, revision, stated := strings.Cut(s, "@")
	if !stated {
		revision = "main"
	}
	if !repoPattern.MatchString(repo) || !revisionPattern.MatchString(revision) || strings.Contains(s, "..") {
		return Ref{}, &Error{fmt.Sprintf("read hub source %q", s), errors.New("it is not OWNER/REPO or OWNER/REPO@REVISION"),
			"write it like hf://HenryHHHH/DistilLlama"}
	}
	return Ref{repo, revision}, nil
}

// Client gets files from one hub. It may be used for one model at a time.
type Client struct {
	base    *url.URL
	token   bool // whether there is one
	http    *http.Client
	cache   string
	silence time.Duration
}

// New makes a client; it does not connect yet.
func New(c Config) (*Client, error) {
	if c.Endpoint == "" {
		c.Endpoint = defaultEndpoint
	}
	base, err := url.Parse(strings.TrimRight(c.Endpoint, "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil {
		return nil, &Error{"read HF_ENDPOINT", errors.New("it is not an address such as https://huggingface.co"), "correct HF_ENDPOINT or unset it"}
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	t.ResponseHeaderTimeout = time.Minute
	t.DisableCompression = true // sizes and ranges are those of the file
	return &Client{
		base: base, token: c.Token != "", cache: c.Cache, silence: silence,
		http: &http.Client{Transport: bearer{t, base, c.Token}, CheckRedirect: keepSecure},
	}, nil
}

// bearer adds the token to requests to the hub itself. It stands below the
// redirects, so that no redirect can carry the token elsewhere.
type bearer struct {
	next  http.RoundTripper
	base  *url.URL
	token string
}

func (b bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	if b.token != "" && req.URL.Scheme == b.base.Scheme && req.URL.Host == b.base.Host {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(req)
}

func keepSecure(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("more than 10 redirects")
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("the hub redirects from https to %s", req.URL.Scheme)
	}
	return nil
}

// remote is a file as the hub describes it.
type remote struct {
	name   string
	size   int64  // bytes; -1: not stated
	sha256 string // of the content; empty: not stated
	git    string // SHA-1 of the content as a git blob; empty: not stated
}

// list asks for the files of a revision and the commit that it stands for.
func (c *Client) list(ctx context.Context, ref Ref) (commit string, files []remote, err error) {
	doing := fmt.Sprintf("list the files of %s at %s", ref, c.base.Host)
	address := c.base.JoinPath("api/models", ref.Repo, "revision", url.PathEscape(ref.Revision))
	address.RawQuery = "blobs=true"
	ctx, cancel := context.WithTimeout(ctx, c.silence)
	defer cancel()
	resp, err := c.get(ctx, doing, ref, address, 0)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Name string `json:"rfilename"`
			Size *int64 `json:"size"`
			Blob string `json:"blobId"`
			LFS  *struct {
				SHA256 string `json:"sha256"`
				Size   int64  `json:"size"`
			} `json:"lfs"`
		} `json:"siblings"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, listBytes)).Decode(&answer); err != nil {
		if ctx.Err() != nil {
			return "", nil, interrupted(doing, ctx)
		}
		return "", nil, &Error{doing, fmt.Errorf("the answer is not the hub's JSON: %w", err), notHub}
	}
	if !commitPattern.MatchString(answer.SHA) {
		return "", nil, &Error{doing, errors.New("the answer names no commit"), notHub}
	}
	for _, s := range answer.Siblings {
		f := remote{name: s.Name, size: -1, git: s.Blob}
		if s.Size != nil {
			f.size = *s.Size
		}
		if s.LFS != nil {
			f.size, f.sha256, f.git = s.LFS.Size, s.LFS.SHA256, ""
		}
		files = append(files, f)
	}
	return answer.SHA, files, nil
}

const notHub = "check HF_ENDPOINT: is a Hugging Face hub there, and not a login page or proxy?"
