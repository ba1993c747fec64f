// Package evaltest holds what tests of asking need: a fake Ollama that can
// misbehave.
//
// Policy: the fake speaks the protocol as observed of a real server and counts
// what it is asked; whatever it does wrong, a test has told it to.
package evaltest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Fault is a way to answer wrongly.
type Fault string

const (
	NoFault    Fault = ""
	NoDone     Fault = "no done"     // the stream ends early, in good order
	HalfLine   Fault = "half a line" // the stream ends inside a line
	Reset      Fault = "reset"       // the connection breaks
	Hang       Fault = "hang"        // nothing comes
	HTML       Fault = "html"        // a page instead of JSON
	Endless    Fault = "endless"     // a line without end
	Status400  Fault = "400"
	Status404  Fault = "404"
	Status429  Fault = "429"
	Status500  Fault = "500"
	ErrorPiece Fault = "error piece" // an error in the middle of the stream
	Babble     Fault = "babble"      // pieces without text, without end
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

	server *httptest.Server
	asked  atomic.Int64

	mu       sync.Mutex
	fault    func(prompt string, n int) Fault
	byPrompt map[string]int
	options  []map[string]any // of every question, in order
}

// NewOllama starts a fake server that ends with the test.
func NewOllama(t testing.TB, models ...string) *Ollama {
	t.Helper()
	o := &Ollama{Models: models, Context: 2048, byPrompt: make(map[string]int),
		Answer: func(_, prompt string) string { return " the answer to " + prompt },
		fault:  func(string, int) Fault { return NoFault },
		Digest: func(model string) string { return fmt.Sprintf("%064x", model) },
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/version", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, map[string]string{"version": "0.17.4"}) })
	mux.HandleFunc("GET /api/tags", o.tags)
	mux.HandleFunc("GET /api/ps", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, map[string]any{"models": []any{}}) })
	mux.HandleFunc("POST /api/show", o.show)
	mux.HandleFunc("POST /api/generate", o.generate)
	mux.HandleFunc("POST /api/embed", o.embed)
	o.server = httptest.NewServer(mux)
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

// SetFault decides from now on how each question is answered wrongly; n counts
// the requests for a prompt from 1. fault is called by one goroutine at a time.
func (o *Ollama) SetFault(fault func(prompt string, n int) Fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fault = fault
}

// Asked is the number of questions that came, warm-ups and repeats included,
// loads and unloads not.
func (o *Ollama) Asked() int { return int(o.asked.Load()) }

// AskedFor is the number of questions that came with this prompt.
func (o *Ollama) AskedFor(prompt string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.byPrompt[prompt]
}

// Options lists the options of every question in order.
func (o *Ollama) Options() []map[string]any {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]map[string]any(nil), o.options...)
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
		"details": map[string]any{"parameter_size": "58.34M", "quantization_level": "F16"}})
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

type request struct {
	Model   string         `json:"model"`
	Prompt  string         `json:"prompt"`
	Options map[string]any `json:"options"`
}

func (o *Ollama) generate(w http.ResponseWriter, r *http.Request) {
	var req request
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, `{"error":"bad request"}`, http.StatusBadRequest)
		return
	}
	if req.Prompt == "" {
		writeJSON(w, map[string]any{"model": req.Model, "response": "", "done": true, "done_reason": "load"})
		return
	}
	o.asked.Add(1)
	o.mu.Lock()
	o.byPrompt[req.Prompt]++
	n := o.byPrompt[req.Prompt]
	o.options = append(o.options, req.Options)
	fault, answer, delay := o.fault(req.Prompt, n), o.Answer, o.Delay
	o.mu.Unlock()
	if delay > 0 {
		time.Sleep(delay)
	}
	if fault != NoFault {
		o.misbehave(w, r, fault)
		return
	}
	stream(w, req, answer(req.Model, req.Prompt))
}

func stream(w http.ResponseWriter, req request, text string) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	half := strings.ToValidUTF8(text[:len(text)/2], "")
	_ = enc.Encode(map[string]any{"model": req.Model, "response": half, "done": false})
	_ = enc.Encode(map[string]any{"model": req.Model, "response": text[len(half):], "done": false})
	_ = enc.Encode(map[string]any{"model": req.Model, "response": "", "done": true, "done_reason": "stop",
		"prompt_eval_count": len(strings.Fields(req.Prompt)), "eval_count": len(strings.Fields(text)),
		"load_duration": 1000, "prompt_eval_duration": 2000, "eval_duration": 3000})
}

func (o *Ollama) misbehave(w http.ResponseWriter, r *http.Request, fault Fault) {
	status := func(code int) {
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"error":"fake %d"}`, code)
	}
	piece := func() { fmt.Fprint(w, `{"response":"half an","done":false}`+"\n") }
	switch fault {
	case NoDone:
		piece()
	case HalfLine:
		piece()
		fmt.Fprint(w, `{"response":"an`)
	case Reset:
		piece()
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case Hang:
		<-r.Context().Done()
	case HTML:
		fmt.Fprint(w, "<html><body>502 Bad Gateway</body></html>")
	case Endless:
		chunk := []byte(strings.Repeat("a", 1<<16))
		fmt.Fprint(w, `{"response":"`)
		for range 1 << 14 { // a gigabyte
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	case Babble:
		pieces := []byte(strings.Repeat(`{"response":"","done":false}`+"\n", 1<<12))
		for {
			if _, err := w.Write(pieces); err != nil {
				return
			}
		}
	case ErrorPiece:
		piece()
		fmt.Fprint(w, `{"error":"fake: the runner has stopped"}`+"\n")
	case Status400:
		status(400)
	case Status404:
		status(404)
	case Status429:
		status(429)
	case Status500:
		status(500)
	}
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
