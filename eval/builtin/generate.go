package builtin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/disteval/disteval/eval"
)

// Options are the generation options, named as Ollama names them. The zero
// value is greedy decoding to the end of the model's context.
type Options struct {
	NumPredict    int      // tokens to generate at most; 0 or less: as many as the context holds
	NumCtx        int      // positions for prompt and reply; 0: the model's context length, which it may not exceed
	Temperature   float64  // 0: the most probable token, the first of equals; else >= 0
	RepeatPenalty float64  // of the last 64 tokens; 0 or 1: none
	Seed          int      // of the draws; without effect at temperature 0
	TopK          int      // draw from the so many most probable tokens; 0: from all
	TopP          float64  // draw from the fewest that hold this probability, before temperature; 0 or 1: from all
	Stop          []string // texts that end the reply and are no part of it
	Logprobs      int      // alternatives wanted with each token; 0: Result has no Tokens
	Tokens        int      // how many Result has, at most
}

// Result is a reply and its cost, counted as Ollama counts.
type Result struct {
	Text             string
	DoneReason       string        // stop: end-of-sequence token or a stop text; length: NumPredict or the context is used up
	PromptTokens     int           // the marker of the beginning included
	CompletionTokens int           // tokens chosen, the marker of the end included
	PromptEval       time.Duration // reading the prompt, up to the first logits
	Eval             time.Duration // the rest
	Tokens           []eval.Token  // the first ones chosen, the marker of the end left out; nil where Options asks for none

	predictions []*prediction // that each of Tokens was chosen from
}

const (
	doneStop   = "stop"
	doneLength = "length"
)

func (o Options) check(name string, context int) (Options, error) {
	if o.NumCtx == 0 {
		o.NumCtx = context
	}
	switch {
	case o.NumCtx < 1 || o.NumCtx > context:
		return o, fmt.Errorf("num_ctx %d: %s has %d positions; set num_ctx to 1 to %d", o.NumCtx, name, context, context)
	case !(o.Temperature >= 0 && o.Temperature <= 100):
		return o, fmt.Errorf("temperature %v: not a number from 0 to 100", o.Temperature)
	case !(o.RepeatPenalty >= 0 && o.RepeatPenalty <= 100):
		return o, fmt.Errorf("repeat_penalty %v: not a number from 0 to 100", o.RepeatPenalty)
	case !(o.TopP >= 0 && o.TopP <= 1):
		return o, fmt.Errorf("top_p %v: not a number from 0 to 1", o.TopP)
	case o.TopK < 0:
		return o, fmt.Errorf("top_k %d: below 0", o.TopK)
	}
	return o, nil
}

// Generate completes prompt, which goes to the model as it stands. Where emit
// is not nil it gets the reply piece by piece as it grows. The same prompt,
// options and file give the same result on every call and any number of
// threads; Generate may be called from several goroutines. When ctx ends, the
// error is ctx.Err() after at most one more token of the reply, or 64 of the
// prompt.
func (l *LLM) Generate(ctx context.Context, prompt string, o Options, emit func(piece string)) (Result, error) {
	m, err := l.load()
	if err != nil {
		return Result{}, err
	}
	if o, err = o.check(l.name, m.context); err != nil {
		return Result{}, fmt.Errorf("generate with %s: %w", l.name, err)
	}
	ids, err := m.encode(prompt, o.NumCtx)
	if err != nil {
		return Result{}, fmt.Errorf("generate with %s: %w", l.name, err)
	}
	g := generation{session: m.newSession(), sampler: newSampler(o, ids), limit: o.NumCtx, text: output{stop: o.Stop, emit: emit}}
	res, err := g.run(ctx, ids)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("generate with %s: %w", l.name, err)
	}
	return res, err
}

// generation is one reply in work.
type generation struct {
	*session
	sampler *sampler
	limit   int // positions
	text    output
}

func (g *generation) run(ctx context.Context, prompt []int32) (Result, error) {
	start := time.Now()
	if err := g.prefill(ctx, prompt, nil); err != nil {
		return Result{}, err
	}
	logits := g.predict()
	res := Result{PromptTokens: len(prompt), PromptEval: time.Since(start)}
	for {
		var natural *prediction
		if n := g.sampler.Logprobs; n > 0 && res.CompletionTokens < g.sampler.Tokens {
			if natural = newPrediction(slices.Clone(logits)); !natural.finite {
				return Result{}, errNotFinite
			}
		}
		id, err := g.sampler.next(logits)
		if err != nil {
			return Result{}, err
		}
		if natural != nil && !g.words.ends(id) {
			res.Tokens, res.predictions = append(res.Tokens, natural.token(g.words, id, g.sampler.Logprobs)), append(res.predictions, natural)
		}
		res.CompletionTokens++
		if res.DoneReason, err = g.take(id, res.CompletionTokens); err != nil {
			return Result{}, err
		}
		if res.DoneReason != "" {
			break
		}
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		g.step(id)
		logits = g.predict()
	}
	g.text.flush()
	res.Text = g.text.done.String()
	res.Eval = time.Since(start) - res.PromptEval
	return res, nil
}

// take adds the n-th chosen token to the text and says why the reply is done,
// or "" when it goes on. The last token needs no position of its own.
func (g *generation) take(id int32, n int) (reason string, err error) {
	if g.words.ends(id) {
		return doneStop, nil
	}
	piece, err := g.words.piece(id)
	if err != nil {
		return "", fmt.Errorf("decode token %d: %w", id, err)
	}
	if g.text.add(piece) {
		return doneStop, nil
	}
	if n == g.sampler.NumPredict || g.positions == g.limit {
		return doneLength, nil
	}
	return "", nil
}

// output collects the reply and passes it on in whole characters, holding
// back what may be the beginning of a stop text.
type output struct {
	stop    []string
	emit    func(string)
	done    strings.Builder
	pending string
}

// add appends a piece and tells whether a stop text has come; the stop text
// and what follows it are dropped.
func (o *output) add(piece string) (stopped bool) {
	o.pending += piece
	for _, s := range o.stop {
		if i := strings.Index(o.pending, s); s != "" && i >= 0 {
			o.pending = o.pending[:i]
			return true
		}
	}
	if !o.holdsBack() {
		o.flush()
	}
	return false
}

// holdsBack tells whether the pending text may be cut inside a stop text or a character.
func (o *output) holdsBack() bool {
	for _, s := range o.stop {
		for n := min(len(s), len(o.pending)); n > 0; n-- {
			if strings.HasSuffix(o.pending, s[:n]) {
				return true
			}
		}
	}
	for n := 1; n <= min(utf8.UTFMax, len(o.pending)); n++ {
		if tail := o.pending[len(o.pending)-n:]; utf8.RuneStart(tail[0]) {
			return !utf8.FullRuneInString(tail)
		}
	}
	return false
}

// flush passes the pending text on up to its first invalid byte, as Ollama does.
func (o *output) flush() {
	text := o.pending
	for i, r := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && size == 1 {
			text = text[:i]
			break
		}
	}
	o.pending = ""
	if text == "" {
		return
	}
	o.done.WriteString(text)
	if o.emit != nil {
		o.emit(text)
	}
}
