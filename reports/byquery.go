package reports

import (
	"context"
	"fmt"
	"iter"

	"github.com/disteval/disteval/eval"
)

// Answers are the outcomes of one query.
type Answers struct {
	Query   int                  // index in Report.Plan.Queries
	Replies [][]eval.ScoredReply // by model, in the order of Report.Plan.Models; empty where there is none
}

// ByQuery yields the outcomes of every query that has any, in the set's order,
// all models side by side, in memory that does not grow with the run. What is
// yielded is valid until the next step.
func (r Report) ByQuery(ctx context.Context) iter.Seq2[Answers, error] {
	return func(yield func(Answers, error) bool) {
		columns := make([]*column, len(r.Plan.Models))
		for i, m := range r.Plan.Models {
			columns[i] = newColumn(r.of(ctx, m.Name))
			defer columns[i].stop()
		}
		a := Answers{Replies: make([][]eval.ScoredReply, len(columns))}
		for q, query := range r.Plan.Queries.Queries {
			any := false
			for i, c := range columns {
				if a.Query, a.Replies[i] = q, c.take(query.ID, a.Replies[i][:0]); c.err != nil {
					yield(Answers{}, c.err)
					return
				}
				any = any || len(a.Replies[i]) > 0
			}
			if any && !yield(a, nil) {
				return
			}
		}
		for i, c := range columns {
			if c.has {
				yield(Answers{}, fmt.Errorf("run %s: the outcomes of %s are not in the order of its queries", r.RunID, r.Plan.Models[i].Name))
				return
			}
		}
	}
}

// of yields one model's outcomes.
func (r Report) of(ctx context.Context, model string) iter.Seq2[eval.ScoredReply, error] {
	if r.RepliesOf != nil {
		return r.RepliesOf(ctx, model)
	}
	return onlyOf(r.Replies(ctx), model)
}

// onlyOf leaves out the outcomes of other models.
func onlyOf(replies iter.Seq2[eval.ScoredReply, error], model string) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		for s, err := range replies {
			if err == nil && s.Reply.JobID.Model != model {
				continue
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

// column is a model's outcomes, taken query by query.
type column struct {
	next func() (eval.ScoredReply, error, bool)
	stop func()
	head eval.ScoredReply // the next one
	has  bool             // whether there is one
	err  error
}

func newColumn(replies iter.Seq2[eval.ScoredReply, error]) *column {
	c := &column{}
	c.next, c.stop = iter.Pull2(replies)
	c.step()
	return c
}

func (c *column) step() { c.head, c.err, c.has = c.next() }

// take appends the outcomes of a query, which stand next if there are any.
func (c *column) take(query string, to []eval.ScoredReply) []eval.ScoredReply {
	for c.err == nil && c.has && c.head.Reply.JobID.Query == query {
		to = append(to, c.head)
		c.step()
	}
	return to
}
