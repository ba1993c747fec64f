package scoring

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
)

// stored is a scored run in memory.
type stored struct {
	scoring *eval.ScoringRecord
	replies []eval.ScoredReply
}

func (s stored) Record() eval.RunRecord                         { return eval.RunRecord{Scoring: s.scoring} }
func (s stored) Reviews(context.Context) ([]eval.Review, error) { return nil, nil }
func (s stored) Replies(context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		for _, r := range s.replies {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// fourReplies are right, and scored as they should be.
func fourReplies(t *testing.T, embedding string) stored {
	t.Helper()
	s := stored{scoring: &eval.ScoringRecord{Scoring: eval.Scoring{Embedding: embedding}, Floors: map[string]float64{"m": 0.5}}}
	scorer := New(Config{})
	for _, id := range []string{"a", "b", "c", "d"} {
		r := eval.ScoredReply{Query: queries.Query{ID: id, Prompt: "The capital of France is", Keyword: "Paris", Reference: "Paris"},
			Reply: eval.Reply{JobID: eval.JobID{Model: "m", Query: id}, Text: " Paris"}}
		result, err := scorer.Score(t.Context(), Config{}.Pair(r.Query, r.Reply.Text))
		if err != nil {
			t.Fatal(err)
		}
		r.Scores = result.Scores
		floor := 0.5
		metrics.FillLift(r.Scores, &floor)
		s.replies = append(s.replies, r)
	}
	return s
}

func scoreOf(r eval.ScoredReply, metric string) *metrics.Score {
	return &r.Scores[slices.IndexFunc(r.Scores, func(s metrics.Score) bool { return s.Metric == metric })]
}

// goneOver is a run as it is now, after its replies were gone over once.
func goneOver(ctx context.Context, run eval.Run) (*Current, Changed, error) {
	c := NewCurrent(run)
	for _, err := range c.Replies(ctx) {
		if err != nil {
			return c, c.Changed(), err
		}
	}
	return c, c.Changed(), nil
}

// TestCurrent changes replies and scores, and wants the scores of the replies.
func TestCurrent(t *testing.T) {
	s := fourReplies(t, eval.EmbeddingBuiltin)
	s.replies[0].Reply.Text = " not Rome" // wrong now
	scoreOf(s.replies[1], metrics.EM).Value = 0
	for i := range s.replies[2].Scores {
		s.replies[2].Scores[i] = metrics.Score{Metric: s.replies[2].Scores[i].Metric, Status: metrics.Unscored}
	}
	run, changed, err := goneOver(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Changed{2, eval.JobID{Model: "m", Query: "a"}}); changed != want {
		t.Errorf("changed %+v, want %+v", changed, want)
	}
	var got []eval.ScoredReply
	for r, err := range run.Replies(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	for i, want := range []float64{0, 1, 0, 1} {
		if em := scoreOf(got[i], metrics.EM); em.Value != want || (em.Status == metrics.Scored) != (i != 2) {
			t.Errorf("reply %d: em %+v, want %v", i, em, want)
		}
	}
	cosine, lift := scoreOf(got[0], metrics.Cosine), scoreOf(got[0], metrics.CosineLift)
	if cosine.Value >= 0.99 || lift.Status != metrics.Scored || lift.Value != (cosine.Value-0.5)/0.5 {
		t.Errorf("cosine %+v, lift %+v", cosine, lift)
	}
	if scoreOf(s.replies[0], metrics.EM).Value != 1 {
		t.Error("the stored scores were changed in place")
	}
}

// TestCurrentKeepsServedCosines: a server's vectors cannot be had again.
func TestCurrentKeepsServedCosines(t *testing.T) {
	s := fourReplies(t, "nomic-embed-text")
	scoreOf(s.replies[0], metrics.Cosine).Value = 0.25
	if _, changed, err := goneOver(t.Context(), s); err != nil || changed.N > 0 {
		t.Errorf("%v, changed %v", err, changed)
	}
}

func TestCurrentOfARunNotScored(t *testing.T) {
	s := fourReplies(t, eval.EmbeddingBuiltin)
	s.scoring = nil
	run, changed, err := goneOver(t.Context(), s)
	if err != nil || changed.N > 0 || run.Record().Scoring != nil {
		t.Errorf("%v, changed %v", err, changed)
	}
}

// manyReplies are n replies whose stored em is wrong where changed says so.
func manyReplies(t *testing.T, n int, changed func(int) bool) stored {
	t.Helper()
	s := fourReplies(t, eval.EmbeddingBuiltin)
	right := s.replies[0]
	s.replies = nil
	for i := range n {
		r := right
		r.Scores = slices.Clone(right.Scores)
		r.Reply.JobID.Query = fmt.Sprint(i)
		if changed(i) {
			scoreOf(r, metrics.EM).Value = 0
		}
		s.replies = append(s.replies, r)
	}
	return s
}

// TestCurrentInOrder has many batches on several processors: every reply comes
// once, in its place, with the score that it gives, few or many of them changed.
func TestCurrentInOrder(t *testing.T) {
	const n = mostAnew + 3*renewBatch + 7
	for name, is := range map[string]func(int) bool{
		"few":  func(i int) bool { return i%1000 == 999 },
		"most": func(i int) bool { return i > 0 },
	} {
		t.Run(name, func(t *testing.T) {
			s := manyReplies(t, n, is)
			want := Changed{}
			for i := n - 1; i >= 0; i-- {
				if is(i) {
					want.N++
					want.First = s.replies[i].Reply.JobID
				}
			}
			run, changed, err := goneOver(t.Context(), s)
			if err != nil || changed != want {
				t.Fatalf("changed %+v, want %+v; error %v", changed, want, err)
			}
			i := 0
			for r, err := range run.Replies(t.Context()) {
				if err != nil || r.Query.ID != s.replies[i].Query.ID || r.Reply.JobID != s.replies[i].Reply.JobID || scoreOf(r, metrics.EM).Value != 1 {
					t.Fatalf("reply %d is %s with em %v, error %v", i, r.Reply.JobID, scoreOf(r, metrics.EM), err)
				}
				i++
			}
			if i != n {
				t.Errorf("%d replies of %d", i, n)
			}
			for range run.Replies(t.Context()) {
				break // whoever stops early waits for no worker
			}
		})
	}
}

// TestCurrentTellsReadErrors: what cannot be read ends the scoring with an error
// after the replies before it, and so does an interrupt.
func TestCurrentTellsReadErrors(t *testing.T) {
	s := manyReplies(t, 3*renewBatch, func(int) bool { return false })
	broken := errors.New("the disk is gone")
	if _, _, err := goneOver(t.Context(), failing{s, broken}); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := goneOver(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: error %v", err)
	}
}

// failing is a run that cannot be read to its end.
type failing struct {
	stored
	err error
}

func (f failing) Replies(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
	return func(yield func(eval.ScoredReply, error) bool) {
		for r, err := range f.stored.Replies(ctx) {
			if !yield(r, err) {
				return
			}
		}
		yield(eval.ScoredReply{}, f.err)
	}
}
