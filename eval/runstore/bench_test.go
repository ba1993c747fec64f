package runstore_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/metrics"
)

// BenchmarkReplies writes 5,000 scored replies once and reads them again and
// again.
func BenchmarkReplies(b *testing.B) {
	const n = 5000
	ctx := b.Context()
	s, err := runstore.Create(ctx, filepath.Join(b.TempDir(), "run"), record(n))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	id, err := s.BeginScoring(ctx, true, eval.Scoring{}, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	var scores []metrics.Score
	for i, m := range metrics.All() {
		scores = append(scores, metrics.Score{Metric: m.Name, Value: float64(i) / 7, Status: metrics.Scored})
	}
	for i := range n {
		job := eval.JobID{Model: "A", Query: fmt.Sprintf("q%04d", i)}
		r := eval.Reply{JobID: job, Text: " is Paris, a city that many people know.", DoneReason: "stop", Timing: eval.Timing{Start: time.Now(), End: time.Now()},
			Usage: eval.Usage{PromptTokens: new(6), CompletionTokens: new(8)}}
		if err := s.Put(ctx, r); err != nil {
			b.Fatal(err)
		}
		if err := s.PutScores(ctx, id, job, scores, nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.EndScoring(ctx, id, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range s.Replies(ctx) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/reply")
}
