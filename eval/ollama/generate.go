package ollama

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ollama/ollama/api"

	"github.com/disteval/disteval/eval"
)

// streamFactor is how many bytes of stream a byte of the longest reply may
// take, with its escapes and the JSON around each piece. It ends a stream of
// pieces that say nothing.
const streamFactor = 8

// keepAlive keeps a model loaded between questions and their retries.
const keepAlive = 30 * time.Minute

// Generator is one model of a server. It is an eval.Generator.
type Generator struct {
	client  *Client
	model   eval.Model
	options map[string]any

	mute atomic.Bool // the server gives no log-probabilities

	mu           sync.Mutex
	vocabulary   *vocabulary
	noVocabulary error // why there is none
}

// Generator returns model m, which Resolve has described.
func (c *Client) Generator(m eval.Model) *Generator {
	return &Generator{client: c, model: m, options: options(m.Generation)}
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
	_, err := g.stream(ctx, g.request("", g.options, keepAlive), g.client.limits.LoadSilence)
	return err
}

// Warmup asks for one token.
func (g *Generator) Warmup(ctx context.Context, r eval.Request) error {
	o := g.optionsOf(r)
	o["num_predict"] = 1
	_, err := g.stream(ctx, g.request(r.Prompt, o, keepAlive), g.client.limits.LoadSilence)
	return err
}

// Generate asks for one completion. Its error is a *eval.Failure or ctx's.
func (g *Generator) Generate(ctx context.Context, r eval.Request) (eval.Reply, error) {
	ask := g.request(r.Prompt, g.optionsOf(r), keepAlive)
	ask.Logprobs, ask.TopLogprobs = r.Logprobs > 0, min(r.Logprobs, mostAlternatives)
	reply, err := g.stream(ctx, ask, g.client.limits.Silence)
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

// optionsOf is the model's options with those of one request.
func (g *Generator) optionsOf(r eval.Request) map[string]any {
	o := maps.Clone(g.options)
	o["seed"] = r.Seed
	return o
}

// Unload makes the server free the model's memory.
func (g *Generator) Unload(ctx context.Context) error {
	_, err := g.stream(ctx, g.request("", nil, 0), g.client.limits.Silence)
	return err
}

func (g *Generator) request(prompt string, options map[string]any, keep time.Duration) api.GenerateRequest {
	no := false // a prompt that does not fit is refused, a full context ends the reply: neither is cut in silence
	return api.GenerateRequest{Model: g.model.Model, Prompt: prompt, Raw: g.model.Generation.Raw,
		KeepAlive: &api.Duration{Duration: keep}, Options: options, Truncate: &no, Shift: &no}
}

// stream sends one request and reads its answer to the end.
func (g *Generator) stream(ctx context.Context, ask api.GenerateRequest, silence time.Duration) (eval.Reply, error) {
	payload, err := json.Marshal(ask)
	if err != nil {
		return eval.Reply{}, fmt.Errorf("encode request for %s: %w", g.model.Name, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(silence, func() { cancel(errSilence) })
	defer watch.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.client.base.JoinPath("/api/generate").String(), bytes.NewReader(payload))
	if err != nil {
		return eval.Reply{}, fmt.Errorf("make request for %s: %w", g.model.Name, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := g.client.http.Do(req)
	if err != nil {
		return eval.Reply{}, transportFailure(ctx, err, silence)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return eval.Reply{}, statusFailure(resp)
	}
	body := &boundedBody{ReadCloser: resp.Body, most: streamFactor * g.client.limits.ReplyBytes}
	lines := lineReader{r: bufio.NewReaderSize(body, 16<<10), max: g.client.limits.LineBytes}
	return g.collect(ctx, &lines, watch, silence)
}

// collect joins the pieces of an answer until the one that says done.
func (g *Generator) collect(ctx context.Context, lines *lineReader, watch *time.Timer, silence time.Duration) (eval.Reply, error) {
	var text strings.Builder
	var tokens []eval.Token
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			return partial(&text), truncated(text.Len())
		}
		if errors.Is(err, errLineTooLong) || errors.Is(err, errBodyTooLong) {
			return partial(&text), &eval.Failure{Kind: eval.FailTooLong, Message: err.Error()}
		}
		if err != nil {
			return partial(&text), transportFailure(ctx, err, silence)
		}
		watch.Reset(silence)
		piece, failure := decode(line)
		if failure != nil && lines.unfinished && line[0] == '{' {
			failure = truncated(text.Len())
		}
		if failure != nil {
			return partial(&text), failure
		}
		if text.Len()+len(piece.Response) > g.client.limits.ReplyBytes {
			return partial(&text), &eval.Failure{Kind: eval.FailTooLong,
				Message: fmt.Sprintf("the reply is longer than %d MB", g.client.limits.ReplyBytes>>20)}
		}
		text.WriteString(piece.Response)
		tokens = appendTokens(tokens, piece.Logprobs)
		if piece.Done {
			return eval.Reply{
				Text:       text.String(),
				DoneReason: piece.DoneReason,
				Tokens:     tokens,
				Usage:      eval.Usage{PromptTokens: piece.PromptTokens, CompletionTokens: piece.CompletionTokens},
				Timing:     eval.Timing{Load: piece.LoadDuration, PromptEval: piece.PromptEvalDuration, Eval: piece.EvalDuration},
			}, nil
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

func truncated(after int) *eval.Failure {
	return &eval.Failure{Kind: eval.FailTruncated, Retry: true,
		Message: fmt.Sprintf("the answer ended after %d bytes without done", after)}
}

// partial keeps what came of an answer that failed, for people to look at.
func partial(text *strings.Builder) eval.Reply { return eval.Reply{Text: text.String()} }

// piece is one line of the stream: a part of the answer or an error.
type piece struct {
	api.GenerateResponse
	Error string `json:"error"`

	// In place of the fields of GenerateResponse, in which an absent count is 0.
	PromptTokens     *int `json:"prompt_eval_count"`
	CompletionTokens *int `json:"eval_count"`
}

func decode(line []byte) (piece, *eval.Failure) {
	var p piece
	if err := json.Unmarshal(line, &p); err != nil {
		return p, &eval.Failure{Kind: eval.FailMalformed,
			Message: fmt.Sprintf("the answer is not Ollama's JSON (%v): %s", err, excerpt(line))}
	}
	if p.Error != "" {
		return p, &eval.Failure{Kind: eval.FailStatus, Message: "the server says: " + excerpt([]byte(p.Error))}
	}
	if err := (eval.Usage{PromptTokens: p.PromptTokens, CompletionTokens: p.CompletionTokens}).Check(); err != nil {
		return p, &eval.Failure{Kind: eval.FailMalformed, Message: err.Error()}
	}
	return p, nil
}

var errSilence = errors.New("silence")

// transportFailure classes what broke a connection. The run's own end is no
// failure and comes back as it is.
func transportFailure(ctx context.Context, err error, silence time.Duration) error {
	if errors.Is(context.Cause(ctx), errSilence) {
		return &eval.Failure{Kind: eval.FailTimeout, Retry: true, Message: fmt.Sprintf("no byte from the server for %s", silence)}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &eval.Failure{Kind: eval.FailRefused, Retry: true, Message: plain(err).Error()}
}

// statusFailure tells what the server refused and whether asking again helps.
func statusFailure(resp *http.Response) *eval.Failure {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var e struct {
		Error string `json:"error"`
	}
	message := excerpt(body)
	if json.Unmarshal(body, &e) == nil && e.Error != "" {
		message = excerpt([]byte(e.Error))
	}
	f := &eval.Failure{Kind: eval.FailStatus, Message: fmt.Sprintf("HTTP %d: %s", resp.StatusCode, message),
		Retry: resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		f.After = time.Duration(s) * time.Second
	}
	return f
}

// excerpt is the beginning of b on one line.
func excerpt(b []byte) string {
	const most = 200
	s := strings.Join(strings.Fields(strings.ToValidUTF8(string(b[:min(len(b), most)]), "\uFFFD")), " ")
	if len(b) > most {
		s += " …"
	}
	return s
}

var errLineTooLong = errors.New("the server sent a line without end")

// lineReader reads non-empty lines of at most max bytes.
type lineReader struct {
	r    *bufio.Reader
	max  int
	long []byte // reused for lines that do not fit r's buffer

	unfinished bool // whether the last line came without its newline
}

// next returns the next line, valid until the call after it. A last line
// without newline counts; then comes io.EOF.
func (l *lineReader) next() ([]byte, error) {
	for {
		line, err := l.r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			line, err = l.rest(line)
		}
		l.unfinished = err != nil
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		line = bytes.TrimSpace(line)
		if len(line) > 0 {
			return line, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (l *lineReader) rest(head []byte) ([]byte, error) {
	l.long = append(l.long[:0], head...)
	for {
		more, err := l.r.ReadSlice('\n')
		if len(l.long)+len(more) > l.max {
			return nil, fmt.Errorf("%w: over %d bytes", errLineTooLong, l.max)
		}
		l.long = append(l.long, more...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.long, err
		}
	}
}
