package session

import (
	"context"

	"github.com/disteval/disteval/eval"
)

// Describe finds out of each of a plan's models what is known of it, on its
// own: one that is missing does not hide the others.
func (p Providers) Describe(ctx context.Context, plan eval.Plan) []eval.Described {
	out := make([]eval.Described, len(plan.Models))
	for i, m := range plan.Models {
		out[i] = eval.Described{Model: m, Loaded: "-"}
		known, err := p.Resolve(ctx, []eval.Model{m})
		if err != nil {
			out[i].Err = err
			continue
		}
		alone := plan
		alone.Models = known
		out[i] = eval.Described{Model: known[0], Loaded: p.Loaded(ctx, known[0]), Lacks: alone.Check()}
	}
	return out
}
