// Package citest has fakes of GitHub's and GitLab's interfaces to the comments
// of a pull request, on the loopback.
package citest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Comment is one that the service has.
type Comment struct {
	ID     int64
	Author string
	Person bool // not a program
	Body   string
}

// Server is a service with one pull request: number 12 of owner/name, or of
// project 34.
type Server struct {
	URL   string // of the interface
	Token string // that it takes
	User  string // whose the token is; empty: nobody's, and it refuses to say

	mu       sync.Mutex
	comments []Comment
	refuse   map[string]int // status by method
	seen     []string       // "METHOD path" of every request
	shape    shape
}

// shape is what the two services differ in.
type shape struct {
	list, one string // paths; one's ends before the comment's number
	change    string // method
	header    string // that has the token
	prefix    string // of the token in it
}

// NewGitHub starts a GitHub.
func NewGitHub(t testing.TB) *Server {
	return start(t, "", shape{"/repos/owner/name/issues/12/comments", "/repos/owner/name/issues/comments/", http.MethodPatch, "Authorization", "Bearer "})
}

// NewGitLab starts a GitLab.
func NewGitLab(t testing.TB) *Server {
	return start(t, "project_34_bot", shape{"/projects/34/merge_requests/12/notes", "/projects/34/merge_requests/12/notes/", http.MethodPut, "Private-Token", ""})
}

func start(t testing.TB, user string, s shape) *Server {
	f := &Server{Token: "the-token", User: user, shape: s}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.URL = server.URL
	return f
}

// Add adds comments.
func (f *Server) Add(comments ...Comment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range comments {
		c.ID = int64(len(f.comments) + 1)
		f.comments = append(f.comments, c)
	}
}

// Refuse answers every request of a method with a status from now on.
func (f *Server) Refuse(method string, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = map[string]int{method: status}
}

// With returns the comments whose text holds a string.
func (f *Server) With(text string) []Comment {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.comments), func(c Comment) bool { return !strings.Contains(c.Body, text) })
}

// Requests returns every request so far.
func (f *Server) Requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

func (f *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, r.Method+" "+r.URL.RequestURI())
	if r.Header.Get(f.shape.header) != f.shape.prefix+f.Token {
		answer(w, http.StatusUnauthorized, map[string]string{"message": "Bad credentials"})
		return
	}
	if status := f.refuse[r.Method]; status != 0 {
		w.Header().Set("Location", "http://elsewhere.invalid/")
		answer(w, status, map[string]string{"message": "Resource not accessible by integration\n::error::forged"})
		return
	}
	switch path := r.URL.Path; {
	case path == "/user" && f.User == "":
		answer(w, http.StatusForbidden, map[string]string{"message": "Resource not accessible by integration"})
	case path == "/user":
		answer(w, http.StatusOK, map[string]string{"login": f.User, "username": f.User})
	case path == f.shape.list && r.Method == http.MethodGet:
		f.page(w, r)
	case path == f.shape.list && r.Method == http.MethodPost:
		f.comments = append(f.comments, Comment{ID: int64(len(f.comments) + 1), Author: f.author(), Body: body(r)})
		answer(w, http.StatusCreated, f.json(f.comments[len(f.comments)-1]))
	case strings.HasPrefix(path, f.shape.one) && r.Method == f.shape.change:
		id, err := strconv.Atoi(strings.TrimPrefix(path, f.shape.one))
		if err != nil || id < 1 || id > len(f.comments) {
			answer(w, http.StatusNotFound, map[string]string{"message": "Not Found"})
			return
		}
		f.comments[id-1].Body = body(r)
		answer(w, http.StatusOK, f.json(f.comments[id-1]))
	default:
		answer(w, http.StatusNotFound, map[string]string{"message": "Not Found"})
	}
}

func (f *Server) author() string {
	if f.User == "" {
		return "github-actions[bot]"
	}
	return f.User
}

func (f *Server) page(w http.ResponseWriter, r *http.Request) {
	size, _ := strconv.Atoi(r.FormValue("per_page"))
	page, _ := strconv.Atoi(r.FormValue("page"))
	size, page = min(max(size, 1), 100), max(page, 1)
	from := min((page-1)*size, len(f.comments))
	to := min(from+size, len(f.comments))
	if to < len(f.comments) { // its address leads elsewhere, where nobody must follow it with a token
		w.Header().Set("Link", fmt.Sprintf(`<http://elsewhere.invalid/?page=%d>; rel="next"`, page+1))
	}
	out := []any{}
	for _, c := range f.comments[from:to] {
		out = append(out, f.json(c))
	}
	answer(w, http.StatusOK, out)
}

// json is a comment as both services have it, each under its own names.
func (f *Server) json(c Comment) map[string]any {
	kind := "Bot"
	if c.Person {
		kind = "User"
	}
	return map[string]any{"id": c.ID, "body": c.Body, "html_url": fmt.Sprintf("https://example.invalid/12#%d", c.ID),
		"user": map[string]string{"login": c.Author, "type": kind}, "author": map[string]string{"username": c.Author}}
}

func body(r *http.Request) string {
	var b struct{ Body string }
	_ = json.NewDecoder(r.Body).Decode(&b) // a bad one is empty, which tests see
	return b.Body
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who does not listen is told nothing
}
