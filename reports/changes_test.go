package reports_test

import (
	"context"
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

// changedRun is a run of models over queries, each reply right or wrong by right.
func changedRun(id string, models []string, n int, right func(model string, q int) bool) reports.Report {
	r := reports.Report{RunID: id, Scoring: &eval.ScoringRecord{Scoring: eval.Scoring{Embedding: eval.EmbeddingBuiltin}}, Queries: reports.QuerySet{N: n}}
	var replies []eval.ScoredReply
	for _, m := range models {
		r.Models = append(r.Models, reports.Model{Model: eval.Model{Name: m}})
		r.Plan.Models = append(r.Plan.Models, eval.Model{Name: m, Digest: "sha256:" + id})
		for q := range n {
			s := eval.ScoredReply{Query: queries.Query{ID: fmt.Sprintf("q%03d", q), Prompt: "The capital of France is", Keyword: "Paris"}}
			s.Reply = eval.Reply{JobID: eval.JobID{Model: m, Query: s.Query.ID}, Text: " in " + id}
			em := 0.0
			if right(m, q) {
				em, s.Reply.Text = 1, " Paris in "+id
			}
			s.Scores = []metrics.Score{{Metric: metrics.EM, Value: em, Status: metrics.Scored},
				{Metric: metrics.AnswerBits, Value: 10 - em, Status: metrics.Scored},
				{Metric: metrics.Cosine, Value: em / 2, Status: metrics.Scored}}
			replies = append(replies, s)
		}
	}
	r.Replies = func(context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) {
			for _, s := range replies {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
	return r
}

// edited is a run with its replies changed.
func edited(r reports.Report, change func(i int, s *eval.ScoredReply)) reports.Report {
	all := r.Replies
	r.Replies = func(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) {
			i := 0
			for s, err := range all(ctx) {
				s.Scores = append([]metrics.Score(nil), s.Scores...)
				change(i, &s)
				if i++; !yield(s, err) {
					return
				}
			}
		}
	}
	return r
}

func pairOf(t *testing.T, a, b reports.Report) reports.Changes {
	t.Helper()
	c, err := reports.Pair(t.Context(), a, b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func scoreOf(m reports.ModelChanges, metric string) reports.MetricChange {
	for _, s := range m.Scores {
		if s.Metric == metric {
			return s
		}
	}
	return reports.MetricChange{}
}

// TestChanges takes two models of which one loses eight queries and gains one.
func TestChanges(t *testing.T) {
	before := changedRun("one", []string{"a", "b", "gone"}, 100, func(string, int) bool { return true })
	before = edited(before, func(i int, s *eval.ScoredReply) {
		if i == 99 {
			s.Scores[0].Value, s.Reply.Text = 0, " Rome"
		}
	})
	after := changedRun("two", []string{"b", "a", "new"}, 100, func(m string, q int) bool { return m != "a" || q >= 8 })
	c := pairOf(t, before, after)
	if c.Before != "one" || c.After != "two" || strings.Join(c.Others, " ") != "gone new" || len(c.Models) != 2 || c.Models[0].Model != "b" {
		t.Fatalf("%+v", c)
	}
	if !strings.Contains(strings.Join(c.Differences, "\n"), "model a digest: was sha256:one, now sha256:two") {
		t.Errorf("differences %q", c.Differences)
	}
	a := c.Models[1]
	if len(a.NewlyWrong) != 8 || len(a.NewlyRight) != 1 || a.N != 100 {
		t.Fatalf("%d newly wrong, %d newly right of %d", len(a.NewlyWrong), len(a.NewlyRight), a.N)
	}
	if w := a.NewlyWrong[0]; w != (reports.Change{Query: "q000", Prompt: "The capital of France is", Keyword: "Paris", Before: " Paris in one", Reply: " in two"}) {
		t.Errorf("newly wrong begins with %+v", w)
	}
	em := scoreOf(a, metrics.EM)
	if p := 20.0 / 512; math.Abs(em.P-p) > 1e-12 || math.Abs(*em.PHolm-2*p) > 1e-12 || em.Verdict() != "noise" || math.Abs(em.Difference+0.07) > 1e-12 {
		t.Errorf("em %+v, %s", em, em.Verdict())
	}
	if bits := scoreOf(a, metrics.AnswerBits); bits.Difference <= 0 || bits.Verdict() != "worse" || !bits.HasInterval {
		t.Errorf("more bits are worse: %+v, %s", bits, bits.Verdict())
	}
	if none := scoreOf(a, metrics.RougeLF1); none.N != 0 || none.Verdict() != reports.None || none.PHolm != nil {
		t.Errorf("a metric that nobody has: %+v", none)
	}
}

// TestChangesAreOfWhatBothHave leaves out what was asked in other words, failed
// or is not scored.
func TestChangesAreOfWhatBothHave(t *testing.T) {
	all := func(string, int) bool { return true }
	before := changedRun("one", []string{"a"}, 20, all)
	after := edited(changedRun("two", []string{"a"}, 20, all), func(i int, s *eval.ScoredReply) {
		switch i {
		case 0:
			s.Query.Prompt = "La capitale de la France est"
		case 1:
			s.Reply.Failure = &eval.Failure{Kind: eval.FailTimeout}
		case 2:
			s.Scores[0].Status = metrics.Unscored
		case 3:
			s.Scores[2].Value, s.Scores[2].Bound = 0.9, metrics.AtLeast
		}
	})
	m := pairOf(t, before, after).Models[0]
	if m.N != 17 || m.Asked != 20 || !strings.Contains(m.Counts(), "3 of the 20 asked are not") {
		t.Errorf("%d pairs of %d: %s", m.N, m.Asked, m.Counts())
	}
	if cosine := scoreOf(m, metrics.Cosine); cosine.Test != "sign-exact" || cosine.Wins != 1 || cosine.N != 18 {
		t.Errorf("with a bound only the order counts: %+v", cosine)
	}
	after.Scoring = &eval.ScoringRecord{Scoring: eval.Scoring{IncludePrompt: true}}
	if c := pairOf(t, before, after); c.Unpaired == "" || len(c.Models) > 0 {
		t.Errorf("runs that are scored in different ways are compared: %+v", c)
	}
}

// TestChangesOfSamples takes the mean of a query's samples as its score.
func TestChangesOfSamples(t *testing.T) {
	sampled := func(id string, right int) reports.Report {
		r := changedRun(id, []string{"a"}, 10, func(string, int) bool { return false })
		i := 0
		all := r.Replies
		r.Replies = func(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
			return func(yield func(eval.ScoredReply, error) bool) {
				for s, err := range all(ctx) {
					for sample := range 4 {
						s.Reply.Sample = sample
						s.Scores = []metrics.Score{{Metric: metrics.EM, Status: metrics.Scored}}
						if sample < right {
							s.Scores[0].Value = 1
						}
						if i++; !yield(s, err) {
							return
						}
					}
				}
			}
		}
		return r
	}
	m := pairOf(t, sampled("one", 3), sampled("two", 1)).Models[0]
	if em := scoreOf(m, metrics.EM); em.N != 10 || em.Before != 0.75 || em.After != 0.25 || em.Test != "paired-bootstrap" || em.Verdict() != "worse" {
		t.Errorf("%+v", em)
	}
}
