package ollama

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics/likelihood"
)

const (
	// mostAlternatives is how many Ollama gives with a token.
	mostAlternatives = 20
	// keptAlternatives is how many of them a known step keeps.
	keptAlternatives = 5
	// mostTries bounds how often a step is asked for where the server's sampler
	// ends the text, or cuts a character, and then keeps the probabilities back.
	mostTries = 8
	// scatter is the temperature at which the sampler's choice hangs least on
	// what the model prefers. The probabilities are natural all the same.
	scatter = 100
)

var (
	errMute     = errors.New("the server returned no log-probabilities: it ignores `logprobs`, or something before it drops them")
	errTemplate = errors.New("the server puts its prompt template around the text: set generation.raw: true")
)

// Probe walks over the texts, one request a token. It makes the Generator an
// eval.Prober.
func (g *Generator) Probe(ctx context.Context, r eval.ProbeRequest) (out eval.ProbeReply, err error) {
	w, err := g.walk(ctx, r.Prompt)
	var broken *eval.Failure
	switch {
	case ctx.Err() != nil:
		return out, ctx.Err()
	case errors.As(err, &broken):
		return out, broken
	case err != nil:
		out = lostReply(r, err.Error())
		out.Unable = g.unable()
		return out, nil
	}
	if out.Forms, err = w.forms(ctx, r.Texts); err == nil {
		out.Choices, err = w.candidates(ctx, r.Choices)
	}
	if err == nil && r.Reply != nil {
		out.Divergences, out.Incomparable, err = w.compare(ctx, r.Reply)
	}
	if err != nil {
		return eval.ProbeReply{}, err
	}
	out.Unable = g.unable()
	return out, nil
}

// unable is why no text can be followed after any prompt; empty where some may be.
func (g *Generator) unable() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.model.Generation.Raw:
		return errTemplate.Error()
	case g.noVocabulary != nil:
		return g.noVocabulary.Error()
	case g.mute.Load():
		return errMute.Error()
	}
	return ""
}

// lostReply is the reply where nothing can be followed.
func lostReply(r eval.ProbeRequest, reason string) eval.ProbeReply {
	lost := func(texts []string) (forms []likelihood.Form) {
		for _, text := range texts {
			forms = append(forms, likelihood.Form{Text: text, Bytes: len(text), Reason: reason})
		}
		return forms
	}
	return eval.ProbeReply{Forms: lost(r.Texts), Choices: lost(r.Choices), Incomparable: reason}
}

// walk is one prompt and the steps looked at after it, which texts share.
type walk struct {
	*Generator
	words  *vocabulary
	text   string
	prompt []int32
	seen   map[string]look // by the text so far
}

// look is what the server says of the token after a text.
type look struct {
	top  []eval.Alternative // best first; nil where lost
	lost string             // why there is nothing
}

// walk begins at a prompt. Its error says why no text can be followed.
func (g *Generator) walk(ctx context.Context, prompt string) (*walk, error) {
	if !g.model.Generation.Raw {
		return nil, errTemplate
	}
	words, err := g.words(ctx)
	if err != nil {
		return nil, err
	}
	w := &walk{Generator: g, words: words, text: prompt, seen: make(map[string]look)}
	w.prompt, err = words.Encode(prompt, g.model.Generation.NumCtx)
	return w, err
}

// words is the model's vocabulary, asked for until the server has answered.
func (g *Generator) words(ctx context.Context) (*vocabulary, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.vocabulary == nil && g.noVocabulary == nil {
		v, err := g.client.vocabulary(ctx, g.model.Model)
		var broken *eval.Failure
		if ctx.Err() != nil || errors.As(err, &broken) && broken.Retry {
			return nil, err
		}
		g.vocabulary, g.noVocabulary = v, err
	}
	return g.vocabulary, g.noVocabulary
}

// forms follows every text to its end or to a bound.
func (w *walk) forms(ctx context.Context, texts []string) ([]likelihood.Form, error) {
	out, ids := w.begin(texts)
	for i := range out {
		for out[i].Cut {
			if err := w.follow(ctx, &out[i], ids[i]); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// candidates follows texts as far as the choice needs.
func (w *walk) candidates(ctx context.Context, texts []string) ([]likelihood.Form, error) {
	out, ids := w.begin(texts)
	var open []int
	for i := range out {
		if out[i].Cut {
			open = append(open, i)
		}
	}
	return out, likelihood.Narrow(out, open, func(i int) error { return w.follow(ctx, &out[i], ids[i]) })
}

// begin encodes texts; those that can be followed are Cut before their first step.
func (w *walk) begin(texts []string) (forms []likelihood.Form, ids [][]int32) {
	forms, ids = make([]likelihood.Form, len(texts)), make([][]int32, len(texts))
	for i, text := range texts {
		f := &forms[i]
		f.Text, f.Bytes = text, len(text)
		var err error
		ids[i], err = w.words.Encode(w.text+text, w.model.Generation.NumCtx)
		switch k := shared(w.prompt, ids[i]); {
		case err != nil:
			f.Reason = err.Error()
		case k == len(ids[i]):
			f.Reason = "it adds no token to the prompt"
		case k == 0:
			f.Reason = "it changes the prompt's first token, which nothing comes before"
		default:
			f.Cut = true
		}
	}
	return forms, ids
}

func shared(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// follow takes a form one step further. Its error ends the probe.
func (w *walk) follow(ctx context.Context, f *likelihood.Form, ids []int32) error {
	at := shared(w.prompt, ids) + len(f.Steps)
	sofar, err := w.sofar(ids[:at], w.text+f.Text)
	if err != nil {
		f.Reason, f.Cut = err.Error(), false
		return nil
	}
	l, err := w.look(ctx, sofar, ids[:at])
	if err != nil {
		return err
	}
	if l.lost != "" {
		f.Reason, f.Cut = l.lost, false
		return nil
	}
	s := w.step(l.top, ids[at])
	f.Steps, f.Cut = append(f.Steps, s), s.Known && at+1 < len(ids)
	return nil
}

// sofar is the text of ids, with which whole begins. The server cuts it anew,
// so it must give the same tokens by itself.
func (w *walk) sofar(ids []int32, whole string) (string, error) {
	text, err := w.words.Text(ids)
	switch {
	case err != nil:
		return "", err
	case text == "":
		return "", errors.New("nothing comes before it")
	case !utf8.ValidString(text):
		return "", fmt.Errorf("the text ends inside a character after %d tokens, where the server cannot be asked", len(ids))
	case !strings.HasPrefix(whole, text):
		return "", fmt.Errorf("its first %d tokens give another text", len(ids))
	}
	if anew, err := w.words.Encode(text, len(ids)); err != nil || !slices.Equal(anew, ids) {
		return "", fmt.Errorf("%q is cut into other tokens by itself than in the whole text", text)
	}
	return text, nil
}

// look asks what comes after a text that the tokens ids make.
func (w *walk) look(ctx context.Context, sofar string, ids []int32) (look, error) {
	l, there := w.seen[sofar]
	if there {
		return l, nil
	}
	l, err := w.ask(ctx, sofar, len(ids))
	if err == nil {
		w.seen[sofar] = l
	}
	return l, err
}

// ask asks for one token after a text of n tokens, and again with another draw
// where that ends the text.
func (w *walk) ask(ctx context.Context, sofar string, n int) (look, error) {
	if w.mute.Load() {
		return look{lost: errMute.Error()}, nil
	}
	for try := range mostTries {
		r := w.request(eval.Request{Prompt: sofar, Logprobs: mostAlternatives}, encoded(w.drawing(try)), keepAlive)
		reply, err := w.stream(ctx, r, w.client.limits.Silence)
		if err != nil {
			return look{}, err
		}
		if len(reply.Tokens) == 0 && reply.Text != "" {
			w.mute.Store(true)
			return look{lost: errMute.Error()}, nil
		}
		if count := reply.Usage.PromptTokens; count == nil || *count != n {
			return look{lost: fmt.Sprintf("the server counts %s tokens where the model's vocabulary gives %d", stated(count), n)}, nil
		}
		if len(reply.Tokens) == 0 {
			continue
		}
		top := reply.Tokens[0].Top
		if err := likelihood.Check(top); err != nil {
			return look{lost: "the server's log-probabilities cannot be used: " + err.Error()}, nil
		}
		w.words.name(top)
		return look{top: top}, nil
	}
	return look{lost: fmt.Sprintf("the server gives no log-probabilities where it ends the text, as it did in %d draws", mostTries)}, nil
}

// drawing are the options of one try: greedy, then at random among the most
// probable tokens.
func (w *walk) drawing(try int) map[string]any {
	o := maps.Clone(w.options)
	delete(o, "stop")
	o["num_predict"], o["temperature"] = 1, 0
	if try > 0 {
		o["temperature"], o["top_k"], o["top_p"], o["min_p"], o["seed"] = scatter, mostAlternatives, 1, 0, try
	}
	return o
}

func stated(n *int) string {
	if n == nil {
		return "no"
	}
	return fmt.Sprint(*n)
}

// name sets the IDs of alternatives.
func (v *vocabulary) name(top []eval.Alternative) {
	for i := range top {
		top[i].ID = v.id(top[i].Text)
	}
}

// step is the look at a token among the alternatives, or what bounds it. A byte
// of a character cannot be told from another: the server names all of them
// alike.
func (w *walk) step(top []eval.Alternative, id int32) likelihood.Step {
	piece, _ := w.words.Piece(id) // vocabulary has read every one
	whole := utf8.ValidString(piece)
	s := likelihood.Beyond(top)
	found := 0
	for _, a := range top {
		if a.Text != piece && (whole || !strings.ContainsRune(a.Text, utf8.RuneError)) {
			continue
		}
		if found++; found == 1 || a.Logprob > s.Logprob {
			s.Logprob, s.Rank = min(0, a.Logprob), likelihood.Rank(top, a.Logprob)
		}
	}
	if s.Known = found == 1 && whole && w.words.id(piece) == int(id); s.Known {
		s.Top = top[:min(len(top), keptAlternatives)]
	}
	s.ID, s.Text = int(id), piece
	if !whole {
		s.Text = fmt.Sprintf("%q", piece)
	}
	return s
}

// compare walks over the reference's reply. It says why it ends early, or leaves
// out a token.
func (w *walk) compare(ctx context.Context, reply []eval.Token) (out []likelihood.Divergence, why string, err error) {
	ids := slices.Clone(w.prompt)
	text := w.text
	for _, t := range reply {
		if why := w.foreign(t); why != "" {
			return out, why, nil
		}
		sofar, err := w.sofar(ids, text)
		if err != nil {
			return out, "the reference's reply: " + err.Error(), nil
		}
		l, err := w.look(ctx, sofar, ids)
		if err != nil || l.lost != "" {
			return out, l.lost, err
		}
		if d, ok := likelihood.DivergeTop(t.Top, l.top, t.ID, t.Logprob); ok {
			out = append(out, d)
		} else {
			why = "which token is the most probable cannot be told everywhere"
		}
		ids, text = append(ids, int32(t.ID)), text+t.Text
	}
	return out, why, nil
}

// foreign says why a token of the reference means nothing to this model.
func (w *walk) foreign(t eval.Token) string {
	if err := likelihood.Check(t.Top); err != nil {
		return "the reference's log-probabilities cannot be used: " + err.Error()
	}
	for _, a := range append([]eval.Alternative{{ID: t.ID, Text: t.Text}}, t.Top...) {
		if a.ID >= 0 && w.words.id(a.Text) != a.ID {
			return "its vocabulary is not the reference's, so that their predictions cannot be compared"
		}
	}
	if t.ID < 0 {
		return fmt.Sprintf("which token of the reference's reply %q is cannot be told", t.Text)
	}
	return ""
}
