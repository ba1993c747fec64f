package ollama_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/evaltest"
	"github.com/disteval/disteval/eval/ollama"
)

// TestCredentials: they are used, and stand in nothing that is kept or said.
func TestCredentials(t *testing.T) {
	f := evaltest.NewOllama(t, "m:latest")
	f.Auth = "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:s3cret"))
	t.Setenv("OLLAMA_HOST", strings.Replace(f.URL, "http://", "http://alice:s3cret@", 1))
	base, err := ollama.Host("")
	if err != nil {
		t.Fatal(err)
	}
	c := ollama.New(base, evaltest.HostileLimits)
	got, err := c.Resolve(t.Context(), []eval.Model{model("m")})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := json.Marshal(got)
	if err != nil || strings.Contains(string(kept), "s3cret") || strings.Contains(string(kept), "alice") {
		t.Errorf("the plan keeps %s, %v", kept, err)
	}
	if _, err := c.Generator(got[0]).Generate(t.Context(), eval.Request{Prompt: "p"}); err != nil {
		t.Error(err)
	}
	_, err = c.Resolve(t.Context(), []eval.Model{model("gone")})
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a missing model: %v", err)
	}
}

// TestCredentialsOfOneModel: the generator of a resolved model has those that
// its host was named with, though the plan does not keep them.
func TestCredentialsOfOneModel(t *testing.T) {
	f := evaltest.NewOllama(t, "m:latest")
	f.Auth = "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:s3cret"))
	m := model("m")
	m.Host = strings.Replace(f.URL, "http://", "http://alice:s3cret@", 1)
	p := ollama.NewProvider(evaltest.HostileLimits)
	got, err := p.Resolve(t.Context(), []eval.Model{m})
	if err != nil || got[0].Host != f.URL {
		t.Fatalf("%+v, %v", got, err)
	}
	g, err := p.Open(got[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Generate(t.Context(), eval.Request{Prompt: "p"}); err != nil {
		t.Error(err)
	}
}

// TestDenied tells a proxy's refusal plainly: status, first line, and what to do.
func TestDenied(t *testing.T) {
	f := evaltest.NewOllama(t, "m:latest")
	f.Auth = "Basic x"
	_, err := client(t, f.URL).Resolve(t.Context(), []eval.Model{model("m")})
	var server *ollama.ServerError
	if !errors.As(err, &server) || !strings.Contains(err.Error(), "HTTP 401 Unauthorized: <html><body>401 Authorization Required</body></html>") || strings.Contains(err.Error(), "nginx") {
		t.Fatalf("Resolve = %v", err)
	}
	if hint := server.Hint(); !strings.Contains(hint, "USER:PASSWORD@") || strings.Contains(hint, "ollama serve") {
		t.Errorf("hint %q", hint)
	}
}

// TestRedirect: neither prompts nor credentials go to a host that was not named.
func TestRedirect(t *testing.T) {
	var came []*http.Request
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { came = append(came, r) }))
	defer other.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer s.Close()
	c := client(t, strings.Replace(s.URL, "http://", "http://alice:s3cret@", 1))
	if _, err := c.Version(t.Context()); err == nil || !strings.Contains(err.Error(), "redirects to "+other.URL) {
		t.Errorf("Version = %v", err)
	}
	if _, err := c.Generator(model("m")).Generate(t.Context(), eval.Request{Prompt: "p"}); err == nil {
		t.Error("a question went elsewhere")
	}
	if len(came) > 0 {
		t.Errorf("%d requests came to the other host", len(came))
	}
}

// TestUnknownCertificate names the way on.
func TestUnknownCertificate(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	_, err := client(t, s.URL).Version(t.Context())
	var server *ollama.ServerError
	if !errors.As(err, &server) || !strings.Contains(err.Error(), "its certificate is not signed by anyone") || !strings.Contains(server.Hint(), "SSL_CERT_FILE") {
		t.Errorf("Version = %v", err)
	}
}

// TestThinking keeps reasoning apart from the answer.
func TestThinking(t *testing.T) {
	f := evaltest.NewOllama(t, "m:latest")
	f.Thinks = func(string, string) string { return "Let me see." }
	no := false
	for _, raw := range []bool{true, false} {
		m := model("m")
		m.Generation.Raw = raw
		resolved, err := client(t, f.URL).Resolve(t.Context(), []eval.Model{m})
		if err != nil || !resolved[0].Capabilities.Think {
			t.Fatalf("Resolve = %+v, %v", resolved, err)
		}
		m = resolved[0]
		r, err := client(t, f.URL).Generator(m).Generate(t.Context(), eval.Request{Prompt: "p", System: "Be brief."})
		if err != nil || r.Reasoning != "Let me see." || r.Text != " the answer to p" {
			t.Errorf("raw %t: %+v, %v", raw, r, err)
		}
		m.Generation.Think = &no
		r, err = client(t, f.URL).Generator(m).Generate(t.Context(), eval.Request{Prompt: "p"})
		if err != nil || r.Reasoning != "" {
			t.Errorf("raw %t, think false: %+v, %v", raw, r, err)
		}
	}
	chat := f.Bodies()[2]
	messages, _ := chat["messages"].([]any)
	if len(messages) != 2 || messages[0].(map[string]any)["content"] != "Be brief." || messages[1].(map[string]any)["role"] != "user" {
		t.Errorf("the chat was asked as %v", chat)
	}
}

func TestVerify(t *testing.T) {
	f := evaltest.NewOllama(t, "m:latest")
	resolved, err := client(t, f.URL).Resolve(t.Context(), []eval.Model{model("m")})
	if err != nil {
		t.Fatal(err)
	}
	g := client(t, f.URL).Generator(resolved[0])
	if err := g.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	f.Set(func(f *evaltest.Ollama) { f.Digest = func(string) string { return "other" } })
	var replaced *eval.ReplacedError
	if err := g.Verify(t.Context()); !errors.As(err, &replaced) || replaced.Now != "other" {
		t.Errorf("another digest: %v", err)
	}
	f.Set(func(f *evaltest.Ollama) { f.Models = nil })
	if err := g.Verify(t.Context()); !errors.As(err, &replaced) || replaced.Now != "" {
		t.Errorf("no model: %v", err)
	}
	f.Stop()
	var failure *eval.Failure
	if err := g.Verify(t.Context()); !errors.As(err, &failure) || !failure.Retry {
		t.Errorf("no server: %v", err)
	}
}

// TestOldServer is told by its version.
func TestOldServer(t *testing.T) {
	f := evaltest.NewOllama(t, "m:latest")
	for version, old := range map[string]bool{"0.5.7": true, "0.12.5": true, "0.12.6": false, "0.12.6-rc0": false, "0.17.4": false, "1.0": false, "0.0.0": false, "dev": false} {
		f.Set(func(f *evaltest.Ollama) { f.Version = version })
		got, err := client(t, f.URL).Resolve(t.Context(), []eval.Model{model("m")})
		if err != nil || (got[0].Notice != "") != old {
			t.Errorf("ollama %s: notice %q, %v", version, got[0].Notice, err)
		}
	}
}
