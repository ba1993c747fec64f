package builtin

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"
)

// ollamaServer is a real Ollama with a store of its own.
type ollamaServer struct {
	t   *testing.T
	url string
}

// startOllama starts the binary that DISTEVAL_TEST_OLLAMA names.
func startOllama(t *testing.T) *ollamaServer {
	t.Helper()
	binary := os.Getenv("DISTEVAL_TEST_OLLAMA")
	if binary == "" {
		if os.Getenv("DISTEVAL_NO_SKIP") == "1" {
			t.Fatal("DISTEVAL_TEST_OLLAMA names no Ollama binary, and DISTEVAL_NO_SKIP forbids to skip")
		}
		t.Skip("DISTEVAL_TEST_OLLAMA names no Ollama binary to compare with")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	home := t.TempDir()
	log := new(bytes.Buffer)
	cmd := exec.Command(binary, "serve")
	cmd.Env = append(os.Environ(), "HOME="+home, "OLLAMA_HOST="+addr, "OLLAMA_MODELS="+home+"/models", "OLLAMA_NUM_PARALLEL=1")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		if t.Failed() {
			t.Logf("Ollama's log:\n%s", log)
		}
	})
	s := &ollamaServer{t, "http://" + addr}
	for range 100 {
		if res, err := http.Get(s.url + "/api/version"); err == nil {
			res.Body.Close()
			return s
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("Ollama does not answer after 10 s")
	return nil
}

func (s *ollamaServer) post(path string, body io.Reader, out any) {
	s.t.Helper()
	res, err := http.Post(s.url+path, "application/json", body)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		s.t.Fatalf("POST %s: %s %s %v", path, res.Status, raw, err)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			s.t.Fatalf("POST %s: %v", path, err)
		}
	}
}

func (s *ollamaServer) postJSON(path string, body, out any) {
	s.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	s.post(path, bytes.NewReader(raw), out)
}

// create makes an embedded model known to Ollama.
func (s *ollamaServer) create(name string) *LLM {
	s.t.Helper()
	raw, err := embedded.ReadFile("models/" + name + ".gguf")
	if err != nil {
		s.t.Fatal(err)
	}
	l := open(s.t, name)
	digest := l.Info().Digest
	s.post("/api/blobs/"+digest, bytes.NewReader(raw), nil)
	s.postJSON("/api/create", map[string]any{
		"model": name, "files": map[string]string{name + ".gguf": digest},
		"template": "{{ .Prompt }}", "parameters": map[string]any{"num_ctx": 128}, "stream": false,
	}, nil)
	return l
}

type ollamaReply struct {
	Response        string `json:"response"`
	DoneReason      string `json:"done_reason"`
	PromptEvalCount int    `json:"prompt_eval_count"`
	EvalCount       int    `json:"eval_count"`
}

func (s *ollamaServer) generate(name, prompt string, o Options) ollamaReply {
	s.t.Helper()
	var out ollamaReply
	s.postJSON("/api/generate", map[string]any{
		"model": name, "prompt": prompt, "raw": true, "stream": false, "shift": false, "truncate": false,
		"options": map[string]any{"temperature": 0, "repeat_penalty": max(1, o.RepeatPenalty), "seed": 42, "num_predict": o.NumPredict, "num_ctx": o.NumCtx, "num_thread": 1, "stop": o.Stop},
	}, &out)
	return out
}

// TestRepliesAreOllamas compares every reply, its end and its token counts
// with a real Ollama that serves the same files.
func TestRepliesAreOllamas(t *testing.T) {
	s := startOllama(t)
	prompts := readPrompts(t)
	for _, name := range Names() {
		l, same := s.create(name), 0
		for _, p := range prompts {
			if s.compare(l, p, Options{NumPredict: 64, NumCtx: 128}) {
				same++
			}
		}
		if t.Logf("%s: %d of %d replies are identical", name, same, len(prompts)); same != len(prompts) {
			t.Errorf("%s: %d replies differ from Ollama's", name, len(prompts)-same)
		}
	}
}

// TestEndsAreOllamas compares what ends a reply: the context, num_predict, a
// stop text; and the repeat penalty.
func TestEndsAreOllamas(t *testing.T) {
	s := startOllama(t)
	l := s.create("mini-teacher")
	const prompt = "The capital of France is"
	for _, o := range []Options{
		{NumPredict: 64, NumCtx: 12},
		{NumPredict: 3, NumCtx: 128},
		{NumPredict: 64, NumCtx: 128, Stop: []string{"room was"}},
		{NumPredict: 64, NumCtx: 128, RepeatPenalty: 1.3},
	} {
		if !s.compare(l, prompt, o) {
			t.Errorf("%+v: differs from Ollama", o)
		}
	}
}

func (s *ollamaServer) compare(l *LLM, prompt string, o Options) bool {
	s.t.Helper()
	res, err := l.Generate(s.t.Context(), prompt, o, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	here := ollamaReply{res.Text, res.DoneReason, res.PromptTokens, res.CompletionTokens}
	there := s.generate(l.Name(), prompt, o)
	if here != there {
		s.t.Logf("%s %q\n here   %+v\n Ollama %+v", l.Name(), prompt, here, there)
	}
	return here == there
}
