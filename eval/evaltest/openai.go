package evaltest

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Kind is a server that speaks OpenAI's API in its own way.
type Kind string

const (
	// VLLM is vLLM 0.11, by its documentation: extra options are top_k and
	// repetition_penalty, echo gives the prompt's log-probabilities, more than
	// 20 alternatives are an error, the token itself stands beside them where it
	// is none of them, tokens can be named and sent by number, /detokenize reads
	// them, /version tells the version.
	VLLM Kind = "vllm"
	// LlamaCPP is llama.cpp's server of 2025-10 (b6700), by its documentation:
	// repeat_penalty, log-probabilities with as many alternatives as asked for,
	// no echo, and /props with build and model path.
	LlamaCPP Kind = "llamacpp"
	// Bare takes nothing but prompt and length, and says nothing of itself.
	Bare Kind = "bare"
)

// OpenAI is a fake server. Its fields are changed before the first request.
type OpenAI struct {
	URL    string // of the server; the API is below /v1
	Kind   Kind
	Models []string
	Answer func(prompt string, seed int) string // default: some words about the prompt
	Thinks string                               // reasoning before a chat's answer, unless told not to; empty: none
	Key    string                               // that every call must have; empty: none
	Reason string                               // finish_reason; "null" is none; default: stop
	Shape  Shape
	Skew   map[string]float64 // by model: nats that are taken from its log-probabilities
	Shift  int                // of the numbers of its tokens: another vocabulary

	questions
	server *httptest.Server
	bodies []map[string]any
	words  map[int]string // by number
}

// Shape is how the stream of an answer looks.
type Shape struct {
	NoDone   bool // ends without [DONE]
	CRLF     bool
	Comments bool // between the events
	NoUsage  bool
	Choices  bool // two of them
	Template bool // tokens around every prompt
}

// NewOpenAI starts a fake server that ends with the test.
func NewOpenAI(t testing.TB, kind Kind, models ...string) *OpenAI {
	t.Helper()
	o := &OpenAI{Kind: kind, Models: models,
		Answer: func(prompt string, seed int) string {
			return fmt.Sprintf(" %d is the answer to %s", seed, prompt)
		}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", o.list)
	mux.HandleFunc("POST /v1/completions", func(w http.ResponseWriter, r *http.Request) { o.complete(w, r, false) })
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) { o.complete(w, r, true) })
	mux.HandleFunc("POST /v1/embeddings", o.embeddings)
	switch kind {
	case VLLM:
		mux.HandleFunc("POST /tokenize", func(w http.ResponseWriter, r *http.Request) {
			var text struct{ Prompt string }
			_ = json.NewDecoder(r.Body).Decode(&text) // an empty text is counted too
			writeJSON(w, map[string]any{"count": len(pieces(text.Prompt)), "max_model_len": 256})
		})
		mux.HandleFunc("POST /detokenize", func(w http.ResponseWriter, r *http.Request) {
			var list struct{ Tokens []int }
			_ = json.NewDecoder(r.Body).Decode(&list) // no tokens are read too
			writeJSON(w, map[string]string{"prompt": o.read(list.Tokens)})
		})
		mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, map[string]string{"version": "0.11.0"}) })
	case LlamaCPP:
		mux.HandleFunc("POST /tokenize", func(w http.ResponseWriter, r *http.Request) {
			var text struct{ Content string }
			_ = json.NewDecoder(r.Body).Decode(&text) // as above
			writeJSON(w, map[string]any{"tokens": make([]int, len(pieces(text.Content)))})
		})
		mux.HandleFunc("GET /props", func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, map[string]any{"build_info": "b6700-c08002a1", "model_path": "/models/m.gguf", "default_generation_settings": map[string]any{"n_ctx": 512}})
		})
	}
	o.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.Key != "" && r.Header.Get("Authorization") != "Bearer "+o.Key {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error":{"message":"Incorrect API key provided: %s","type":"invalid_request_error"}}`, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			return
		}
		mux.ServeHTTP(w, r)
	}))
	o.URL = o.server.URL
	t.Cleanup(func() {
		o.server.CloseClientConnections()
		o.server.Close()
	})
	return o
}

// Bodies lists every question as it came, in order.
func (o *OpenAI) Bodies() []map[string]any {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]map[string]any(nil), o.bodies...)
}

func (o *OpenAI) list(w http.ResponseWriter, _ *http.Request) {
	data := []map[string]any{}
	for _, m := range o.Models {
		entry := map[string]any{"id": m, "object": "model", "owned_by": string(o.Kind)}
		if o.Kind == VLLM {
			entry["max_model_len"] = 256
		}
		data = append(data, entry)
	}
	w.Header().Set("Server", "fake")
	writeJSON(w, map[string]any{"object": "list", "data": data})
}

// asked is a question in either form.
type asked struct {
	Model    string `json:"model"`
	Prompt   text   `json:"prompt"`
	Messages []struct {
		Content string `json:"content"`
	} `json:"messages"`
	MaxTokens         int             `json:"max_tokens"`
	Temperature       float64         `json:"temperature"`
	Seed              int             `json:"seed"`
	Stop              []string        `json:"stop"`
	Logprobs          json.RawMessage `json:"logprobs"`
	TopLogprobs       int             `json:"top_logprobs"`
	Echo              bool            `json:"echo"`
	Numbered          bool            `json:"return_tokens_as_token_ids"`
	TopK              int             `json:"top_k"`
	RepeatPenalty     float64         `json:"repeat_penalty"`
	RepetitionPenalty float64         `json:"repetition_penalty"`
	ChatTemplateArgs  struct {
		EnableThinking *bool `json:"enable_thinking"`
	} `json:"chat_template_kwargs"`

	chat bool
}

// text is a prompt as text or as numbers of tokens.
type text struct {
	text    string
	numbers []int
}

func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, &t.numbers)
	}
	return json.Unmarshal(b, &t.text)
}

// depth is how many alternatives are asked for.
func (a asked) depth() int {
	if a.chat {
		return a.TopLogprobs
	}
	var n int
	_ = json.Unmarshal(a.Logprobs, &n) // absent: 0
	return n
}

func (o *OpenAI) complete(w http.ResponseWriter, r *http.Request, chat bool) {
	body, err := io.ReadAll(r.Body)
	var a asked
	var whole map[string]any
	if err != nil || json.Unmarshal(body, &a) != nil || json.Unmarshal(body, &whole) != nil {
		http.Error(w, `{"error":{"message":"bad request"}}`, http.StatusBadRequest)
		return
	}
	if a.chat = chat; chat && len(a.Messages) > 0 {
		a.Prompt.text = a.Messages[len(a.Messages)-1].Content
	}
	if a.Prompt.numbers != nil {
		a.Prompt.text = o.read(a.Prompt.numbers)
	}
	o.mu.Lock()
	o.bodies = append(o.bodies, whole)
	o.mu.Unlock()
	if o.Kind == VLLM && a.depth() > 20 {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"object":"error","message":"Requested sample logprobs is greater than max allowed: 20","type":"BadRequestError","code":400}`)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	e := events{question: a, shape: o.Shape, reason: o.Reason}
	if fault := o.ask(a.Prompt.text); fault != NoFault {
		if fault == HTML {
			w.Header().Del("Content-Type")
		}
		misbehave(w, r, fault, e)
		return
	}
	o.answer(w, a, e)
}

// answer says some words, each a token, as the options and the kind have it.
func (o *OpenAI) answer(w http.ResponseWriter, a asked, e events) {
	seed := a.Seed
	if a.Temperature == 0 || a.TopK == 1 && o.Kind != Bare || o.Kind == Bare {
		seed = 0
	}
	if o.Kind == Bare && a.Temperature > 0 {
		seed = o.Asked() // draws anew every time
	}
	words := pieces(o.Answer(a.Prompt.text, seed))
	penalty := a.RepeatPenalty
	if o.Kind == VLLM {
		penalty = a.RepetitionPenalty
	}
	if o.Kind != Bare && penalty > 1 {
		words[0] = " punished"
	}
	thinks := o.Thinks != "" && a.chat && (a.ChatTemplateArgs.EnableThinking == nil || *a.ChatTemplateArgs.EnableThinking)
	if thinks {
		fmt.Fprint(w, e.event(map[string]any{"delta": map[string]string{"reasoning_content": o.Thinks}}, nil))
	}
	if a.MaxTokens > 0 && len(words) > a.MaxTokens {
		words = words[:a.MaxTokens]
	}
	if o.Kind == VLLM && a.Echo {
		words = append(pieces(a.Prompt.text), words...)
	}
	said := 0
	for i, word := range words {
		if o.Kind != Bare && len(a.Stop) > 0 && strings.Contains(word, a.Stop[0]) {
			break
		}
		said++
		fmt.Fprint(w, e.token(word, o.logprobs(a, word, i == 0 && a.Echo)))
	}
	fmt.Fprint(w, e.end(said))
}

// pieces cuts a text before every space.
func pieces(text string) []string {
	var out []string
	for rest := text; rest != ""; {
		n := 1 + strings.IndexByte(rest[1:]+" ", ' ')
		out, rest = append(out, rest[:n]), rest[n:]
	}
	return out
}

// logprobOf is what the fake gives a word, wherever it stands.
func logprobOf(word string) float64 {
	h := fnv.New32a()
	_, _ = io.WriteString(h, word) // a hash never fails to take bytes
	return -float64(h.Sum32()%1000)/1000 - 0.1
}

// logprobs are made of the word; nil where none are asked for or given.
func (o *OpenAI) logprobs(a asked, word string, first bool) any {
	n := a.depth()
	if n == 0 || o.Kind == Bare {
		return nil
	}
	p := logprobOf(word)
	if a.chat {
		top := []map[string]any{}
		for i := range n {
			top = append(top, map[string]any{"token": fmt.Sprint(word, i), "logprob": p - 4*float64(i)}) // together below 1
		}
		return map[string]any{"content": []map[string]any{{"token": word, "logprob": p, "top_logprobs": top}}}
	}
	name := func(word string) string { return word }
	if a.Numbered && o.Kind == VLLM {
		name = func(word string) string { return fmt.Sprint("token_id:", o.number(word)) }
	}
	if first {
		return map[string]any{"tokens": []string{name(word)}, "token_logprobs": []any{nil}, "top_logprobs": []any{nil}}
	}
	p -= o.Skew[a.Model]
	top := map[string]float64{name(word): p}
	for i := 1; i < n; i++ {
		top[name(fmt.Sprint(word, i))] = p - 3 - float64(i)
	}
	return map[string]any{"tokens": []string{name(word)}, "token_logprobs": []float64{p}, "top_logprobs": []any{top}}
}

// number is a word's in the vocabulary.
func (o *OpenAI) number(word string) int {
	h := fnv.New32a()
	_, _ = io.WriteString(h, word) // as above
	n := int(h.Sum32()>>1) + o.Shift
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.words == nil {
		o.words = make(map[int]string)
	}
	o.words[n] = word
	return n
}

// read is the text of tokens; numbers of another vocabulary read as others.
func (o *OpenAI) read(numbers []int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var b strings.Builder
	for _, n := range numbers {
		word, ok := o.words[n]
		if !ok {
			word = " ?"
		}
		b.WriteString(word)
	}
	return b.String()
}

func (o *OpenAI) embeddings(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Input []string `json:"input"`
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, `{"error":{"message":"bad request"}}`, http.StatusBadRequest)
		return
	}
	data := []any{}
	for i := range req.Input {
		at := len(req.Input) - 1 - i // in no order
		data = append(data, map[string]any{"index": at, "embedding": []any{float64(len(req.Input[at])), 1, nil}})
	}
	writeJSON(w, map[string]any{"data": data})
}
