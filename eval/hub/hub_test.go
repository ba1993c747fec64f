package hub_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/hub/hubtest"
)

const (
	repo  = "own/tiny"
	token = "hf_secretSecretSecret"
)

var ref = hub.Ref{Repo: repo, Revision: "main"}

func quiet(string, int64, int64) {}

// fixture is a hub with a tiny LLaMA, and a client with an empty cache.
func fixture(t *testing.T, files map[string][]byte) (*hubtest.Hub, *hub.Client, string) {
	t.Helper()
	h := hubtest.New(t, map[string]map[string][]byte{repo: files})
	cache := t.TempDir()
	return h, client(t, hub.Config{Endpoint: h.URL, Cache: cache}), cache
}

func client(t *testing.T, c hub.Config) *hub.Client {
	t.Helper()
	got, err := hub.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func names(m hub.Model) string {
	var all []string
	for _, f := range m.Files {
		all = append(all, f.Name)
	}
	return strings.Join(all, " ")
}

// cached lists the names of the files in a folder and below.
func cached(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, e.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func TestGet(t *testing.T) {
	files := hubtest.TinyLLaMA()
	h, c, _ := fixture(t, files)
	told := make(map[string]int64)
	m, err := c.Get(t.Context(), ref, func(step string, done, total int64) {
		if done > total || done < told[step] {
			t.Errorf("%s: %d after %d of %d", step, done, told[step], total)
		}
		told[step] = done
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := names(m), "model.safetensors config.json tokenizer.json tokenizer_config.json"; got != want || m.Positions != hubtest.Positions {
		t.Errorf("Get: %s with %d positions, want %s with %d", got, m.Positions, want, hubtest.Positions)
	}
	for _, f := range m.Files {
		got, err := os.ReadFile(f.Path)
		if err != nil || !bytes.Equal(got, files[f.Name]) || f.Size != int64(len(got)) {
			t.Errorf("%s differs from what the hub has: %v", f.Name, err)
		}
	}
	if told["model.safetensors"] != int64(len(files["model.safetensors"])) {
		t.Errorf("progress ends at %d", told["model.safetensors"])
	}
	if _, err := c.Get(t.Context(), ref, quiet); err != nil || len(h.Ranges()) != 4 {
		t.Errorf("the second Get: %v after %d downloads, want 4 in all", err, len(h.Ranges()))
	}
}

func TestGetReplacesDamagedFile(t *testing.T) {
	files := hubtest.TinyLLaMA()
	h, c, _ := fixture(t, files)
	m, err := c.Get(t.Context(), ref, quiet)
	if err != nil {
		t.Fatal(err)
	}
	path := m.Files[0].Path
	damaged := bytes.Clone(files["model.safetensors"])
	damaged[len(damaged)/2] ^= 1
	if err := os.WriteFile(path, damaged, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), ref, quiet); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, files["model.safetensors"]) || len(h.Ranges()) != 5 {
		t.Error("a damaged file in the cache was taken for good")
	}
}

// TestToken shows that the token goes to the hub alone and stands nowhere.
func TestToken(t *testing.T) {
	h, _, cache := fixture(t, hubtest.TinyLLaMA())
	h.Token = token
	for _, tt := range []struct{ token, hint string }{{"", "set HF_TOKEN"}, {"hf_wrongWrong", "does not take this HF_TOKEN"}} {
		c := client(t, hub.Config{Endpoint: h.URL, Cache: cache, Token: tt.token})
		_, err := c.Get(t.Context(), ref, quiet)
		wantFault(t, err, "HTTP 401", tt.hint)
		if strings.Contains(err.Error(), "hf_wrong") {
			t.Errorf("the token stands in %q", err)
		}
	}
	c := client(t, hub.Config{Endpoint: h.URL, Cache: cache, Token: token})
	m, err := c.Get(t.Context(), ref, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if leaked := h.Leaked(); len(leaked) > 0 {
		t.Errorf("the token reached the other address: %d times", len(leaked))
	}
	for _, f := range m.Files {
		if b, _ := os.ReadFile(f.Path); bytes.Contains(b, []byte(token)) || strings.Contains(f.Path, token) {
			t.Errorf("the token is stored in %s", f.Path)
		}
	}
}

// wantFault checks an error's words and next step.
func wantFault(t *testing.T, err error, words, hint string) {
	t.Helper()
	var fault *hub.Error
	if !errors.As(err, &fault) || !strings.Contains(err.Error(), words) || !strings.Contains(fault.Hint(), hint) {
		t.Errorf("got %v (next: %+v), want %q and %q", err, fault, words, hint)
	}
}

func TestRefusals(t *testing.T) {
	status := func(code int, header, value string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set(header, value)
			w.WriteHeader(code)
		}
	}
	page := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write([]byte("<html>Log in to the Wi-Fi</html>"))
	}
	tests := []struct {
		name        string
		answer      func(http.ResponseWriter)
		words, hint string
	}{
		{"401", status(401, "X", "y"), "HTTP 401", "set HF_TOKEN"},
		{"403", status(403, "X", "y"), "HTTP 403", "accept the licence at http://"},
		{"404", status(404, "X", "y"), "HTTP 404", "check owner, repository and revision"},
		{"429", status(429, "Retry-After", "90"), "HTTP 429", "wait 1m30s"},
		{"429 without time", status(429, "X", "y"), "HTTP 429", "wait some minutes"},
		{"500", status(500, "X", "y"), "HTTP 500", "again"},
		{"web page", page, "a web page came instead", "check HF_ENDPOINT"},
		{"nothing", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "EOF", "check the connection"},
	}
	for _, tt := range tests {
		for _, at := range []string{"list", "file"} {
			t.Run(tt.name+" for the "+at, func(t *testing.T) {
				h, c, cache := fixture(t, hubtest.TinyLLaMA())
				h.Answer = func(w http.ResponseWriter, _ *http.Request, content []byte) bool {
					if (content == nil) != (at == "list") {
						return false
					}
					tt.answer(w)
					return true
				}
				_, err := c.Get(t.Context(), ref, quiet)
				wantFault(t, err, tt.words, tt.hint)
				if got := cached(t, cache); got != "" {
					t.Errorf("left behind: %s", got)
				}
			})
		}
	}
}

func TestListOfOtherKind(t *testing.T) {
	h, c, _ := fixture(t, nil)
	for _, answer := range []string{"", "[]", "{}", `{"sha": "../../up"}`, "<html>"} {
		h.Answer = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(answer))
			return true
		}
		_, err := c.Get(t.Context(), ref, quiet)
		wantFault(t, err, "list the files of own/tiny@main", "check HF_ENDPOINT")
	}
}

func TestParseRef(t *testing.T) {
	for in, want := range map[string]string{
		"a/b": "a/b@main", "a/b@v1.0": "a/b@v1.0", "a/b.c-d@refs/pr/1": "a/b.c-d@refs/pr/1",
		"a": "", "a/b/c": "", "a/..": "", "../b": "", "a/b@": "", "a/b@../c": "", "a b/c": "", "a/b@x y": "", "-a/b": "",
	} {
		got, err := hub.ParseRef(in)
		if want == "" && err == nil || want != "" && got.String() != want {
			t.Errorf("ParseRef(%q) = %v, %v; want %q", in, got, err, want)
		}
	}
}

func TestNewRefusesEndpoint(t *testing.T) {
	for _, bad := range []string{"huggingface.co", "ftp://hub", "http://", "https://user:" + token + "@hub", "::"} {
		if _, err := hub.New(hub.Config{Endpoint: bad}); err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("New(%q) = %v, want an error that does not repeat it", bad, err)
		}
	}
}

func TestFromEnv(t *testing.T) {
	t.Setenv("HF_ENDPOINT", "http://127.0.0.1:9")
	t.Setenv("HF_TOKEN", token+"\n")
	c, err := hub.FromEnv()
	if err != nil || c.Endpoint != "http://127.0.0.1:9" || c.Token != token || !strings.HasSuffix(filepath.ToSlash(c.Cache), "disteval/hub") {
		t.Errorf("FromEnv: %+v, %v", c.Cache, err)
	}
}
