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
	p := &probing{session: m.newSession(), text: prompt, limit: o.NumCtx}
	if p.prompt, err = p.encode(""); err != nil {
		return nil, fmt.Errorf("probe %s: %w", l.name, err)
	}
	return p, nil
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

// step is the look at id.
func (n *prediction) step(v *vocabulary, id int32) likelihood.Step {
	own := n.logits[id]
	s := likelihood.Step{ID: int(id), Text: v.name(id), Logprob: n.all.At(own), Known: true, Rank: 1, Top: n.top}
	for _, logit := range n.logits {
		if logit > own {
			s.Rank++
		}
	}
	return s
}

// expect gives the predictions of the tokens that follow ids[:first],
// ids[:first+1] and so on to the whole of ids; first is at least 1.
func (p *probing) expect(ctx context.Context, ids []int32, first int) ([]*prediction, error) {
	have := sharedPrefix(p.read, ids)
	for i := first - 1; i < have; i++ {
		if p.next[i] == nil { // read, but not looked at: its hidden state is gone
			have = i
		}
	}
	if have < len(ids) {
		if err := p.goOn(ctx, ids, have, first); err != nil {
			return nil, err
		}
	}
	return p.next[first-1 : len(ids)], nil
}

// goOn keeps what was read of ids[:have] and reads the rest, looking at what
// follows from ids[:first] on.
func (p *probing) goOn(ctx context.Context, ids []int32, have, first int) error {
	p.rewind(have)
	p.read, p.next = p.read[:have], p.next[:have]
	seen := max(have, first-1)
	if err := p.prefill(ctx, ids[have:seen], nil); err != nil {
		return err
	}
	p.read, p.next = append(p.read, ids[have:seen]...), append(p.next, make([]*prediction, seen-have)...)
	var failed error
	err := p.prefill(ctx, ids[seen:], func(i int, logits []float32) {
		n, err := newPrediction(p.words, slices.Clone(logits), keptAlternatives)
		failed = cmp.Or(failed, err)
		p.read, p.next = append(p.read, ids[seen+i]), append(p.next, n)
	})
	return cmp.Or(err, failed)
}

func sharedPrefix(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// forms follows every text to its end. Those with common beginnings come one
// after the other.
func (p *probing) forms(ctx context.Context, texts []string) ([]likelihood.Form, error) {
	out, ids, order := p.begin(texts)
	slices.SortStableFunc(order, func(a, b int) int { return slices.Compare(ids[a], ids[b]) })
	for _, i := range order {
		k := sharedPrefix(p.prompt, ids[i])
		next, err := p.expect(ctx, ids[i][:len(ids[i])-1], k)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			out[i].Reason = err.Error()
			continue
		}
		for j, n := range next {
			out[i].Steps = append(out[i].Steps, n.step(p.words, ids[i][k+j]))
		}
	}
	return out, nil
}

// begin encodes texts; order lists those that can be followed.
func (p *probing) begin(texts []string) (forms []likelihood.Form, ids [][]int32, order []int) {
	forms, ids = make([]likelihood.Form, len(texts)), make([][]int32, len(texts))
	for i, text := range texts {
		forms[i] = likelihood.Form{Text: text, Bytes: len(text)}
		var err error
		if ids[i], err = p.continuation(text); err != nil {
			forms[i].Reason = err.Error()
			continue
		}
		order = append(order, i)
	}
	return forms, ids, order
}

// candidates follows texts of which only the one with the fewest bits per byte
// matters: a text is cut as soon as it has more than one that was followed to
// its end. The most promising by their first token come first; those that are
// known already need not be followed.
func (p *probing) candidates(ctx context.Context, texts []string, known []likelihood.Form) ([]likelihood.Form, error) {
	out, ids, order := p.begin(texts)
	open := order[:0]
	for _, i := range order {
		if at := slices.IndexFunc(known, func(f likelihood.Form) bool { return f.Text == texts[i] }); at >= 0 {
			out[i] = known[at]
			out[i].Steps = slices.Clone(out[i].Steps)
			continue
		}
		out[i].Cut = true
		open = append(open, i)
	}
	return out, likelihood.Narrow(out, open, func(i int) error { return p.follow(ctx, &out[i], ids[i]) })
}

// follow takes a form one step further. The error is ctx's.
func (p *probing) follow(ctx context.Context, f *likelihood.Form, ids []int32) error {
	at := sharedPrefix(p.prompt, ids) + len(f.Steps)
	next, err := p.expect(ctx, ids[:at], at)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		f.Reason = err.Error()
		return nil
	}
	s := next[0].step(p.words, ids[at])
	f.Steps, f.Cut = append(f.Steps, s), at+1 < len(ids)
	return nil
}

// continuation gives the tokens of the prompt and text.
func (p *probing) continuation(text string) ([]int32, error) {
	ids, err := p.encode(text)
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

// encode gives the tokens of the prompt and text.
func (p *probing) encode(text string) ([]int32, error) {
	if p.words == nil {
		return nil, errNoVocabulary
	}
	return p.words.continued(p.text+text, p.limit)
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
// hold. theirs may be known already.
func (p *probing) diverge(ctx context.Context, reference *probing, tokens []int32, theirs [][]float32) ([]likelihood.Divergence, error) {
	if !slices.Equal(p.words.tokenizer.Vocabulary().Values, reference.words.tokenizer.Vocabulary().Values) || !slices.Equal(p.prompt, reference.prompt) {
		return nil, errors.New("its vocabulary is not the reference's, so that their predictions cannot be compared")
	}
	tokens = tokens[:min(len(tokens), max(0, min(p.limit, reference.limit)-len(p.prompt)+1))]
	if len(tokens) == 0 {
		return nil, nil
	}
	ids := append(slices.Clip(p.prompt), tokens[:len(tokens)-1]...)
	ours, err := p.expect(ctx, ids, len(p.prompt))
	if err != nil {
		return nil, err
	}
	if theirs == nil {
		anew, err := reference.expect(ctx, ids, len(p.prompt))
		if err != nil {
			return nil, err
		}
		for _, n := range anew {
			theirs = append(theirs, n.logits)
		}
	}
	out := make([]likelihood.Divergence, len(tokens))
	for i, id := range tokens {
		var ok bool
		if out[i], ok = likelihood.Diverge(theirs[i], ours[i].logits, id); !ok {
			return nil, errNotFinite
		}
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
	if err == nil {
		out.Choices, err = p.candidates(ctx, ask.Choices, out.Forms)
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
	rows, _ := ref.written.logits(ask.Prompt, ids)
	d, err := p.diverge(ctx, theirs, ids, rows)
	if err != nil {
		return nil, err.Error()
	}
	return d, ""
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
