// Package ollamatest runs a real Ollama for a test, and makes models for it.
//
// Policy: what disteval does with an Ollama is tested on an Ollama, built from
// its published source, never on an imitation. The models have random weights:
// they answer nonsense, but load, answer, stop and fail as trained ones do.
package ollamatest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	readyWithin  = 30 * time.Second
	createWithin = 2 * time.Minute
)

// Server is a running Ollama with a model folder of its own, for one test.
type Server struct {
	Host string // 127.0.0.1:port, as OLLAMA_HOST takes it
	URL  string // http://Host

	log  string // the file of its messages
	proc *exec.Cmd
	done chan struct{} // closed when the process has ended
	stop sync.Once
}

// Start runs the ollama binary that DISTEVAL_TEST_OLLAMA names, on a free port
// of the loopback, and ends it with the test. Without that variable the test is
// skipped, or fails where DISTEVAL_NO_SKIP=1. A failed test prints the end of
// the server's messages.
func Start(t testing.TB) *Server {
	t.Helper()
	binary := os.Getenv("DISTEVAL_TEST_OLLAMA")
	if binary == "" {
		const reason = "needs a real Ollama: run `.ci/build-ollama DIR` and set DISTEVAL_TEST_OLLAMA=DIR/ollama"
		if os.Getenv("DISTEVAL_NO_SKIP") == "1" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	dir := t.TempDir()
	s := &Server{log: filepath.Join(dir, "ollama.log"), done: make(chan struct{})}
	messages, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Close()
	s.proc = exec.Command(binary, "serve")
	s.proc.Dir = dir
	s.proc.Env = environment(dir)
	s.proc.Stdout, s.proc.Stderr = messages, messages
	ownGroup(s.proc)
	if err := s.proc.Start(); err != nil {
		t.Fatalf("start %s: %v", binary, err)
	}
	go func() {
		_ = s.proc.Wait() // killed in the end, so always an error
		close(s.done)
	}()
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("the last messages of ollama:\n%s", s.tail(60))
		}
	})
	if err := s.awaitReady(); err != nil {
		t.Fatalf("start %s: %v", binary, err)
	}
	return s
}

// environment is this process's without Ollama's settings, and the test's own
// in their place. Port 0 lets the system choose a free one.
func environment(dir string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "OLLAMA_") && !strings.HasPrefix(v, "HOME=") {
			env = append(env, v)
		}
	}
	return append(env,
		"HOME="+dir,
		"OLLAMA_HOST=127.0.0.1:0",
		"OLLAMA_MODELS="+filepath.Join(dir, "models"),
		"OLLAMA_NUM_PARALLEL=1",
		"OLLAMA_NOPRUNE=1",
	)
}

var listening = regexp.MustCompile(`Listening on (127\.0\.0\.1:\d+)`)

func (s *Server) awaitReady() error {
	for deadline := time.Now().Add(readyWithin); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-s.done:
			return fmt.Errorf("it ended at once")
		default:
		}
		messages, err := os.ReadFile(s.log)
		if err != nil {
			return err
		}
		found := listening.FindSubmatch(messages)
		if found == nil {
			continue
		}
		s.Host = string(found[1])
		s.URL = "http://" + s.Host
		if resp, err := http.Get(s.URL + "/api/version"); err == nil {
			resp.Body.Close()
			return nil
		}
	}
	return fmt.Errorf("not ready within %s", readyWithin)
}

// Stop ends the server and its model runners at once, as a power cut would.
func (s *Server) Stop() {
	s.stop.Do(func() {
		killGroup(s.proc)
		<-s.done
	})
}

func (s *Server) tail(lines int) string {
	messages, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(messages)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Create makes the model name from a GGUF file, with the prompt as its whole
// template and params as its options, such as num_ctx.
func (s *Server) Create(t testing.TB, name, ggufPath string, params map[string]any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), createWithin)
	defer cancel()
	digest, err := s.upload(ctx, ggufPath)
	if err != nil {
		t.Fatalf("create model %s: %v", name, err)
	}
	request, err := json.Marshal(map[string]any{
		"model":      name,
		"files":      map[string]string{"model.gguf": digest},
		"template":   "{{ .Prompt }}",
		"parameters": params,
		"stream":     false,
	})
	if err != nil {
		t.Fatalf("create model %s: %v", name, err)
	}
	if err := s.post(ctx, "/api/create", bytes.NewReader(request)); err != nil {
		t.Fatalf("create model %s: %v", name, err)
	}
}

// CreateRandom makes the model name with random weights of that shape, and
// num_ctx set to the shape's context.
//
// num_batch is 1, so that a greedy reply does not hang on what was asked before:
// Ollama keeps the part of the last prompt that the next one shares, and reads
// the rest in one batch, whose sums come out differently by their last bits with
// the batch's length. Random weights make other words of that; one token at a
// time, there is nothing to differ. num_thread is 1, because several threads that
// wait for each other are many times slower as soon as another test wants a core.
func (s *Server) CreateRandom(t testing.TB, name string, shape Shape) {
	t.Helper()
	s.Create(t, name, WriteModel(t, shape), map[string]any{"num_ctx": shape.Context, "num_batch": 1, "num_thread": 1})
}

// upload hands a file to the server and returns the digest it goes by.
func (s *Server) upload(ctx context.Context, path string) (digest string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	digest = "sha256:" + hex.EncodeToString(h.Sum(nil))
	return digest, s.post(ctx, "/api/blobs/"+digest, f)
}

func (s *Server) post(ctx context.Context, path string, body io.Reader) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+path, body)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s: %s", path, response.Status, answer)
	}
	return nil
}
