package reports

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
)

// TestByQuery has two models, one of which lacks a query and has two samples of
// another: every outcome comes once, beside those of its query.
func TestByQuery(t *testing.T) {
	r := Report{Plan: eval.Plan{Samples: 2, Models: []eval.Model{{Name: "a"}, {Name: "b"}},
		Queries: queries.Set{Queries: []queries.Query{{ID: "x"}, {ID: "nobody's"}, {ID: "y"}, {ID: "z"}}}}}
	ids := []eval.JobID{{Model: "a", Query: "x"}, {Model: "a", Query: "z"}, {Model: "b", Query: "x"}, {Model: "b", Query: "y"}, {Model: "b", Query: "y", Sample: 1}}
	r.Replies = outcomes(ids, nil)
	var got []eval.JobID
	var at []int
	for a, err := range r.ByQuery(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, a.Query)
		for m, samples := range a.Replies {
			for _, s := range samples {
				if s.Reply.Model != r.Plan.Models[m].Name || s.Reply.Query != r.Plan.Queries.Queries[a.Query].ID {
					t.Errorf("%s stands with model %d and query %d", s.Reply.JobID, m, a.Query)
				}
				got = append(got, s.Reply.JobID)
			}
		}
	}
	if len(got) != len(ids) || len(at) != 3 || at[0] != 0 || at[1] != 2 || at[2] != 3 {
		t.Errorf("outcomes %v of the queries %v", got, at)
	}
	broken := errors.New("the disk is gone")
	r.Replies = outcomes(ids[:1], broken)
	for _, err := range r.ByQuery(t.Context()) {
		if !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
	}
}

// outcomes yields outcomes of these jobs, and then the error if there is one.
func outcomes(ids []eval.JobID, err error) func(context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) {
			for _, id := range ids {
				if !yield(eval.ScoredReply{Reply: eval.Reply{JobID: id}}, nil) {
					return
				}
			}
			if err != nil {
				yield(eval.ScoredReply{}, err)
			}
		}
	}
}
