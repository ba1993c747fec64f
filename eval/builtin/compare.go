package builtin

import (
	"context"
	"fmt"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics/likelihood"
)

// comparison is the reference's reply after the same prompt.
type comparison struct {
	continuation
	reference  *probing
	remembered []*prediction // of the reference, where it wrote the reply in this process
}

// comparison prepares to compare predictions on the reference's reply, for as
// many of its tokens as both contexts hold, or says why they cannot be.
func (p *probing) comparison(ask eval.ProbeRequest) (c comparison, why string) {
	if ask.Reply == nil {
		return c, ""
	}
	ref, ok := ask.Reference.(*Generator)
	if !ok {
		return c, "the reference does not run in this process"
	}
	theirs, err := ref.llm.probe(ask.Prompt, ref.options)
	if err != nil {
		return c, err.Error()
	}
	ids := make([]int32, len(ask.Reply))
	for i, t := range ask.Reply {
		if t.ID < 0 || t.ID >= theirs.vocab {
			return c, fmt.Sprintf("the reference's reply has a token %d, which its vocabulary has not", t.ID)
		}
		ids[i] = int32(t.ID)
	}
	if c, why = p.compared(theirs, ids); why == "" {
		c.remembered = ref.written.predictions(ask.Prompt, c.ids[len(p.prompt):])
	}
	return c, why
}

func (p *probing) compared(reference *probing, reply []int32) (c comparison, why string) {
	if !slices.Equal(p.words.tokenizer.Vocabulary().Values, reference.words.tokenizer.Vocabulary().Values) || !slices.Equal(p.prompt, reference.prompt) {
		return c, "its vocabulary is not the reference's, so that their predictions cannot be compared"
	}
	reply = reply[:min(len(reply), max(0, min(p.limit, reference.limit)-len(p.prompt)+1))]
	return comparison{reference: reference, continuation: continuation{ids: append(slices.Clip(p.prompt), reply...), from: len(p.prompt)}}, ""
}

// diverge compares the model's predictions, which there are, with the
// reference's.
func (p *probing) diverge(ctx context.Context, c comparison) (out []likelihood.Divergence, why string, err error) {
	theirs, err := c.predictions(ctx)
	if err != nil {
		return nil, "", err
	}
	for i, at := range p.before(c.continuation, len(c.ids)) {
		ours := p.nodes[at].next
		if !ours.finite || !theirs[i].finite {
			return nil, errNotFinite.Error(), nil
		}
		out = append(out, likelihood.Diverge(theirs[i].all, ours.all, int(c.ids[c.from+i])))
	}
	return out, "", nil
}

// predictions are the reference's.
func (c comparison) predictions(ctx context.Context) ([]*prediction, error) {
	if c.remembered != nil || c.ids == nil {
		return c.remembered, nil
	}
	nodes := c.reference.before(c.continuation, len(c.ids))
	if err := c.reference.predict(ctx, nodes); err != nil {
		return nil, err
	}
	out := make([]*prediction, len(nodes))
	for i, at := range nodes {
		out[i] = c.reference.nodes[at].next
	}
	return out, nil
}
