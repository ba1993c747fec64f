package runstore_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/likelihood"
)

// BenchmarkReplies writes 5,000 scored replies once and reads them again and
// again.
func BenchmarkReplies(b *testing.B) {
	const n = 5000
	ctx := b.Context()
	dir := filepath.Join(b.TempDir(), "run")
	write(b, dir, n)
	s, err := runstore.Read(ctx, dir)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
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

// BenchmarkCreate begins runs, as Create does before any question.
func BenchmarkCreate(b *testing.B) {
	for _, n := range []int{2000, 20_000} {
		rec := record(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				s, err := runstore.Create(b.Context(), filepath.Join(b.TempDir(), "run"), rec)
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWrite writes 5,000 replies, their scores and probes.
func BenchmarkWrite(b *testing.B) {
	const n = 5000
	b.ReportAllocs()
	for b.Loop() {
		write(b, filepath.Join(b.TempDir(), "run"), n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/reply")
}

// write makes the record of a run of n replies with scores and probes.
func write(b *testing.B, dir string, n int) {
	b.Helper()
	ctx := b.Context()
	s, err := runstore.Create(ctx, dir, record(n))
	if err != nil {
		b.Fatal(err)
	}
	id, err := s.BeginScoring(ctx, true, eval.Scoring{}, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	var scores []metrics.Score
	for i, m := range metrics.All() {
		scores = append(scores, metrics.Score{Metric: m.Name, Value: float64(i) / 7, Status: metrics.Scored})
	}
	each := func(put func(job eval.JobID) error) {
		for i := range n {
			if err := put(eval.JobID{Model: "A", Query: fmt.Sprintf("q%04d", i)}); err != nil {
				b.Fatal(err)
			}
		}
	}
	each(func(job eval.JobID) error {
		return s.Put(ctx, eval.Reply{JobID: job, Text: " is Paris, a city that many people know.", DoneReason: "stop",
			Timing: eval.Timing{Start: time.Now(), End: time.Now()}, Usage: eval.Usage{PromptTokens: new(6), CompletionTokens: new(8)}})
	})
	each(func(job eval.JobID) error { return s.PutScores(ctx, id, job, scores, nil) })
	each(func(job eval.JobID) error {
		return s.PutProbe(ctx, eval.Probe{ProbeID: eval.ProbeID{Model: "A", Query: job.Query}, Answers: []likelihood.Form{{Text: "K", Bytes: 2, Reason: "lost"}}})
	})
	if err := errors.Join(s.EndScoring(ctx, id, nil), s.Close()); err != nil {
		b.Fatal(err)
	}
}
