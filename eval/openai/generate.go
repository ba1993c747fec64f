package openai

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/ssestream"

	"github.com/disteval/disteval/eval"
)

// Generator is one model of a server. It is an eval.Generator.
type Generator struct {
	client *client
	model  eval.Model
}

// Load asks for one token, for which a server that has not loaded the model
// loads it: the API has no call for that.
func (g *Generator) Load(ctx context.Context) error {
	return g.Warmup(ctx, eval.Request{Prompt: "Hello"})
}

// Warmup asks for one token.
func (g *Generator) Warmup(ctx context.Context, r eval.Request) error {
	q := g.question(r)
	q.maxTokens = 1
	_, err := g.ask(ctx, q, g.client.limits.LoadSilence)
	return err
}

// Generate asks for one completion. Its error is a *eval.Failure or ctx's.
func (g *Generator) Generate(ctx context.Context, r eval.Request) (eval.Reply, error) {
	q := g.question(r)
	q.numbered = r.Logprobs > 0 && g.model.Capabilities.TokenIDs
	return g.ask(ctx, q, g.client.limits.Silence)
}

// Unload does nothing: the API cannot.
func (g *Generator) Unload(context.Context) error { return nil }

// question is one request in full.
type question struct {
	api            eval.API
	model          string
	system, prompt string
	ids            []int // in place of prompt; nil: that
	maxTokens      int
	temperature    float64
	seed           int
	topP           *float64
	stop           []string
	logprobs       int // alternatives; 0: none
	echo           bool
	numbered       bool           // tokens are named by their numbers
	more           map[string]any // options that OpenAI's own API does not have
}

func (g *Generator) question(r eval.Request) question {
	o := g.model.Generation
	q := question{api: g.model.API, model: g.model.Model, system: r.System, prompt: r.Prompt, maxTokens: o.NumPredict,
		temperature: o.Temperature, seed: r.Seed, topP: o.TopP, stop: o.Stop, logprobs: r.Logprobs, more: extras(o)}
	if o.Think != nil {
		thinkBy(g.model.Capabilities.ThinkBy, *o.Think, q.more)
	}
	return q
}

// extras are the options that servers have beside OpenAI's: a penalty is
// repeat_penalty with llama.cpp and repetition_penalty with vLLM and SGLang. A
// server ignores what it does not know, which preflight finds out.
func extras(o eval.Generation) map[string]any {
	m := map[string]any{"repeat_penalty": o.RepeatPenalty, "repetition_penalty": o.RepeatPenalty}
	if o.TopK != nil {
		m["top_k"] = *o.TopK
	}
	return m
}

// The ways to tell a server whether to reason.
const (
	thinkByTemplate = "chat_template_kwargs" // vLLM, SGLang, llama.cpp
	thinkByEffort   = "reasoning_effort"     // Ollama
)

func thinkBy(way string, think bool, more map[string]any) {
	switch {
	case way == thinkByTemplate:
		more["chat_template_kwargs"] = map[string]bool{"enable_thinking": think}
	case way == thinkByEffort && think:
		more["reasoning_effort"] = "medium"
	case way == thinkByEffort:
		more["reasoning_effort"] = "none"
	}
}

// path and params put a question into the client library's words.
func (q question) params() (path string, params any) {
	usage := openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	if q.api == eval.APIChat {
		p := openai.ChatCompletionNewParams{Model: q.model, MaxTokens: openai.Int(int64(q.maxTokens)), Temperature: openai.Float(q.temperature),
			Seed: openai.Int(int64(q.seed)), StreamOptions: usage}
		if q.system != "" {
			p.Messages = append(p.Messages, openai.SystemMessage(q.system))
		}
		p.Messages = append(p.Messages, openai.UserMessage(q.prompt))
		if q.topP != nil {
			p.TopP = openai.Float(*q.topP)
		}
		if len(q.stop) > 0 {
			p.Stop = openai.ChatCompletionNewParamsStopUnion{OfStringArray: q.stop}
		}
		if q.logprobs > 0 {
			p.Logprobs, p.TopLogprobs = openai.Bool(true), openai.Int(int64(q.logprobs))
		}
		p.SetExtraFields(q.fields())
		return "chat/completions", p
	}
	p := openai.CompletionNewParams{Model: openai.CompletionNewParamsModel(q.model), Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String(q.prompt)},
		MaxTokens: openai.Int(int64(q.maxTokens)), Temperature: openai.Float(q.temperature), Seed: openai.Int(int64(q.seed)), StreamOptions: usage}
	if q.ids != nil {
		p.Prompt = openai.CompletionNewParamsPromptUnion{}
		for _, id := range q.ids {
			p.Prompt.OfArrayOfTokens = append(p.Prompt.OfArrayOfTokens, int64(id))
		}
	}
	if q.topP != nil {
		p.TopP = openai.Float(*q.topP)
	}
	if len(q.stop) > 0 {
		p.Stop = openai.CompletionNewParamsStopUnion{OfStringArray: q.stop}
	}
	if q.logprobs > 0 {
		p.Logprobs = openai.Int(int64(q.logprobs))
	}
	if q.echo {
		p.Echo = openai.Bool(true)
	}
	p.SetExtraFields(q.fields())
	return "completions", p
}

// fields are those that the client library's types do not have.
func (q question) fields() map[string]any {
	m := map[string]any{"stream": true}
	if q.numbered {
		m["return_tokens_as_token_ids"] = true
	}
	if q.ids != nil {
		m["return_token_ids"] = true // without it, newer versions of vLLM look for the prompt's text and fail
	}
	for name, v := range q.more {
		m[name] = v
	}
	return m
}

// ask sends one question and reads its answer to the end.
func (g *Generator) ask(ctx context.Context, q question, silence time.Duration) (eval.Reply, error) {
	answer := g.client.server.NewAnswer(ctx, silence)
	defer answer.Close()
	path, params := q.params()
	var resp *http.Response
	if err := g.client.sdk(g.client.server.Streaming()).Post(answer.Context(), path, params, &resp); err != nil {
		return eval.Reply{}, answer.Failed(err)
	}
	defer resp.Body.Close()
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/event-stream" {
		body, _ := io.ReadAll(io.LimitReader(answer.Count(resp.Body), 4<<10)) // the beginning tells what it is
		if err := answer.Context().Err(); err != nil {
			return eval.Reply{}, answer.Failed(err)
		}
		return eval.Reply{}, eval.Malformed("the answer is no stream of events but %s: %s", kind, eval.Excerpt(body))
	}
	resp.Body = answer.Count(resp.Body)
	s := stream{answer: answer, events: ssestream.NewDecoder(resp), asked: q, redact: g.client.server.Redact}
	err := s.collect()
	r := answer.Reply()
	r.DoneReason, r.Usage, r.Tokens = s.reason, s.usage, s.tokens
	if err != nil {
		return r, answer.Failed(err)
	}
	return r, nil
}

// stream is an answer as it comes.
type stream struct {
	answer *eval.Answer
	events ssestream.Decoder
	asked  question
	redact func(string) string

	reason string
	ended  bool // the server has said why
	usage  eval.Usage
	tokens []eval.Token
}

// chunk is one event of either API.
type chunk struct {
	Model   string          `json:"model"`
	Error   json.RawMessage `json:"error"`
	Choices []choice        `json:"choices"`
	Usage   *usage          `json:"usage"`
}

type usage struct {
	Prompt     *int `json:"prompt_tokens"`
	Completion *int `json:"completion_tokens"`
}

type choice struct {
	Index        int       `json:"index"`
	Text         string    `json:"text"`
	FinishReason *string   `json:"finish_reason"`
	Logprobs     *logprobs `json:"logprobs"`
	Delta        struct {
		Content          string `json:"content"`
		ReasoningContent string `json:"reasoning_content"` // llama.cpp, and vLLM up to 0.11
		Reasoning        string `json:"reasoning"`         // Ollama, vLLM
	} `json:"delta"`
}

// collect joins the pieces until the stream ends: by [DONE] or, with servers
// that do not send it, after a reason to end.
func (s *stream) collect() error {
	for s.events.Next() {
		data := s.events.Event().Data
		if len(data) == 0 {
			continue // a comment
		}
		if strings.HasPrefix(string(data), "[DONE]") {
			return s.check()
		}
		if err := s.take(data); err != nil {
			return err
		}
	}
	if err := s.events.Err(); err != nil {
		return err
	}
	if !s.ended {
		return io.EOF
	}
	return s.check()
}

func (s *stream) take(data []byte) error {
	var c chunk
	if err := json.Unmarshal(data, &c); err != nil {
		return eval.Malformed("the event is not OpenAI's JSON (%v): %s", err, eval.Excerpt(data))
	}
	if len(c.Error) > 0 && string(c.Error) != "null" {
		return &eval.Failure{Kind: eval.FailStatus, Message: "the server says: " + s.redact(eval.ErrorMessage(data))}
	}
	if c.Model != "" && !sameModel(c.Model, s.asked.model) {
		return eval.Malformed("the answer is by model %s, and %s was asked", eval.Excerpt([]byte(c.Model)), s.asked.model)
	}
	if c.Usage != nil {
		s.usage = eval.Usage{PromptTokens: c.Usage.Prompt, CompletionTokens: c.Usage.Completion}
	}
	if len(c.Choices) > 1 || len(c.Choices) == 1 && c.Choices[0].Index != 0 {
		return eval.Malformed("the answer has several choices, and one was asked for")
	}
	if len(c.Choices) == 0 {
		return s.answer.Add("", "")
	}
	return s.piece(c.Choices[0])
}

func (s *stream) piece(c choice) error {
	if c.Logprobs != nil {
		tokens, err := c.Logprobs.tokens(s.asked.echo && len(s.tokens) == 0, s.asked.logprobs)
		if err == nil && s.asked.numbered {
			err = numbered(tokens, c.Text)
		}
		if err != nil {
			return err
		}
		s.tokens = append(s.tokens, tokens...)
	}
	if c.FinishReason != nil && *c.FinishReason != "" {
		s.reason, s.ended = *c.FinishReason, true
	}
	return s.answer.Add(c.Text+c.Delta.Content, c.Delta.Reasoning+c.Delta.ReasoningContent)
}

// check refuses an end that is none of an answer, and counts that cannot be.
func (s *stream) check() error {
	switch s.reason {
	case "content_filter":
		return &eval.Failure{Kind: eval.FailStatus, Message: "the server's content filter ended the answer"}
	case "tool_calls", "function_call":
		return &eval.Failure{Kind: eval.FailStatus, Message: "the model called a tool instead of answering, and none was offered"}
	}
	if err := s.usage.Check(); err != nil {
		return eval.Malformed("%v", err)
	}
	// Nothing has a prompt of no tokens: such a server does not count.
	if s.usage.PromptTokens != nil && *s.usage.PromptTokens == 0 {
		s.usage = eval.Usage{}
	}
	return nil
}

// Verify asks what the server is and whether it still has the model: there is
// no digest to compare.
func (g *Generator) Verify(ctx context.Context) error {
	found, err := g.client.models(ctx)
	if err != nil {
		return eval.CallFailure(err)
	}
	if !found.has(g.model.Model) {
		return &eval.ReplacedError{Model: g.model.Model, Was: g.model.ProviderVersion}
	}
	if is := g.client.identify(ctx, found); is.version != g.model.ProviderVersion {
		return &eval.ReplacedError{Model: g.model.Model, Was: g.model.ProviderVersion, Now: is.version}
	}
	return nil
}
