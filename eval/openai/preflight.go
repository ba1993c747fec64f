package openai

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/disteval/disteval/eval"
)

// MissingModelError means that a server has no model of that name.
type MissingModelError struct {
	Address string
	Model   eval.Model
	Have    []string
}

func (e *MissingModelError) Error() string {
	have := "it has no models"
	if len(e.Have) > 0 {
		have = "it has " + strings.Join(e.Have, ", ")
	}
	return fmt.Sprintf("the server at %s has no model %s; %s", e.Address, e.Model.Model, have)
}

// Hint is where its name is set.
func (e *MissingModelError) Hint() string {
	return "write model: as the server lists it, or start the server with that model"
}

// Resolve asks each server what it is and whether it has the models, and tries
// what they can do with some tiny questions each.
func (p *Provider) Resolve(ctx context.Context, models []eval.Model) ([]eval.Model, error) {
	out := make([]eval.Model, len(models))
	for i, m := range models {
		c, err := p.client(m.Host, m.APIKeyEnv)
		if err == nil {
			out[i], err = c.resolve(ctx, m)
		}
		if err != nil {
			return nil, fmt.Errorf("check model %s: %w", m.Name, err)
		}
	}
	return out, nil
}

func (c *client) resolve(ctx context.Context, m eval.Model) (eval.Model, error) {
	list, err := c.models(ctx)
	if err != nil {
		return m, err
	}
	if !list.has(m.Model) {
		missing := &MissingModelError{Address: c.server.URL.String(), Model: m}
		for _, d := range list.Data {
			missing.Have = append(missing.Have, d.ID)
		}
		return m, missing
	}
	is := c.identify(ctx, list)
	m.Host, m.ProviderVersion = c.server.URL.String(), is.version
	if m.API == "" {
		m.API = eval.APICompletions
		if !m.Generation.Raw {
			m.API = eval.APIChat
		}
	}
	m.ContextLength = is.numCtx
	for _, d := range list.Data {
		if sameModel(d.ID, m.Model) && d.MaxModelLen > 0 {
			m.ContextLength = d.MaxModelLen
		}
	}
	m.Notice = m.Name + ": its server states no digest, so which weights answered is not proved, and a gate that is bound to a digest cannot tell"
	t := &trial{client: c, model: &m, is: is}
	if err := t.run(ctx); err != nil {
		return m, err
	}
	if m.ContextLength > 0 && m.Generation.NumCtx > m.ContextLength {
		return m, &eval.ContextError{Model: m, Has: m.ContextLength}
	}
	return m, nil
}

// trial finds out what a server does with a model, by asking.
type trial struct {
	client *client
	model  *eval.Model
	is     identity
	plain  eval.Reply // to the question without any option
}

// trialPrompt goes on for a while with most models.
const (
	trialPrompt = "One, two, three, four, five,"
	trialTokens = 8
)

func (t *trial) run(ctx context.Context) error {
	has := &t.model.Capabilities
	*has = eval.Capabilities{}
	if err := t.tryThink(ctx); err != nil {
		return err
	}
	var err error
	if t.plain, err = t.ask(ctx, t.question()); err != nil {
		return t.client.serverError(string(t.model.API)+" by model "+t.model.Model, err)
	}
	has.Chat = t.model.API == eval.APIChat
	has.Usage = t.plain.Usage.PromptTokens != nil && t.plain.Usage.CompletionTokens != nil
	has.MaxTokens = !has.Usage || *t.plain.Usage.CompletionTokens <= trialTokens
	if t.model.API == eval.APICompletions {
		if err := t.tryRaw(ctx); err != nil {
			return err
		}
	}
	for _, try := range []func(context.Context) error{t.trySeed, t.tryStop, t.tryLogprobs, t.tryEcho, t.tryPenalty, t.tryTopK, t.askOllama} {
		if err := try(ctx); err != nil {
			return err
		}
	}
	if n := t.model.Generation.NumThread; n != nil {
		t.ignores("num_thread "+strconv.Itoa(*n), "set the threads where the server is started, and leave generation.num_thread out")
	}
	return nil
}

// question is the tiny one, greedy and without the plan's options.
func (t *trial) question() question {
	g := Generator{client: t.client, model: *t.model}
	q := g.question(eval.Request{Prompt: trialPrompt})
	q.maxTokens, q.temperature, q.topP, q.stop = trialTokens, 0, nil, nil
	return q
}

// ask asks; a refusal of what is tried is no error of the trial.
func (t *trial) ask(ctx context.Context, q question) (eval.Reply, error) {
	g := Generator{client: t.client, model: *t.model}
	return g.ask(ctx, q, t.client.limits.LoadSilence)
}

// refused reports whether an error is the server's no to an option. Anything
// else ends the preflight.
func refused(err error) bool {
	var f *eval.Failure
	return errors.As(err, &f) && f.Kind != eval.FailRefused && f.Kind != eval.FailTimeout
}

// try asks q and reports whether the server answered it.
func (t *trial) try(ctx context.Context, what string, q question) (r eval.Reply, ok bool, err error) {
	r, err = t.ask(ctx, q)
	if err == nil || refused(err) && ctx.Err() == nil {
		return r, err == nil, nil
	}
	return r, false, t.client.serverError(what, err)
}

func (t *trial) ignores(option, cure string) {
	has := &t.model.Capabilities
	has.Ignores = append(has.Ignores, eval.Ignored{Option: option, Cure: cure})
}

// tryRaw looks for a template around a prompt: that of one letter then counts
// more tokens than a marker and the letter.
func (t *trial) tryRaw(ctx context.Context) error {
	const most = 4
	q := t.question()
	q.prompt, q.maxTokens = "a", 1
	r, ok, err := t.try(ctx, "a completion of one letter", q)
	if err != nil {
		return err
	}
	n := r.Usage.PromptTokens
	t.model.Capabilities.Raw = ok && (n == nil || *n <= most)
	return nil
}

// trySeed asks twice with one seed.
func (t *trial) trySeed(ctx context.Context) error {
	if t.model.Generation.Temperature == 0 {
		return nil
	}
	var texts [2]string
	for i := range texts {
		q := t.question()
		q.temperature, q.seed, q.maxTokens = 1, 20, 2*trialTokens
		r, ok, err := t.try(ctx, "the same seed twice", q)
		if err != nil || !ok {
			return err
		}
		texts[i] = r.Reasoning + "\x00" + r.Text
	}
	t.model.Capabilities.Seed = texts[0] == texts[1]
	return nil
}

// tryStop asks for an end at a text that the plain answer holds.
func (t *trial) tryStop(ctx context.Context) error {
	words := strings.Fields(t.plain.Text)
	if len(t.model.Generation.Stop) == 0 || len(words) == 0 {
		t.model.Capabilities.Stop = len(words) == 0 // nothing to try it on
		return nil
	}
	stop := words[len(words)/2]
	q := t.question()
	q.stop = []string{stop}
	r, ok, err := t.try(ctx, "stop", q)
	t.model.Capabilities.Stop = ok && !strings.Contains(r.Text, stop)
	return err
}

// tryLogprobs asks for as many alternatives as servers give at the most, then
// for fewer.
func (t *trial) tryLogprobs(ctx context.Context) error {
	for _, n := range []int{20, 5} {
		q := t.question()
		q.logprobs = n
		r, ok, err := t.try(ctx, "logprobs", q)
		if err != nil {
			return err
		}
		if !ok || len(r.Tokens) == 0 {
			continue
		}
		depth := n
		for _, token := range r.Tokens {
			depth = min(depth, len(token.Top))
		}
		t.model.Capabilities.Logprobs = depth
		return nil
	}
	return nil
}

// tryEcho asks for the log-probabilities of the prompt. Without them those of
// generated tokens are of no use: whose vocabulary is not known cannot be walked.
func (t *trial) tryEcho(ctx context.Context) error {
	if t.model.API != eval.APICompletions {
		return nil
	}
	q := t.question()
	q.echo, q.logprobs, q.maxTokens = true, 1, 1
	r, ok, err := t.try(ctx, "echo", q)
	if err != nil || !ok {
		return err
	}
	_, _, err = echoed(trialPrompt, r)
	if t.model.Capabilities.Continuations = err == nil; err != nil {
		return nil
	}
	return t.tryTokenIDs(ctx)
}

// tryPenalty asks with a penalty that no repetition survives.
func (t *trial) tryPenalty(ctx context.Context) error {
	penalty := t.model.Generation.RepeatPenalty
	if penalty == 1 {
		return nil // what a server does without one is askOllama's question
	}
	q := t.question()
	q.prompt = strings.Repeat("one ", 12)
	with := q
	with.more = extras(eval.Generation{RepeatPenalty: 5})
	q.more = extras(eval.Generation{RepeatPenalty: 1})
	a, ok, err := t.try(ctx, "repeat_penalty", q)
	if err != nil {
		return err
	}
	b, also, err := t.try(ctx, "repeat_penalty", with)
	if err != nil {
		return err
	}
	if !ok || !also || a.Text == b.Text {
		t.ignores("repeat_penalty "+number(penalty), "set generation.repeat_penalty: 1, or set it where the server is started")
	}
	return nil
}

// tryTopK draws from the one most probable token, with several seeds.
func (t *trial) tryTopK(ctx context.Context) error {
	k := t.model.Generation.TopK
	if k == nil || t.model.Generation.Temperature == 0 {
		return nil
	}
	for seed := range 3 {
		q := t.question()
		q.temperature, q.seed = 2, seed
		q.more["top_k"] = 1
		r, ok, err := t.try(ctx, "top_k", q)
		if err != nil {
			return err
		}
		if !ok || r.Text != t.plain.Text {
			t.ignores("top_k "+strconv.Itoa(*k), "leave generation.top_k out, or set it where the server is started")
			return nil
		}
	}
	return nil
}

// tryThink finds how the server is told whether to reason.
func (t *trial) tryThink(ctx context.Context) error {
	think := t.model.Generation.Think
	if think == nil || t.model.API != eval.APIChat {
		return nil
	}
	has := &t.model.Capabilities
	for _, way := range []string{thinkByTemplate, thinkByEffort} {
		has.ThinkBy = way
		q := t.question()
		q.maxTokens = 4 * trialTokens
		r, ok, err := t.try(ctx, "think", q)
		if err != nil {
			return err
		}
		reasoned := r.Reasoning != "" || strings.Contains(r.Text, "<think>")
		if has.Think = ok && reasoned == *think; has.Think {
			return nil
		}
	}
	has.ThinkBy = ""
	return nil
}

// askOllama asks an Ollama by its own API for what its /v1 takes from the model
// alone: num_ctx, repeat_penalty and the template.
func (t *trial) askOllama(ctx context.Context) error {
	if !t.is.ollama {
		return nil
	}
	show, err := t.client.show(ctx, t.model.Model)
	if err != nil {
		return t.client.serverError("what it knows of model "+t.model.Model, err)
	}
	t.model.Parameters, t.model.Quantization = show.Details.ParameterSize, show.Details.QuantizationLevel
	g := t.model.Generation
	create := func(parameter string) string {
		return fmt.Sprintf("create the model anew with PARAMETER %s in its Modelfile, or use provider: ollama", parameter)
	}
	set := show.parameters()
	if is, ok := set["repeat_penalty"]; !ok && g.RepeatPenalty != ollamaPenalty || ok && is != number(g.RepeatPenalty) {
		t.model.Capabilities.Ignores = nil // the trial's is the same, with a lesser cure
		t.ignores("repeat_penalty "+number(g.RepeatPenalty), create("repeat_penalty "+number(g.RepeatPenalty)))
	}
	if is := set["num_ctx"]; is != strconv.Itoa(g.NumCtx) {
		t.ignores("num_ctx "+strconv.Itoa(g.NumCtx), create("num_ctx "+strconv.Itoa(g.NumCtx)))
	}
	if n, err := strconv.Atoi(set["num_ctx"]); err == nil {
		t.model.ContextLength = n
	}
	if g.Raw {
		t.model.Capabilities.Raw = bare(show.Template)
	} else {
		t.model.Template = show.Template
	}
	if !t.model.Capabilities.Raw && g.Raw {
		t.ignores("raw true", `create the model anew with TEMPLATE "{{ .Prompt }}" in its Modelfile, or use provider: ollama`)
		t.model.Capabilities.Raw = true // said, with its cure
	}
	return nil
}

// ollamaPenalty is what Ollama takes where neither request nor model says.
const ollamaPenalty = 1.1

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// bare reports whether a template is the prompt alone.
func bare(template string) bool {
	return strings.Join(strings.Fields(template), "") == "{{.Prompt}}"
}
