// Package hubtest imitates a Hugging Face hub on the loopback, and makes a tiny
// LLaMA to serve from it.
//
// Policy: the imitation does what the real one does that a client may rely on
// or stumble over: commits, two kinds of hashes, redirects to another address
// for large files, ranges, and every refusal.
package hubtest

import (
	"bytes"
	"crypto/sha1" // git's name of a file's content
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Commit is the commit that every revision of every repository stands for.
const Commit = "0123456789abcdef0123456789abcdef01234567"

// Hub is a hub on the loopback. Its fields are set before the first request.
type Hub struct {
	URL   string
	Repos map[string]map[string][]byte // OWNER/NAME, file, content
	LFS   int                          // files of at least that many bytes are served by the other address
	Token string                       // that a request must bring; empty: none
	// Answer may answer a request for a file or list in the hub's place; false
	// leaves it to the hub.
	Answer func(w http.ResponseWriter, r *http.Request, content []byte) bool

	mu     sync.Mutex
	ranges []string // Range of each request for content
	leaked []string // Authorization that reached the other address
	store  *httptest.Server
}

// New starts a hub, which ends with the test.
func New(t testing.TB, repos map[string]map[string][]byte) *Hub {
	t.Helper()
	h := &Hub{Repos: repos, LFS: 10 << 10}
	front := httptest.NewServer(http.HandlerFunc(h.serve))
	h.store = httptest.NewServer(http.HandlerFunc(h.serveStore))
	h.URL = front.URL
	t.Cleanup(front.Close)
	t.Cleanup(h.store.Close)
	return h
}

// Ranges lists the Range header of each request for content; empty: all of it.
func (h *Hub) Ranges() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.ranges...)
}

// Leaked lists the tokens that reached the address of large files.
func (h *Hub) Leaked() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.leaked...)
}

func (h *Hub) serve(w http.ResponseWriter, r *http.Request) {
	if h.Token != "" && r.Header.Get("Authorization") != "Bearer "+h.Token {
		http.Error(w, `{"error":"Invalid credentials"}`, http.StatusUnauthorized)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if rest, ok := strings.CutPrefix(path, "api/models/"); ok {
		repo, _, _ := strings.Cut(rest, "/revision/")
		h.list(w, r, repo)
		return
	}
	repo, file, ok := strings.Cut(path, "/resolve/"+Commit+"/")
	content, there := h.Repos[repo][file]
	switch {
	case !ok || !there:
		http.Error(w, "Entry not found", http.StatusNotFound)
	case h.Answer != nil && h.Answer(w, r, content):
	case len(content) >= h.LFS:
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(content)))
		w.Header().Set("X-Linked-Etag", `"`+sum256(content)+`"`)
		http.Redirect(w, r, h.store.URL+"/"+repo+"/"+file, http.StatusFound)
	default:
		w.Header().Set("ETag", `"`+gitSum(content)+`"`)
		h.content(w, r, content)
	}
}

func (h *Hub) serveStore(w http.ResponseWriter, r *http.Request) {
	if a := r.Header.Get("Authorization"); a != "" {
		h.mu.Lock()
		h.leaked = append(h.leaked, a)
		h.mu.Unlock()
	}
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3)
	content := h.Repos[parts[0]+"/"+parts[1]][parts[2]]
	if h.Answer != nil && h.Answer(w, r, content) {
		return
	}
	h.content(w, r, content)
}

func (h *Hub) content(w http.ResponseWriter, r *http.Request, content []byte) {
	h.mu.Lock()
	h.ranges = append(h.ranges, r.Header.Get("Range"))
	h.mu.Unlock()
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// sibling is a file in the hub's list.
type sibling struct {
	Name string `json:"rfilename"`
	Size int    `json:"size"`
	Blob string `json:"blobId"`
	LFS  *lfs   `json:"lfs,omitempty"`
}

type lfs struct {
	SHA256 string `json:"sha256"`
	Size   int    `json:"size"`
}

func (h *Hub) list(w http.ResponseWriter, r *http.Request, repo string) {
	files, ok := h.Repos[repo]
	if h.Answer != nil && h.Answer(w, r, nil) {
		return
	}
	if !ok {
		http.Error(w, `{"error":"Repository not found"}`, http.StatusNotFound)
		return
	}
	var all []sibling
	for name, content := range files {
		s := sibling{Name: name, Size: len(content), Blob: gitSum(content)}
		if len(content) >= h.LFS {
			s.LFS = &lfs{SHA256: sum256(content), Size: len(content)}
		}
		all = append(all, s)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"sha": Commit, "siblings": all})
}

func sum256(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func gitSum(b []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(b))
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}
