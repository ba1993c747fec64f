package builtin

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics/likelihood"
)

// keptAlternatives is how many of the most probable tokens a step names.
const keptAlternatives = 5

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
	out, err := p.look(ctx, eval.ProbeRequest{Texts: texts})
	return out.Forms, err
}

// Probe looks at the texts, and at the reference's reply where one is given. It
// makes the Generator an eval.Prober.
func (g *Generator) Probe(ctx context.Context, ask eval.ProbeRequest) (out eval.ProbeReply, err error) {
	p, err := g.llm.probe(ask.Prompt, g.options)
	if err == nil {
		out, err = p.look(ctx, ask)
	}
	if ctx.Err() != nil {
		return eval.ProbeReply{}, ctx.Err()
	}
	if err != nil {
		return eval.ProbeReply{}, &eval.Failure{Kind: eval.FailGenerator, Message: err.Error()}
	}
	return out, nil
}

func (l *LLM) probe(prompt string, o Options) (*probing, error) {
	m, err := l.load()
	if err != nil {
		return nil, err
	}
	if o, err = o.check(l.name, m.context); err != nil {
		return nil, fmt.Errorf("probe %s: %w", l.name, err)
	}
	p := &probing{tree: m.newTree(), text: prompt, limit: o.NumCtx}
	if p.prompt, err = p.encode(""); err != nil {
		return nil, fmt.Errorf("probe %s: %w", l.name, err)
	}
	return p, nil
}

// probing is one prompt and what is looked at after it.
type probing struct {
	*tree
	text   string
	prompt []int32
	limit  int // positions
}

// look gives everything that was asked for. What is sure to be needed goes
// through the model in one batch.
func (p *probing) look(ctx context.Context, ask eval.ProbeRequest) (out eval.ProbeReply, err error) {
	texts, choices := p.continuations(ask.Texts), p.continuations(ask.Choices)
	theirs, why := p.comparison(ask)
	nodes := p.before(theirs.continuation, len(theirs.ids))
	for _, c := range texts {
		nodes = append(nodes, p.before(c, len(c.ids))...)
	}
	for _, c := range choices {
		nodes = append(nodes, p.before(c, c.from+1)...)
	}
	if err = p.predict(ctx, nodes); err != nil {
		return out, err
	}
	out.Forms = p.forms(texts)
	if out.Choices, err = p.candidates(ctx, choices, out.Forms); err != nil {
		return out, err
	}
	if out.Incomparable = why; why == "" {
		out.Divergences, out.Incomparable, err = p.diverge(ctx, theirs)
	}
	return out, err
}

// continuation is a text after the prompt.
type continuation struct {
	text   string
	ids    []int32 // of the prompt and the text; nil where it cannot be followed
	from   int     // the first of ids that is not the prompt's, at least 1
	reason string  // why it cannot be followed
}

func (p *probing) continuations(texts []string) []continuation {
	out := make([]continuation, len(texts))
	for i, text := range texts {
		out[i] = p.continuation(text)
	}
	return out
}

func (p *probing) continuation(text string) continuation {
	ids, err := p.encode(text)
	if err != nil {
		return continuation{text: text, reason: err.Error()}
	}
	switch from := sharedPrefix(p.prompt, ids); from {
	case len(ids):
		return continuation{text: text, reason: "it adds no token to the prompt"}
	case 0:
		return continuation{text: text, reason: "it changes the prompt's first token, which nothing comes before"}
	default:
		return continuation{text: text, ids: ids, from: from}
	}
}

// encode gives the tokens of the prompt and text.
func (p *probing) encode(text string) ([]int32, error) {
	if p.words == nil {
		return nil, errNoVocabulary
	}
	return p.words.continued(p.text+text, p.limit)
}

func sharedPrefix(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// before gives the nodes before each token of c from its first to the end-th
// of all ids.
func (p *probing) before(c continuation, end int) []int {
	if c.ids == nil {
		return nil
	}
	return p.path(c.ids[:end-1])[c.from-1:]
}

func (c continuation) form() likelihood.Form {
	return likelihood.Form{Text: c.text, Bytes: len(c.text), Reason: c.reason}
}

// forms follows every text to its end, all of it predicted.
func (p *probing) forms(texts []continuation) []likelihood.Form {
	out := make([]likelihood.Form, len(texts))
	for i, c := range texts {
		out[i] = c.form()
		for j, at := range p.before(c, len(c.ids)) {
			if next := p.nodes[at].next; p.step(&out[i], c, next) {
				out[i].Steps[j].Top = next.alternatives(p.words, keptAlternatives)
			}
		}
	}
	return out
}

// step takes a form one step further, where it has not been lost.
func (p *probing) step(f *likelihood.Form, c continuation, next *prediction) bool {
	if !next.finite {
		f.Reason = errNotFinite.Error()
	}
	if f.Reason != "" {
		return false
	}
	at := c.from + len(f.Steps)
	f.Steps, f.Cut = append(f.Steps, next.step(p.words, c.ids[at])), f.Cut && at+1 < len(c.ids)
	return true
}

// candidates follows texts of which only the one with the fewest bits per byte
// matters: a text is cut as soon as it has more than one that was followed to
// its end. The most promising by their first token come first; those that are
// known already need not be followed.
func (p *probing) candidates(ctx context.Context, texts []continuation, known []likelihood.Form) ([]likelihood.Form, error) {
	out := make([]likelihood.Form, len(texts))
	var open []int
	for i, c := range texts {
		out[i] = c.form()
		if at := slices.IndexFunc(known, func(f likelihood.Form) bool { return f.Text == c.text }); at >= 0 {
			out[i] = known[at]
			out[i].Steps = slices.Clone(out[i].Steps)
		} else if out[i].Cut = c.ids != nil; out[i].Cut {
			open = append(open, i)
		}
	}
	return out, likelihood.Narrow(out, open, func(i int) error {
		nodes := p.before(texts[i], texts[i].from+len(out[i].Steps)+1)
		at := nodes[len(nodes)-1]
		if p.nodes[at].next == nil {
			if err := p.predict(ctx, append(p.ahead(texts, out), at)); err != nil {
				return err
			}
		}
		p.step(&out[i], texts[i], p.nodes[at].next)
		return nil
	})
}

// mostAhead is how many nodes are worth reading ahead of need: a batch of so many
// takes little longer than one of a few.
const mostAhead = 16

// ahead gives the nodes that candidates go on with, the most promising first.
func (p *probing) ahead(texts []continuation, forms []likelihood.Form) (nodes []int) {
	least := math.Inf(1)
	var open []int
	for i, f := range forms {
		switch {
		case f.Exact():
			least = min(least, f.PerByte())
		case f.Cut && f.Reason == "":
			open = append(open, i)
		}
	}
	slices.SortStableFunc(open, func(a, b int) int { return cmp.Compare(forms[a].PerByte(), forms[b].PerByte()) })
	for _, i := range open {
		if len(nodes) >= mostAhead || forms[i].PerByte() > least {
			break
		}
		nodes = append(nodes, p.before(texts[i], len(texts[i].ids))...)
	}
	return nodes
}
