package files

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/gate"
)

// TestOneLookJudgesAsAnother judges runs by what the report's own pass over the
// replies shows, and by a pass of the gate's own.
func TestOneLookJudgesAsAnother(t *testing.T) {
	ctx := t.Context()
	came := make(map[reports.Outcome]bool)
	for _, text := range []string{" Rome", " no idea"} {
		for _, right := range []string{"", ", queries_right: [q1, q2]", ", queries_right: [q2, q9]"} {
			run := storedRun{dir: t.TempDir(), text: text, em: 1, planned: "aa", by: eval.Scoring{Embedding: eval.EmbeddingBuiltin}}
			queries := run.Record().Plan.Queries
			expected, err := gate.Parse(fmt.Appendf(nil, "version: 1\nqueries: {n: 2, sha256: %s}\nmodels: {student: {metrics: {em: {min: 0.9}}%s}}\n",
				queries.SHA256(), right), "expected.yaml")
			if err != nil {
				t.Fatal(err)
			}
			passes := 0
			counted := countedRun{run, &passes}
			r, err := Conclude(ctx, counted, &expected, nil)
			if err != nil || passes != 1 {
				t.Fatalf("%d passes over the replies, error %v", passes, err)
			}
			own, err := gate.Check(ctx, built(t, countedRun{run, new(int)}), expected, gate.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(own, *r.Judgement); diff != "" {
				t.Errorf("%q%s: a look of its own -, the report's +:\n%s", text, right, diff)
			}
			// By the scores that the replies give, whatever is stored.
			look := gate.NewLook(run.Record(), expected)
			now, _, err := Current(ctx, counted, nil, look.Take)
			if err != nil || passes != 2 {
				t.Fatalf("%d passes over the replies, error %v", passes, err)
			}
			hooked, err := look.Check(ctx, now, gate.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if own, err = gate.Check(ctx, now, expected, gate.Options{}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(own, hooked); diff != "" {
				t.Errorf("%q%s, scored again: a look of its own -, the report's +:\n%s", text, right, diff)
			}
			came[hooked.Status()] = true
		}
	}
	for _, want := range []reports.Outcome{reports.Pass, reports.Regression, reports.Inconclusive} {
		if !came[want] {
			t.Errorf("no run came to %s: %v", want, came)
		}
	}
}

// countedRun counts the passes over its replies, which have a score of every
// metric.
type countedRun struct {
	storedRun
	passes *int
}

func (r countedRun) Replies(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
	*r.passes++
	return func(yield func(eval.ScoredReply, error) bool) {
		for s, err := range r.storedRun.Replies(ctx) {
			em := s.Scores[0].Value
			s.Scores = nil
			for _, m := range metrics.All() {
				score := metrics.Score{Metric: m.Name, Status: metrics.Unscored}
				if m.Name == metrics.EM {
					score.Value, score.Status = em, metrics.Scored
				}
				s.Scores = append(s.Scores, score)
			}
			if !yield(s, err) {
				return
			}
		}
	}
}
