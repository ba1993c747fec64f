package ollama

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ollama/ollama/api"

	"github.com/disteval/disteval/eval"
)

// keepAlive keeps a model loaded between questions and their retries.
const keepAlive = 30 * time.Minute

// Generator is one model of a server. It is an eval.Generator.
type Generator struct {
	client  *Client
	model   eval.Model
	address string // of the call that asks it
	options map[string]any
	fixed   []byte // the options as JSON, without the seed and the brace before them

	mute atomic.Bool // the server gives no log-probabilities

	mu           sync.Mutex
	vocabulary   *vocabulary
	noVocabulary error // why there is none
}

// Generator returns model m, which Resolve has described.
func (c *Client) Generator(m eval.Model) *Generator {
	call := "/api/generate"
	if m.API == eval.APIChat {
		call = "/api/chat"
	}
	o := options(m.Generation)
	fixed := maps.Clone(o)
	delete(fixed, "seed")
	return &Generator{client: c, model: m, address: c.base.JoinPath(call).String(), options: o, fixed: encoded(fixed)[1:]}
}

// encoded writes options as JSON. They are numbers, words and lists of words.
func encoded(options map[string]any) json.RawMessage {
	b, err := json.Marshal(options)
	if err != nil {
		panic(err) // a plan with a number that JSON cannot hold is refused
	}
	return b
}

// options holds every option by Ollama's name. Ollama ignores all of these
// outside its options object.
func options(g eval.Generation) map[string]any {
	o := map[string]any{
		"temperature":    g.Temperature,
		"repeat_penalty": g.RepeatPenalty,
		"seed":           g.Seed,
		"num_predict":    g.NumPredict,
		"num_ctx":        g.NumCtx,
	}
	if g.TopK != nil {
		o["top_k"] = *g.TopK
	}
	if g.TopP != nil {
		o["top_p"] = *g.TopP
	}
	if g.NumThread != nil {
		o["num_thread"] = *g.NumThread
	}
	if len(g.Stop) > 0 {
		o["stop"] = g.Stop
	}
	return o
}

// Load makes the server load the model with the options of the questions;
// other options would make it load again.
func (g *Generator) Load(ctx context.Context) error {
	_, err := g.stream(ctx, g.request(eval.Request{}, encoded(g.options), keepAlive), g.client.limits.LoadSilence)
	return err
}

// Warmup asks for one token.
func (g *Generator) Warmup(ctx context.Context, r eval.Request) error {
	o := maps.Clone(g.options)
	o["seed"], o["num_predict"] = r.Seed, 1
	_, err := g.stream(ctx, g.request(r, encoded(o), keepAlive), g.client.limits.LoadSilence)
	return err
}

// Generate asks for one completion. Its error is a *eval.Failure or ctx's.
func (g *Generator) Generate(ctx context.Context, r eval.Request) (eval.Reply, error) {
	reply, err := g.stream(ctx, g.request(r, g.optionsOf(r), keepAlive), g.client.limits.Silence)
	if err == nil && len(reply.Tokens) > 0 {
		g.nameTokens(ctx, reply.Tokens)
	}
	return reply, err
}

// nameTokens sets the IDs of generated tokens, as far as the vocabulary tells
// them.
func (g *Generator) nameTokens(ctx context.Context, tokens []eval.Token) {
	v, err := g.words(ctx)
	if err != nil {
		return // they keep -1
	}
	for i := range tokens {
		tokens[i].ID = v.id(tokens[i].Text)
		v.name(tokens[i].Top)
	}
}

// optionsOf is the model's options with the seed of one request.
func (g *Generator) optionsOf(r eval.Request) json.RawMessage {
	b := strconv.AppendInt([]byte(`{"seed":`), int64(r.Seed), 10)
	return append(append(b, ','), g.fixed...)
}

// generateRequest is the library's with options that are encoded once: each
// question changes only the seed in them.
type generateRequest struct {
	api.GenerateRequest
	Options json.RawMessage `json:"options"`
}

type chatRequest struct {
	api.ChatRequest
	Options json.RawMessage `json:"options"`
}

// Unload makes the server free the model's memory.
func (g *Generator) Unload(ctx context.Context) error {
	_, err := g.stream(ctx, g.request(eval.Request{}, nil, 0), g.client.limits.Silence)
	return err
}

// Verify asks for the model's digest again.
func (g *Generator) Verify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, detailTimeout)
	defer cancel()
	list, err := g.client.api.List(ctx)
	if err != nil {
		return eval.CallFailure(err)
	}
	replaced := &eval.ReplacedError{Model: g.model.Model, Was: g.model.Digest}
	for _, m := range list.Models {
		if fullName(m.Name) == fullName(g.model.Model) {
			replaced.Now = m.Digest
		}
	}
	if replaced.Now == replaced.Was {
		return nil
	}
	return replaced
}

// request asks r in the words of the call at g's address; one without a prompt
// only loads or, with nothing to keep, unloads.
func (g *Generator) request(r eval.Request, options json.RawMessage, keep time.Duration) (body any) {
	no := false // a prompt that does not fit is refused, a full context ends the reply: neither is cut in silence
	var think *api.ThinkValue
	if t := g.model.Generation.Think; t != nil {
		think = &api.ThinkValue{Value: *t}
	}
	if g.model.API == eval.APIChat {
		chat := chatRequest{api.ChatRequest{Model: g.model.Model, KeepAlive: &api.Duration{Duration: keep}, Truncate: &no, Shift: &no, Think: think}, options}
		if r.System != "" {
			chat.Messages = append(chat.Messages, api.Message{Role: "system", Content: r.System})
		}
		if r.Prompt != "" {
			chat.Messages = append(chat.Messages, api.Message{Role: "user", Content: r.Prompt})
		}
		return chat
	}
	return generateRequest{api.GenerateRequest{Model: g.model.Model, Prompt: r.Prompt, System: r.System, Raw: g.model.Generation.Raw,
		KeepAlive: &api.Duration{Duration: keep}, Truncate: &no, Shift: &no, Think: think,
		Logprobs: r.Logprobs > 0, TopLogprobs: min(r.Logprobs, mostAlternatives)}, options}
}

// stream sends one request and reads its answer to the end.
func (g *Generator) stream(ctx context.Context, body any, silence time.Duration) (eval.Reply, error) {
	payload, err := json.Marshal(body)
	if err != nil {
		return eval.Reply{}, fmt.Errorf("encode request for %s: %w", g.model.Name, err)
	}
	answer := g.client.server.NewAnswer(ctx, silence)
	defer answer.Close()
	req, err := http.NewRequestWithContext(answer.Context(), http.MethodPost, g.address, bytes.NewReader(payload))
	if err != nil {
		return eval.Reply{}, fmt.Errorf("make request for %s: %w", g.model.Name, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := g.client.server.Streaming().Do(req)
	if err != nil {
		return eval.Reply{}, answer.Failed(err)
	}
	defer resp.Body.Close()
	lines := readLines(answer.Count(resp.Body), g.client.limits.LineBytes)
	defer lines.close()
	last, tokens, err := g.collect(answer, lines)
	r := answer.Reply()
	if err != nil {
		return r, answer.Failed(err)
	}
	answer.Drain(lines.r)
	r.DoneReason, r.Tokens = last.DoneReason, tokens
	r.Usage = eval.Usage{PromptTokens: last.PromptTokens, CompletionTokens: last.CompletionTokens}
	r.Timing = eval.Timing{Load: last.LoadDuration, PromptEval: last.PromptEvalDuration, Eval: last.EvalDuration}
	return r, nil
}

// collect joins the pieces of an answer until the one that says done, and
// returns that, with what the pieces say of their tokens.
func (g *Generator) collect(answer *eval.Answer, lines *lineReader) (last piece, tokens []eval.Token, err error) {
	for {
		line, err := lines.next()
		if err != nil {
			return piece{}, nil, err
		}
		if text, ok := plainPiece(line); ok {
			if err := answer.Add(string(text), ""); err != nil {
				return piece{}, nil, err
			}
			continue
		}
		p, err := decode(line)
		if err != nil && lines.unfinished && line[0] == '{' {
			return p, nil, answer.Truncated()
		}
		if err != nil {
			return p, nil, err
		}
		if err := answer.Add(p.Response+p.Message.Content, p.Thinking+p.Message.Thinking); err != nil {
			return p, nil, err
		}
		tokens = appendTokens(tokens, p.Logprobs)
		if p.Done {
			return p, tokens, g.check(p)
		}
	}
}

// appendTokens takes over what a piece says of its tokens. Their IDs are not
// part of it.
func appendTokens(to []eval.Token, said []api.Logprob) []eval.Token {
	for _, l := range said {
		t := eval.Token{ID: ambiguous, Text: l.Token, Logprob: l.Logprob}
		for _, a := range l.TopLogprobs {
			t.Top = append(t.Top, eval.Alternative{ID: ambiguous, Text: a.Token, Logprob: a.Logprob})
		}
		to = append(to, t)
	}
	return to
}

// check refuses an end that cannot be this model's.
func (g *Generator) check(last piece) error {
	if last.Model != "" && fullName(last.Model) != fullName(g.model.Model) {
		return eval.Malformed("the answer is by model %s, and %s was asked", eval.Excerpt([]byte(last.Model)), g.model.Model)
	}
	if err := (eval.Usage{PromptTokens: last.PromptTokens, CompletionTokens: last.CompletionTokens}).Check(); err != nil {
		return eval.Malformed("%v", err)
	}
	return nil
}
