package openai_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/evaltest"
	"github.com/disteval/disteval/eval/openai"
)

func model(f *evaltest.OpenAI, change func(*eval.Model)) eval.Model {
	m := eval.Model{Name: "M", Provider: eval.ProviderOpenAI, Model: "m", Host: f.URL, Generation: eval.DefaultGeneration()}
	if change != nil {
		change(&m)
	}
	return m
}

func chat(m *eval.Model) { m.Generation.Raw = false }

func resolve(t *testing.T, m eval.Model) (eval.Model, error) {
	t.Helper()
	got, err := openai.NewProvider(evaltest.HostileLimits).Resolve(t.Context(), []eval.Model{m})
	if err != nil {
		return m, err
	}
	return got[0], (eval.Plan{Models: got}).Check()
}

func opened(t *testing.T, m eval.Model) eval.Generator {
	t.Helper()
	g, err := openai.NewProvider(evaltest.HostileLimits).Open(m)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAddress(t *testing.T) {
	for host, want := range map[string]string{
		"127.0.0.1:8000":               "http://127.0.0.1:8000/v1",
		"http://127.0.0.1:8000/v1/":    "http://127.0.0.1:8000/v1",
		"http://127.0.0.1:8000/v1":     "http://127.0.0.1:8000/v1",
		"https://box/llm":              "https://box:443/llm/v1",
		"https://box/openai/v3/":       "https://box:443/openai/v3",
		"[::1]:8000":                   "http://[::1]:8000/v1",
		"http://alice:s3cret@box:1/v1": "http://alice:s3cret@box:1/v1",
		" http://box:8080 ":            "http://box:8080/v1",
	} {
		if got, err := openai.Address(host); err != nil || got.String() != want {
			t.Errorf("Address(%q) = %v, %v; want %s", host, got, err, want)
		}
	}
	for _, bad := range []string{"ftp://box", "box:0", "u:s3cret@box:port"} {
		if got, err := openai.Address(bad); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Address(%q) = %v, %v", bad, got, err)
		}
	}
}

// TestFound: what each kind of server can do is found by trying it.
func TestFound(t *testing.T) {
	sampled := func(m *eval.Model) {
		m.Generation.Temperature, m.Generation.Stop = 0.8, []string{"\n"}
		m.Generation.RepeatPenalty, m.Generation.TopK = 1.2, new(int)
		*m.Generation.TopK = 40
	}
	for _, tt := range []struct {
		kind    evaltest.Kind
		change  func(*eval.Model)
		want    eval.Capabilities
		version string
		context int
	}{
		{evaltest.VLLM, sampled, eval.Capabilities{Raw: true, Seed: true, Stop: true, MaxTokens: true, Usage: true, Logprobs: 20, Continuations: true, TokenIDs: true}, "vllm 0.11.0", 256},
		{evaltest.LlamaCPP, sampled, eval.Capabilities{Raw: true, Seed: true, Stop: true, MaxTokens: true, Usage: true, Logprobs: 20}, "llama.cpp b6700-c08002a1, /models/m.gguf", 512},
		{evaltest.VLLM, chat, eval.Capabilities{Chat: true, MaxTokens: true, Usage: true, Logprobs: 20}, "vllm 0.11.0", 256},
		{evaltest.Bare, nil, eval.Capabilities{Raw: true, MaxTokens: true, Usage: true}, "server fake, models of bare", 0},
	} {
		f := evaltest.NewOpenAI(t, tt.kind, "m")
		got, err := resolve(t, model(f, tt.change))
		if err != nil {
			t.Errorf("%s: %v", tt.kind, err)
			continue
		}
		has, want := got.Capabilities, tt.want
		if a, b := asJSON(t, has), asJSON(t, want); a != b {
			t.Errorf("%s: found %s\nwant %s", tt.kind, a, b)
		}
		if got.ProviderVersion != tt.version || got.ContextLength != tt.context || got.Digest != "" || !strings.Contains(got.Notice, "no digest") {
			t.Errorf("%s: %+v", tt.kind, got)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRefused: what a plan needs and a server ignores is named before the run.
func TestRefused(t *testing.T) {
	k := 40
	for want, change := range map[string]func(*eval.Model){
		"a seed":             func(m *eval.Model) { m.Generation.Temperature = 1 },
		"generation.stop":    func(m *eval.Model) { m.Generation.Stop = []string{"\n"} },
		"repeat_penalty 1.3": func(m *eval.Model) { m.Generation.RepeatPenalty = 1.3 },
		"top_k 40":           func(m *eval.Model) { m.Generation.Temperature, m.Generation.TopK = 1, &k },
		"num_thread 40":      func(m *eval.Model) { m.Generation.NumThread = &k },
	} {
		f := evaltest.NewOpenAI(t, evaltest.Bare, "m")
		_, err := resolve(t, model(f, change))
		var lacks *eval.CapabilityError
		if !errors.As(err, &lacks) || !strings.Contains(err.Error(), want) || lacks.Hint() == "" {
			t.Errorf("%s: %v", want, err)
		}
	}
	f := evaltest.NewOpenAI(t, evaltest.VLLM, "m")
	f.Shape.Template = true
	if _, err := resolve(t, model(f, nil)); err == nil || !strings.Contains(err.Error(), "raw completion") {
		t.Errorf("a template around a raw prompt: %v", err)
	}
	if _, err := resolve(t, model(f, func(m *eval.Model) { m.Model = "gone" })); err == nil || !strings.Contains(err.Error(), "it has m") {
		t.Errorf("a missing model: %v", err)
	}
	var few *eval.ContextError
	if _, err := resolve(t, model(f, func(m *eval.Model) { m.Generation.NumCtx = 4096 })); !errors.As(err, &few) {
		t.Errorf("too few positions: %v", err)
	}
}

// TestKey: the key goes to its server alone, and stands in nothing that is kept
// or said; what the client library's variables say has no effect.
func TestKey(t *testing.T) {
	for name, value := range map[string]string{"OPENAI_API_KEY": "other", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_ORG_ID": "org"} {
		t.Setenv(name, value)
	}
	f := evaltest.NewOpenAI(t, evaltest.VLLM, "m")
	f.Key = "sk-s3cret"
	named := func(m *eval.Model) { m.APIKeyEnv = "STUDENT_KEY" }
	if _, err := resolve(t, model(f, named)); err == nil || !strings.Contains(err.Error(), "STUDENT_KEY, which is not set") {
		t.Errorf("key not set: %v", err)
	}
	t.Setenv("STUDENT_KEY", "sk-s3cret")
	got, err := resolve(t, model(f, named))
	if err != nil || strings.Contains(asJSON(t, got), "s3cret") {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := opened(t, got).Generate(t.Context(), eval.Request{Prompt: "p"}); err != nil {
		t.Error(err)
	}
	t.Setenv("STUDENT_KEY", "sk-wrong")
	_, err = resolve(t, model(f, named))
	var server *openai.ServerError
	if !errors.As(err, &server) || !strings.Contains(err.Error(), "HTTP 401") || strings.Contains(err.Error(), "sk-wrong") || !strings.Contains(server.Hint(), "api_key_env") {
		t.Errorf("a wrong key: %v", err)
	}
}

func TestKeyIsNotRedirected(t *testing.T) {
	came := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came++ }))
	defer other.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer s.Close()
	t.Setenv("STUDENT_KEY", "sk-s3cret")
	m := eval.Model{Name: "M", Model: "m", Host: s.URL, APIKeyEnv: "STUDENT_KEY", API: eval.APICompletions}
	if _, err := resolve(t, m); err == nil || !strings.Contains(err.Error(), "redirects to "+other.URL) {
		t.Errorf("Resolve = %v", err)
	}
	if _, err := opened(t, m).Generate(t.Context(), eval.Request{Prompt: "p"}); err == nil || came > 0 {
		t.Errorf("Generate = %v; %d requests went to the other host", err, came)
	}
}

func TestHostileServer(t *testing.T) {
	for _, api := range []eval.API{eval.APICompletions, eval.APIChat} {
		f := evaltest.NewOpenAI(t, evaltest.VLLM, "m")
		t.Run(string(api), func(t *testing.T) {
			t.Parallel()
			evaltest.Hostile(t, f, opened(t, model(f, func(m *eval.Model) { m.API = api })))
		})
	}
}

func TestStreams(t *testing.T) {
	const answer = " 0 is the answer to p"
	for name, tt := range map[string]struct {
		shape  evaltest.Shape
		reason string
		failed eval.FailureKind // empty: an answer
		done   string
	}{
		"plain":          {done: "stop"},
		"without [DONE]": {shape: evaltest.Shape{NoDone: true}, done: "stop"},
		"CRLF, comments": {shape: evaltest.Shape{CRLF: true, Comments: true}, done: "stop"},
		"no usage":       {shape: evaltest.Shape{NoUsage: true}, done: "stop"},
		"several":        {shape: evaltest.Shape{Choices: true}, failed: eval.FailMalformed},
		"length":         {reason: "length", done: "length"},
		"null":           {reason: "null"},
		"null, no end":   {reason: "null", shape: evaltest.Shape{NoDone: true}, failed: eval.FailTruncated},
		"filter":         {reason: "content_filter", failed: eval.FailStatus},
		"tool":           {reason: "tool_calls", failed: eval.FailStatus},
	} {
		for _, api := range []eval.API{eval.APICompletions, eval.APIChat} {
			f := evaltest.NewOpenAI(t, evaltest.VLLM, "m")
			f.Shape, f.Reason = tt.shape, tt.reason
			r, err := opened(t, model(f, func(m *eval.Model) { m.API = api })).Generate(t.Context(), eval.Request{Prompt: "p", Seed: 3})
			var failure *eval.Failure
			switch {
			case tt.failed != "":
				if !errors.As(err, &failure) || failure.Kind != tt.failed {
					t.Errorf("%s, %s: %v, want %s", name, api, err, tt.failed)
				}
			case err != nil || r.Text != answer || r.DoneReason != tt.done:
				t.Errorf("%s, %s: %+v, %v", name, api, r, err)
			case (r.Usage.PromptTokens == nil) != tt.shape.NoUsage:
				t.Errorf("%s, %s: usage %+v", name, api, r.Usage)
			}
		}
	}
}

// TestAsked: the options go by the names that servers know, and a chat has its
// system message.
func TestAsked(t *testing.T) {
	no := false
	f := evaltest.NewOpenAI(t, evaltest.VLLM, "m")
	f.Thinks = "Let me see."
	m, err := resolve(t, model(f, func(m *eval.Model) {
		m.Generation.Raw, m.Generation.Think = false, &no
	}))
	if err != nil || m.Capabilities.ThinkBy != "chat_template_kwargs" {
		t.Fatalf("%+v, %v", m.Capabilities, err)
	}
	r, err := opened(t, m).Generate(t.Context(), eval.Request{Prompt: "p", System: "Be brief.", Seed: 7, Logprobs: 3})
	if err != nil || r.Reasoning != "" || len(r.Tokens) != 6 || len(r.Tokens[0].Top) != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	bodies := f.Bodies()
	last := asJSON(t, bodies[len(bodies)-1])
	for _, want := range []string{`"seed":7`, `"max_tokens":64`, `"temperature":0`, `"repeat_penalty":1`, `"repetition_penalty":1`, `"enable_thinking":false`, `{"content":"Be brief.","role":"system"}`, `"top_logprobs":3`} {
		if !strings.Contains(last, want) {
			t.Errorf("asked %s, without %s", last, want)
		}
	}
	m.Generation.Think = nil
	if r, err := opened(t, m).Generate(t.Context(), eval.Request{Prompt: "p"}); err != nil || r.Reasoning != "Let me see." {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestVerify: another build, model path or list is another model.
func TestVerify(t *testing.T) {
	f := evaltest.NewOpenAI(t, evaltest.LlamaCPP, "m")
	m, err := resolve(t, model(f, nil))
	if err != nil {
		t.Fatal(err)
	}
	verify := func(m eval.Model) error { return opened(t, m).(eval.Verifier).Verify(t.Context()) }
	if err := verify(m); err != nil {
		t.Error(err)
	}
	m.ProviderVersion = "llama.cpp b6700-c08002a1, /models/other.gguf"
	var replaced *eval.ReplacedError
	if err := verify(m); !errors.As(err, &replaced) {
		t.Errorf("another path: %v", err)
	}
	m.Model = "gone"
	if err := verify(m); !errors.As(err, &replaced) {
		t.Errorf("no model: %v", err)
	}
}

func TestEmbed(t *testing.T) {
	f := evaltest.NewOpenAI(t, evaltest.VLLM, "m")
	e, err := openai.NewProvider(evaltest.HostileLimits).Embedder(t.Context(), eval.Scoring{Embedding: "m", Host: f.URL})
	if err != nil {
		t.Fatal(err)
	}
	v, err := e.Embed(t.Context(), []string{"a", "bb"})
	if err != nil || len(v) != 2 || v[0][0] != 1 || v[1][0] != 2 || !math.IsNaN(float64(v[0][2])) {
		t.Errorf("%v, %v", v, err)
	}
}

func TestCountTokens(t *testing.T) {
	for kind, want := range map[evaltest.Kind]int{evaltest.VLLM: 3, evaltest.LlamaCPP: 3, evaltest.Bare: 0} {
		f := evaltest.NewOpenAI(t, kind, "m")
		n, err := opened(t, model(f, nil)).(eval.TokenCounter).CountTokens(t.Context(), "one two three")
		if n != want || (err != nil) != (want == 0) {
			t.Errorf("%s: %d, %v", kind, n, err)
		}
	}
}
