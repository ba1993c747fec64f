package runstore_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/likelihood"
)

// TestWhatIsRemembered lets a store write at random, and wants the process that
// wrote to see what another one reads.
func TestWhatIsRemembered(t *testing.T) {
	for seed := range uint64(8) {
		s, dir := create(t, 12)
		scribble(t, s, rand.New(rand.NewPCG(seed, 0)))
		if !s.Remembers() {
			t.Fatal("nothing is remembered: the test compares the disk with itself")
		}
		asked := collect(t, s)
		if diff := cmp.Diff(collect(t, reopen(t, s, dir)), asked); diff != "" || len(asked) == 0 {
			t.Fatalf("seed %d, %d replies, -on disk +in memory:\n%s", seed, len(asked), diff)
		}
	}
}

// scribble puts replies, failures, probes and scores in an order of chance, some
// of them twice.
func scribble(t *testing.T, s *runstore.Store, random *rand.Rand) {
	t.Helper()
	ctx := t.Context()
	id := func() eval.JobID {
		return eval.JobID{Model: []string{"A", "B"}[random.IntN(2)], Query: fmt.Sprintf("q%04d", random.IntN(12))}
	}
	for range 40 {
		r := eval.Reply{JobID: id(), Text: "a\x00\xff\u202e", Reasoning: "b", DoneReason: "stop", Host: "gpu1",
			Timing: eval.Timing{Start: time.Now(), End: time.Now(), Attempts: random.IntN(3), Load: time.Duration(random.IntN(9))}}
		switch random.IntN(3) {
		case 0:
			r.Failure = &eval.Failure{Kind: eval.FailTimeout, Message: "late", Retry: true, After: time.Second}
		case 1:
			r.Usage, r.Energy = eval.Usage{PromptTokens: new(3), CompletionTokens: new(0)}, new(emissions.Energy(7))
			r.Tokens = []eval.Token{{ID: 1, Text: "\xffx", Logprob: -1.0 / 3, Top: []eval.Alternative{}}}
		}
		must(t, s.Put(ctx, r))
		if p := id(); random.IntN(2) == 0 {
			must(t, s.PutProbe(ctx, eval.Probe{ProbeID: eval.ProbeID{Model: p.Model, Query: p.Query}, Start: time.Now(), End: time.Now(),
				Answers: []likelihood.Form{{Text: "K", Bytes: 1, Reason: "lost"}}, Divergences: []likelihood.Divergence{}}))
		}
	}
	for _, own := range []bool{true, true, false}[:1+random.IntN(3)] {
		scoring, err := s.BeginScoring(ctx, own, eval.Scoring{Embedding: "builtin"}, time.Now())
		must(t, err)
		for i := range random.IntN(12) {
			scores := []metrics.Score{{Metric: metrics.EM, Value: 1, Status: metrics.Scored}, {Metric: metrics.Cosine, Value: 0.5, Status: metrics.Scored},
				{Metric: metrics.RougeLF1, Status: metrics.Unscored, Reason: `no "words"`}}
			must(t, s.PutScores(ctx, scoring, eval.JobID{Model: "A", Query: fmt.Sprintf("q%04d", i)}, scores, []string{"negated"}))
		}
		must(t, s.EndScoring(ctx, scoring, map[string]float64{"A": 0.25}))
	}
	must(t, s.Refresh(ctx))
}

// TestMemoryThatIsFull: what does not fit is read from the disk.
func TestMemoryThatIsFull(t *testing.T) {
	s, _ := create(t, 8)
	long := strings.Repeat("x", 8<<20)
	for i := range 8 {
		must(t, s.Put(t.Context(), eval.Reply{JobID: eval.JobID{Model: "A", Query: fmt.Sprintf("q%04d", i)}, Text: long}))
	}
	must(t, s.Flush(t.Context()))
	if s.Remembers() {
		t.Error("64 MB are remembered")
	}
	if got := collect(t, s); len(got) != 8 || got[7].Reply.Text != long {
		t.Errorf("%d replies, not the eight that were put", len(got))
	}
}
