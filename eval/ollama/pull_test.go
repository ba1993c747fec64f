package ollama_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/evaltest"
	"github.com/disteval/disteval/eval/ollama"
	"github.com/disteval/disteval/eval/ollama/ollamatest"
)

func quiet(string, int64, int64) {}

// blobs writes files to a folder and hashes them.
func blobs(t *testing.T, files map[string][]byte) []eval.Blob {
	t.Helper()
	var all []eval.Blob
	for name, content := range files {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		all = append(all, eval.Blob{Name: name, Path: path, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])})
	}
	return all
}

// answering is a server that answers every call with text.
func answering(t *testing.T, text string) *ollama.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(text)) }))
	t.Cleanup(s.Close)
	return client(t, s.URL)
}

func TestPull(t *testing.T) {
	var told []int64
	c := answering(t, `{"status":"pulling manifest"}
{"status":"pulling 12ab","total":100,"completed":40}
{"status":"pulling 12ab","total":100,"completed":100}
{"status":"success"}
`)
	if err := c.Pull(t.Context(), "m", func(_ string, done, _ int64) { told = append(told, done) }); err != nil {
		t.Fatal(err)
	}
	if len(told) != 4 || told[1] != 40 || told[2] != 100 {
		t.Errorf("progress: %v", told)
	}
}

func TestPullFaults(t *testing.T) {
	for answer, want := range map[string]string{
		`{"status":"pulling manifest"}` + "\n" + `{"error":"pull model manifest: file does not exist"}`: "file does not exist",
		`{"status":"pulling manifest"}`: "unexpected EOF",
		"<html>":                        "<html>",
		"":                              "unexpected EOF",
	} {
		err := answering(t, answer).Pull(t.Context(), "m", quiet)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "pull model m at http://") {
			t.Errorf("%q gives %v, want %q", answer, err, want)
		}
	}
}

func TestFind(t *testing.T) {
	f := evaltest.NewOllama(t, "here:latest")
	c := client(t, f.URL)
	if digest, ok, err := c.Find(t.Context(), "Here"); err != nil || !ok || digest != f.Digest("here:latest") {
		t.Errorf("Find: %q, %t, %v", digest, ok, err)
	}
	if _, ok, err := c.Find(t.Context(), "gone"); err != nil || ok {
		t.Errorf("Find of a missing model: %t, %v", ok, err)
	}
}

// TestCreate stops an upload to a real Ollama, sees that no model came of it,
// goes on, and takes the positions from the file where none are stated.
func TestCreate(t *testing.T) {
	server := ollamatest.Start(t)
	c := client(t, server.URL)
	files := blobs(t, map[string][]byte{"model.gguf": gguf(t)})
	ctx, cancel := context.WithCancel(t.Context())
	if err := c.Create(ctx, eval.Creation{Model: "m", Files: files}, func(string, int64, int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupt came back as %v", err)
	}
	if _, ok, err := c.Find(t.Context(), "m"); err != nil || ok {
		t.Errorf("after the interrupt: there %t, %v", ok, err)
	}
	sent := int64(0)
	tell := func(step string, done, _ int64) {
		if step == "upload model.gguf" {
			sent = done
		}
	}
	if err := c.Create(t.Context(), eval.Creation{Model: "m", Files: files}, tell); err != nil || sent != files[0].Size {
		t.Fatalf("%v after %d bytes", err, sent)
	}
	sent = 0
	if err := c.Create(t.Context(), eval.Creation{Model: "stated", Files: files, NumCtx: 64}, tell); err != nil || sent != 0 {
		t.Fatalf("%v; %d bytes sent that the server has", err, sent)
	}
	if err := c.Copy(t.Context(), "m", "copied"); err != nil {
		t.Error(err)
	}
	for name, numCtx := range map[string]string{"m": "128", "copied": "128", "stated": "64"} {
		if template, parameters := shown(t, server.URL, name); template != "{{ .Prompt }}" || strings.Join(strings.Fields(parameters), " ") != "num_ctx "+numCtx {
			t.Errorf("%s has template %q and parameters %q, want num_ctx %s", name, template, parameters, numCtx)
		}
	}
}

// TestCreateHalf removes a model whose context length could not be stated:
// the next pull would take it for there.
func TestCreateHalf(t *testing.T) {
	creations, deleted := 0, ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "POST /api/create":
			if creations++; creations > 1 {
				http.Error(w, `{"error":"no space left on device"}`, http.StatusInternalServerError)
				return
			}
			w.Write([]byte(`{"status":"success"}`))
		case "POST /api/show":
			w.Write([]byte(`{"model_info":{"general.architecture":"llama","llama.context_length":128}}`))
		case "DELETE /api/delete":
			body, _ := io.ReadAll(r.Body)
			deleted = string(body)
		}
	}))
	defer s.Close()
	err := client(t, s.URL).Create(t.Context(), eval.Creation{Model: "m", Files: blobs(t, map[string][]byte{"model.gguf": []byte("GGUF")})}, quiet)
	if err == nil || !strings.Contains(err.Error(), "no space left") || !strings.Contains(deleted, `"m"`) {
		t.Errorf("%v; deleted: %q", err, deleted)
	}
}

// TestCreateKills says that a server has died of the files it was given.
func TestCreateKills(t *testing.T) {
	var dead atomic.Bool // the client comes again on another connection
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/create" {
			dead.Store(true)
		}
		if dead.Load() {
			panic(http.ErrAbortHandler)
		}
	}))
	defer s.Close()
	err := client(t, s.URL).Create(t.Context(), eval.Creation{Model: "m", Files: blobs(t, map[string][]byte{"model.gguf": []byte("GGUF")})}, quiet)
	var death *ollama.DeathError
	if !errors.As(err, &death) || !strings.Contains(err.Error(), "died of it") || !strings.Contains(death.Hint(), "start it again") {
		t.Errorf("got %v", err)
	}
}

func gguf(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(ollamatest.WriteModel(t, ollamatest.Tiny))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// shown asks the server itself how a model is set up.
func shown(t *testing.T, url, name string) (template, parameters string) {
	t.Helper()
	resp, err := http.Post(url+"/api/show", "application/json", strings.NewReader(`{"model":"`+name+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var show struct{ Template, Parameters string }
	if err := json.NewDecoder(resp.Body).Decode(&show); err != nil {
		t.Fatal(err)
	}
	return show.Template, show.Parameters
}

// TestCreateRefused passes on what the server says of a damaged file.
func TestCreateRefused(t *testing.T) {
	server := ollamatest.Start(t)
	c := client(t, server.URL)
	whole := gguf(t)
	for name, content := range map[string][]byte{"cut": whole[:len(whole)/20], "other": []byte("GGUF but nothing more")} {
		err := c.Create(t.Context(), eval.Creation{Model: name, Files: blobs(t, map[string][]byte{"model.gguf": content})}, quiet)
		var refused *ollama.CreateError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v, want a CreateError", name, err)
		}
		if _, ok, err := c.Find(t.Context(), name); err != nil || ok {
			t.Errorf("%s became a model: %t, %v", name, ok, err)
		}
	}
}
