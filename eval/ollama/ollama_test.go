package ollama_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/evaltest"
	"github.com/disteval/disteval/eval/ollama"
)

func client(t *testing.T, address string) *ollama.Client {
	t.Helper()
	base, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return ollama.New(base, evaltest.HostileLimits)
}

func model(name string) eval.Model {
	return eval.Model{Name: "M", Provider: eval.ProviderOllama, Model: name, Generation: eval.DefaultGeneration()}
}

func TestHost(t *testing.T) {
	tests := []struct{ host, env, want string }{
		{"", "", "http://127.0.0.1:11434"},
		{"", "0.0.0.0", "http://0.0.0.0:11434"},
		{"", "box:8080", "http://box:8080"},
		{"other:1", "box:8080", "http://other:1"},
		{"https://models.example", "", "https://models.example:443"},
		{"http://models.example", "", "http://models.example:80"},
		{"http://box:1234/prefix/", "", "http://box:1234/prefix"},
		{":9999", "", "http://127.0.0.1:9999"},
		{"[::1]:11434", "", "http://[::1]:11434"},
		{"::1", "", "http://[::1]:11434"},
		{"", `"box:8080"`, "http://box:8080"},
		{"", "http://alice:s3cret@box:8080", "http://alice:s3cret@box:8080"},
		{"", "alice:p%41ss%s@[::1]", "http://alice:p%2541ss%25s@[::1]:11434"},
		{"", "http://alice@box", "http://alice@box:80"},
		{"http://box:8080", "alice:s3cret@box:8080", "http://alice:s3cret@box:8080"},
		{"http://other:8080", "alice:s3cret@box:8080", "http://other:8080"},
	}
	for _, tt := range tests {
		t.Setenv("OLLAMA_HOST", tt.env)
		got, err := ollama.Host(tt.host)
		if err != nil || got.String() != tt.want {
			t.Errorf("Host(%q) with OLLAMA_HOST=%q = %v, %v; want %s", tt.host, tt.env, got, err, tt.want)
		}
	}
	for _, bad := range []string{"ftp://u:s3cret@box", "u:s3cret@box:99999", "box:port"} {
		if got, err := ollama.Host(bad); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Host(%q) = %v, %v, want an error without the password", bad, got, err)
		}
	}
}

func TestResolve(t *testing.T) {
	f := evaltest.NewOllama(t, "llama2:7b-text", "baby-llama-58m:latest")
	f.Context = 128
	got, err := client(t, f.URL).Resolve(t.Context(), []eval.Model{model("llama2:7b-text"), model("baby-llama-58m")})
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range got {
		if m.Digest != f.Digest(f.Models[i]) || m.ProviderVersion != "ollama 0.17.4" || m.ContextLength != 128 || m.Parameters != "58.34M" {
			t.Errorf("Resolve: %+v", m)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	f := evaltest.NewOllama(t, "here:latest")
	f.Context = 64
	_, err := client(t, f.URL).Resolve(t.Context(), []eval.Model{model("gone"), model("here")})
	var few *eval.ContextError
	if !errors.As(err, &few) || few.Has != 64 {
		t.Errorf("num_ctx 128 with 64 positions: %v", err)
	}
	f.Context = 128
	_, err = client(t, f.URL).Resolve(t.Context(), []eval.Model{model("gone"), model("here"), model("also-gone")})
	var missing *ollama.MissingModelsError
	if !errors.As(err, &missing) || len(missing.Models) != 2 || !strings.Contains(err.Error(), "gone") {
		t.Errorf("missing models: %v", err)
	}
}

func TestVersionOfDeadServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + l.Addr().String()
	check := func(what string) {
		t.Helper()
		start := time.Now()
		_, err := client(t, address).Version(t.Context())
		var server *ollama.ServerError
		if !errors.As(err, &server) {
			t.Errorf("%s: %v, want a ServerError", what, err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s: took %v, want under 2 s", what, took)
		}
	}
	check("a server that accepts and says nothing")
	l.Close()
	check("a closed port")
}

// TestResolveOfServerThatFails: what breaks after the version is the server's
// too, and a bare status code is told as one.
func TestResolveOfServerThatFails(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/version" {
			w.Write([]byte(`{"version":"1"}`))
			return
		}
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer s.Close()
	var server *ollama.ServerError
	if _, err := client(t, s.URL).Resolve(t.Context(), []eval.Model{model("m")}); !errors.As(err, &server) || !strings.Contains(err.Error(), "502") {
		t.Errorf("a server that answers 502: %v, want a ServerError", err)
	}
}

// TestEmbedOfSilentServer ends without an interrupt.
func TestEmbedOfSilentServer(t *testing.T) {
	silent := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	defer s.Close()
	defer close(silent)
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	limits := evaltest.HostileLimits
	limits.LoadSilence = 50 * time.Millisecond
	if _, err := ollama.New(base, limits).Embedder("m").Embed(t.Context(), []string{"a"}); err == nil || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("Embed = %v", err)
	}
}

func TestVersionOfOtherServer(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>hello</html>")) }))
	defer s.Close()
	var server *ollama.ServerError
	if _, err := client(t, s.URL).Version(t.Context()); !errors.As(err, &server) {
		t.Errorf("a web site: %v, want a ServerError", err)
	}
}

func TestGenerate(t *testing.T) {
	f := evaltest.NewOllama(t, "m:latest")
	f.Answer = func(_, prompt string) string { return " Paris, \x1b[31m\x00 <b>&" }
	g := client(t, f.URL).Generator(model("m"))
	if err := g.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := g.Generate(t.Context(), eval.Request{Prompt: "The capital of France is", Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	if r.Text != " Paris, \x1b[31m\x00 <b>&" || r.DoneReason != "stop" || *r.Usage.PromptTokens != 5 || r.Timing.Eval != 3000 {
		t.Errorf("reply: %+v", r)
	}
	o := f.Options()[0]
	want := map[string]float64{"temperature": 0, "repeat_penalty": 1, "seed": 7, "num_predict": 64, "num_ctx": 128}
	for name, v := range want {
		if o[name] != v {
			t.Errorf("options.%s = %v, want %v", name, o[name], v)
		}
	}
	if err := g.Unload(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestHostileServer(t *testing.T) {
	for _, raw := range []bool{true, false} {
		f := evaltest.NewOllama(t, "m:latest")
		m := model("m")
		m.Generation.Raw = raw
		resolved, err := client(t, f.URL).Resolve(t.Context(), []eval.Model{m})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(string(resolved[0].API), func(t *testing.T) {
			t.Parallel()
			evaltest.Hostile(t, f, client(t, f.URL).Generator(resolved[0]))
		})
	}
}

func TestGenerateInterrupted(t *testing.T) {
	f := evaltest.NewOllama(t, "m:latest")
	f.SetFault(func(string, int) evaltest.Fault { return evaltest.Hang })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err := client(t, f.URL).Generator(model("m")).Generate(ctx, eval.Request{Prompt: "p"})
	var failure *eval.Failure
	if err == nil || errors.As(err, &failure) {
		t.Errorf("an interrupt came back as %v; it is no outcome", err)
	}
}

func TestLongReplies(t *testing.T) {
	f := evaltest.NewOllama(t, "m:latest")
	long := strings.Repeat("word ", 200_000) // 1 MB
	f.Answer = func(string, string) string { return long }
	base, err := url.Parse(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	limits := evaltest.HostileLimits
	limits.Silence = 20 * time.Second // a busy machine takes a while to read a megabyte
	g := ollama.New(base, limits).Generator(model("m"))
	if r, err := g.Generate(t.Context(), eval.Request{Prompt: "p"}); err != nil || r.Text != long {
		t.Errorf("a reply of 1 MB: %d bytes, %v", len(r.Text), err)
	}
	f.Answer = func(string, string) string { return strings.Repeat(long, 3) }
	var failure *eval.Failure
	if _, err := g.Generate(t.Context(), eval.Request{Prompt: "p"}); !errors.As(err, &failure) || failure.Kind != eval.FailTooLong {
		t.Errorf("a reply of 3 MB with a bound of 2 MB: %v", err)
	}
}
