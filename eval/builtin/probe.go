package builtin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics/likelihood"
)

// keptAlternatives is how many of the most probable tokens a step names.
const keptAlternatives = 5

var errNotFinite = errors.New("the model's logits are not finite: its weights are unusable")

// Probe gives what the model makes of texts right after prompt, one Form each,
// in order. Nothing is sampled, and no option but NumCtx bears on it: the same
// file, prompt and text give the same figures, to the last bit, on any number
// of threads and whatever else is asked. A text that cannot be followed is a
// Form with the reason. When ctx ends, the error is ctx.Err().
func (l *LLM) Probe(ctx context.Context, prompt string, texts []string, o Options) ([]likelihood.Form, error) {
	p, err := l.probe(prompt, o)
	if err != nil {
		return nil, err
	}
	return p.forms(ctx, texts)
}

func (l *LLM) probe(prompt string, o Options) (*probing, error) {
	m, err := l.load()
	if err != nil {
		return nil, err
	}
	if o, err = o.check(l.name, m.context); err != nil {
		return nil, fmt.Errorf("probe %s: %w", l.name, err)
	}
	ids, err := m.words.continued(prompt, o.NumCtx)
	if err != nil {
		return nil, fmt.Errorf("probe %s: %w", l.name, err)
	}
	return &probing{session: m.newSession(), text: prompt, prompt: ids, limit: o.NumCtx}, nil
}

// probing is one prompt and what is looked at after it. The session holds the
// tokens read; going back to a common beginning costs nothing, so that the
// prompt is read once, and texts in order share what they begin with.
type probing struct {
	*session
	text   string
	prompt []int32
	limit  int // positions

	read []int32
	next []*prediction // by position: of the token after it; nil where nobody asked
}

// prediction is what a model expects of one token.
type prediction struct {
	logits []float32
	all    likelihood.LogSoftmax
	top    []likelihood.Alternative
}

// after predicts the token that follows ids, of which there is at least one.
func (p *probing) after(ctx context.Context, ids []int32) (*prediction, error) {
	shared := sharedPrefix(p.read, ids)
	if shared == len(ids) && p.next[shared-1] == nil {
		shared-- // read, but not looked at: its hidden state is gone
	}
	if shared == len(ids) {
		return p.next[shared-1], nil
	}
	p.rewind(shared)
	p.read, p.next = p.read[:shared], p.next[:shared]
	if err := p.prefill(ctx, ids[shared:], nil); err != nil {
		p.read = p.read[:0] // what of it was read is not known
		return nil, err
	}
	p.read = append(p.read, ids[shared:]...)
	p.next = append(p.next, make([]*prediction, len(ids)-shared)...)
	n, err := newPrediction(p.words, slices.Clone(p.predict()), keptAlternatives)
	if err != nil {
		return nil, err
	}
	p.next[len(ids)-1] = n
	return n, nil
}

func newPrediction(v *vocabulary, logits []float32, alternatives int) (*prediction, error) {
	n := &prediction{logits: logits}
	var ok bool
	if n.all, ok = likelihood.NewLogSoftmax(logits); !ok {
		return nil, errNotFinite
	}
	for _, id := range highest(logits, alternatives) {
		n.top = append(n.top, likelihood.Alternative{ID: int(id), Text: v.name(id), Logprob: n.all.At(logits[id])})
	}
	return n, nil
}

// token is the choice of id with its natural log-probability.
func (n *prediction) token(v *vocabulary, id int32) eval.Token {
	return eval.Token{ID: int(id), Text: v.name(id), Logprob: n.all.At(n.logits[id]), Top: n.top}
}

func sharedPrefix(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// forms follows every text. Those with common beginnings come one after the other.
func (p *probing) forms(ctx context.Context, texts []string) ([]likelihood.Form, error) {
	out := make([]likelihood.Form, len(texts))
	ids := make([][]int32, len(texts))
	var order []int
	for i, text := range texts {
		out[i] = likelihood.Form{Text: text, Bytes: len(text)}
		var err error
		if ids[i], err = p.continuation(text); err != nil {
			out[i].Reason = err.Error()
			continue
		}
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return slices.Compare(ids[a], ids[b]) })
	for _, i := range order {
		err := p.follow(ctx, &out[i], ids[i])
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			out[i].Steps, out[i].Reason = nil, err.Error()
		}
	}
	return out, nil
}

// continuation gives the tokens of the prompt and text.
func (p *probing) continuation(text string) ([]int32, error) {
	ids, err := p.words.continued(p.text+text, p.limit)
	if err != nil {
		return nil, err
	}
	switch k := sharedPrefix(p.prompt, ids); {
	case k == len(ids):
		return nil, errors.New("it adds no token to the prompt")
	case k == 0:
		return nil, errors.New("it changes the prompt's first token, which nothing comes before")
	}
	return ids, nil
}

// follow fills in the steps of a form whose text gives ids.
func (p *probing) follow(ctx context.Context, f *likelihood.Form, ids []int32) error {
	for i := sharedPrefix(p.prompt, ids); i < len(ids); i++ {
		n, err := p.after(ctx, ids[:i])
		if err != nil {
			return err
		}
		own := n.logits[ids[i]]
		s := likelihood.Step{ID: int(ids[i]), Text: p.words.name(ids[i]), Logprob: n.all.At(own), Known: true, Rank: 1, Top: n.top}
		for _, v := range n.logits {
			if v > own {
				s.Rank++
			}
		}
		f.Steps = append(f.Steps, s)
	}
	return nil
}

// highest gives the indices of the n highest logits, n at least 1, best first, the first of
// equals before the others.
func highest(logits []float32, n int) []int32 {
	best := make([]int32, 0, n+1)
	for i, v := range logits {
		if len(best) == n && v <= logits[best[n-1]] {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, v, func(id int32, v float32) int {
			return cmp.Or(cmp.Compare(v, logits[id]), -1) // behind its equals
		})
		best = slices.Insert(best, at, int32(i))
		best = best[:min(n, len(best))]
	}
	return best
}

// diverge compares the model's predictions with the reference's on tokens that
// the reference generated after the same prompt, for as many as both contexts
// hold.
func (p *probing) diverge(ctx context.Context, reference *probing, tokens []int32) ([]likelihood.Divergence, error) {
	if !slices.Equal(p.words.tokenizer.Vocabulary().Values, reference.words.tokenizer.Vocabulary().Values) || !slices.Equal(p.prompt, reference.prompt) {
		return nil, errors.New("its vocabulary is not the reference's, so that their predictions cannot be compared")
	}
	most := min(p.limit, reference.limit) - len(p.prompt) + 1
	var out []likelihood.Divergence
	for i := range min(len(tokens), most) {
		ids := append(slices.Clip(p.prompt), tokens[:i]...)
		theirs, err := reference.after(ctx, ids)
		if err != nil {
			return nil, err
		}
		ours, err := p.after(ctx, ids)
		if err != nil {
			return nil, err
		}
		d, ok := likelihood.Diverge(theirs.logits, ours.logits, tokens[i])
		if !ok {
			return nil, errNotFinite
		}
		out = append(out, d)
	}
	return out, nil
}

// Probe looks at the texts, and at the reference's reply where one is given. It
// makes the Generator an eval.Prober.
func (g *Generator) Probe(ctx context.Context, ask eval.ProbeRequest) (out eval.ProbeReply, err error) {
	p, err := g.llm.probe(ask.Prompt, g.options)
	if err == nil {
		out.Forms, err = p.forms(ctx, ask.Texts)
	}
	if err == nil && ask.Reply != nil {
		out.Divergences, out.Incomparable = p.compare(ctx, ask)
	}
	if ctx.Err() != nil {
		return eval.ProbeReply{}, ctx.Err()
	}
	if err != nil {
		return eval.ProbeReply{}, &eval.Failure{Kind: eval.FailGenerator, Message: err.Error()}
	}
	return out, nil
}

// compare gives the divergences from the reference, or why there are none.
func (p *probing) compare(ctx context.Context, ask eval.ProbeRequest) ([]likelihood.Divergence, string) {
	ref, ok := ask.Reference.(*Generator)
	if !ok {
		return nil, "the reference does not run in this process"
	}
	theirs, err := ref.llm.probe(ask.Prompt, ref.options)
	if err != nil {
		return nil, err.Error()
	}
	ids := make([]int32, len(ask.Reply))
	for i, t := range ask.Reply {
		if t.ID < 0 || t.ID >= theirs.vocab {
			return nil, fmt.Sprintf("the reference's reply has a token %d, which its vocabulary has not", t.ID)
		}
		ids[i] = int32(t.ID)
	}
	d, err := p.diverge(ctx, theirs, ids)
	if err != nil {
		return nil, err.Error()
	}
	return d, ""
}

// continued gives the tokens of a text that goes on: without the marker of the
// end that some files ask for.
func (v *vocabulary) continued(text string, limit int) ([]int32, error) {
	ids, err := v.encode(text, limit)
	if err == nil && v.addEOS {
		ids = ids[:len(ids)-1]
	}
	if err == nil && len(ids) == 0 {
		err = errors.New("it gives no token")
	}
	return ids, err
}

// name is a token's text for people: a byte that is no text by itself as
// SentencePiece writes it.
func (v *vocabulary) name(id int32) string {
	piece, err := v.piece(id)
	if err != nil || !utf8.ValidString(piece) {
		return v.tokenizer.Vocabulary().Decode(id)
	}
	return piece
}
