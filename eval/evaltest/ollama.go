// Package evaltest holds what tests of asking need: fake servers that can
// misbehave, and what every client must make of it.
//
// Policy: a fake speaks its protocol as observed of a real server or as its
// documentation says, and counts what it is asked; whatever it does wrong, a
// test has told it to.
package evaltest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// Ollama is a fake server. Its fields are changed by Set, or before the first
// request of this process; faults come and go by SetFault.
type Ollama struct {
	URL     string
	Models  []string                          // names as in /api/tags
	Context int                               // context_length of every model; 0: not stated
	Answer  func(model, prompt string) string // default: a short text about the prompt
	Delay   time.Duration                     // before an answer
	Digest  func(model string) string         // default: made of the name
	Vector  func(text string) []float32       // of /api/embed
	Words   []string                          // models whose vocabulary /api/show tells when asked; it ignores logprobs all the same
	Version string
	Thinks  func(model, prompt string) string // reasoning before the answer; nil: none
	Embeds  []string                          // models that make vectors and do not answer
	Auth    string                            // the Authorization that every call must have; empty: none

	questions
	server *httptest.Server
	bodies []map[string]any // of every question, in order
}

// NewOllama starts a fake server that ends with the test.
func NewOllama(t testing.TB, models ...string) *Ollama {
	t.Helper()
	o := &Ollama{Models: models, Context: 2048, Version: "0.17.4",
		Answer: func(_, prompt string) string { return " the answer to " + prompt },
		Digest: func(model string) string { return fmt.Sprintf("%064x", model) },
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/version", func(w http.ResponseWriter, _ *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		writeJSON(w, map[string]string{"version": o.Version})
	})
	mux.HandleFunc("GET /api/tags", o.tags)
	mux.HandleFunc("GET /api/ps", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, map[string]any{"models": []any{}}) })
	mux.HandleFunc("POST /api/show", o.show)
	mux.HandleFunc("POST /api/generate", o.generate)
	mux.HandleFunc("POST /api/chat", o.generate)
	mux.HandleFunc("POST /api/embed", o.embed)
	o.server = httptest.NewServer(o.guarded(mux))
	o.URL = o.server.URL
	t.Cleanup(o.Stop)
	return o
}

// Stop ends the server as a crash would: open connections break.
func (o *Ollama) Stop() {
	o.server.CloseClientConnections()
	o.server.Close()
}

// Set changes the fields while no request reads them.
func (o *Ollama) Set(change func(*Ollama)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o)
}

// guarded refuses, as a proxy does, who has no credentials.
func (o *Ollama) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.Auth != "" && r.Header.Get("Authorization") != o.Auth {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, "<html><body>401 Authorization Required</body></html>\n<!-- nginx -->")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Options lists the options of every question in order.
func (o *Ollama) Options() []map[string]any {
	var list []map[string]any
	for _, b := range o.Bodies() {
		options, _ := b["options"].(map[string]any)
		list = append(list, options)
	}
	return list
}

// Bodies lists every question as it came, in order.
func (o *Ollama) Bodies() []map[string]any {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]map[string]any(nil), o.bodies...)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v)
}

func (o *Ollama) tags(w http.ResponseWriter, _ *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	type model struct {
		Name    string         `json:"name"`
		Model   string         `json:"model"`
		Digest  string         `json:"digest"`
		Size    int64          `json:"size"`
		Details map[string]any `json:"details"`
	}
	models := []model{}
	for _, name := range o.Models {
		models = append(models, model{Name: name, Model: name, Digest: o.Digest(name), Size: 1 << 20})
	}
	writeJSON(w, map[string]any{"models": models})
}

func (o *Ollama) show(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Model   string
		Verbose bool
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, `{"error":"bad request"}`, http.StatusBadRequest)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	info := map[string]any{"general.architecture": "llama"}
	if o.Context > 0 {
		info["llama.context_length"] = o.Context
	}
	if req.Verbose && slices.Contains(o.Words, req.Model) {
		maps.Copy(info, vocabulary())
	}
	writeJSON(w, map[string]any{"template": "{{ .Prompt }}", "model_info": info,
		"capabilities": o.capabilities(req.Model), "details": map[string]any{"parameter_size": "58.34M", "quantization_level": "F16"}})
}

func (o *Ollama) capabilities(model string) []string {
	if slices.Contains(o.Embeds, model) {
		return []string{"embedding"}
	}
	if o.Thinks != nil {
		return []string{"completion", "thinking"}
	}
	return []string{"completion"}
}

// vocabulary is the smallest that cuts any text: one token a byte, and the space.
func vocabulary() map[string]any {
	tokens, types := []string{"<unk>", "<s>", "</s>", "▁"}, []int{2, 3, 3, 1}
	for b := range 256 {
		tokens, types = append(tokens, fmt.Sprintf("<0x%02X>", b)), append(types, 6)
	}
	return map[string]any{"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types,
		"tokenizer.ggml.scores": make([]float64, len(tokens))}
}

// request is a question in either of Ollama's forms.
type request struct {
	Model    string `json:"model"`
	Prompt   string `json:"prompt"`
	Messages []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"messages"`
	Options map[string]any `json:"options"`
	Think   *bool          `json:"think"`

	chat bool
}

func (o *Ollama) generate(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	req := request{chat: r.URL.Path == "/api/chat"}
	var whole map[string]any
	if err != nil || json.Unmarshal(body, &req) != nil || json.Unmarshal(body, &whole) != nil || req.Model == "" {
		w.WriteHeader(http.StatusBadRequest)
		writeJSON(w, map[string]string{"error": "model is required"})
		return
	}
	if n := len(req.Messages); n > 0 {
		req.Prompt = req.Messages[n-1].Content
	}
	if req.Prompt == "" {
		writeJSON(w, map[string]any{"model": req.Model, "response": "", "done": true, "done_reason": "load"})
		return
	}
	fault := o.ask(req.Prompt)
	o.mu.Lock()
	o.bodies = append(o.bodies, whole)
	answer, thinks, delay := o.Answer, o.Thinks, o.Delay
	o.mu.Unlock()
	time.Sleep(delay)
	if fault != NoFault {
		misbehave(w, r, fault, req)
		return
	}
	thought := ""
	if thinks != nil && (req.Think == nil || *req.Think) {
		thought = thinks(req.Model, req.Prompt)
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	text := answer(req.Model, req.Prompt)
	half := strings.ToValidUTF8(text[:len(text)/2], "")
	if thought != "" {
		fmt.Fprint(w, req.line("", thought, nil))
	}
	fmt.Fprint(w, req.piece(half), req.piece(text[len(half):]), req.end(len(strings.Fields(text))))
}

// line is one line of a stream.
func (r request) line(text, thought string, more map[string]any) string {
	l := map[string]any{"model": r.Model, "done": false}
	if r.chat {
		l["message"] = map[string]string{"role": "assistant", "content": text, "thinking": thought}
	} else {
		l["response"], l["thinking"] = text, thought
	}
	maps.Copy(l, more)
	b, _ := json.Marshal(l)
	return string(b) + "\n"
}

func (r request) piece(text string) string { return r.line(text, "", nil) }

func (r request) failure(message string) string {
	b, _ := json.Marshal(map[string]string{"error": message})
	return string(b) + "\n"
}

func (r request) end(tokens int) string {
	return r.line("", "", map[string]any{"done": true, "done_reason": "stop",
		"prompt_eval_count": len(strings.Fields(r.Prompt)), "eval_count": tokens,
		"load_duration": 1000, "prompt_eval_duration": 2000, "eval_duration": 3000})
}

func (r request) by(model string) protocol {
	r.Model = model
	return r
}

func (o *Ollama) embed(w http.ResponseWriter, r *http.Request) {
	var req struct{ Input []string }
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, `{"error":"bad request"}`, http.StatusBadRequest)
		return
	}
	vectors := [][]float32{}
	for _, text := range req.Input {
		vectors = append(vectors, o.Vector(text))
	}
	writeJSON(w, map[string]any{"embeddings": vectors})
}
