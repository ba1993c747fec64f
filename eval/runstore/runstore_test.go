package runstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
)

func record(n int) eval.RunRecord {
	set := queries.Set{Name: "test", Version: "1"}
	for i := range n {
		set.Queries = append(set.Queries, queries.Query{ID: fmt.Sprintf("q%04d", i), Prompt: "P", Keyword: "K", Reference: "K"})
	}
	p := eval.Plan{Queries: set, Parallel: 1, Models: []eval.Model{{Name: "A", Model: "a"}, {Name: "B", Model: "b"}}}
	return eval.RunRecord{ID: "test", Created: time.Unix(1000, 5).UTC(), Plan: p, PlanHash: p.Hash()}
}

func create(t *testing.T, n int) (*runstore.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run #1?") // characters that a URI must escape
	s, err := runstore.Create(t.Context(), dir, record(n))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, dir
}

func collect(t *testing.T, s *runstore.Store) []eval.ScoredReply {
	t.Helper()
	var out []eval.ScoredReply
	for r, err := range s.Replies(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func reopen(t *testing.T, s *runstore.Store, dir string) *runstore.Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := runstore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Close() })
	if err := again.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return again
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestRoundTrip(t *testing.T) {
	s, dir := create(t, 3)
	ctx := t.Context()
	joules := emissions.Energy(12)
	full := eval.Reply{JobID: eval.JobID{Model: "B", Query: "q0001"}, Text: "x\x00\x1b[31m\u202e é", DoneReason: "length",
		Usage:  eval.Usage{PromptTokens: new(3), CompletionTokens: new(64)},
		Timing: eval.Timing{Start: time.Unix(5, 7), End: time.Unix(6, 9), Attempts: 2, Load: 1, PromptEval: 2, Eval: 3}, Energy: &joules}
	failed := eval.Reply{JobID: eval.JobID{Model: "A", Query: "q0002"}, Timing: eval.Timing{Start: time.Unix(1, 0), End: time.Unix(2, 0), Attempts: 4},
		Failure: &eval.Failure{Kind: eval.FailTimeout, Message: "no byte"}}
	phase := eval.Phase{Model: "A", Process: 1, Name: eval.PhaseAnswer, Start: time.Unix(1, 0), End: time.Unix(2, 0),
		Reading: emissions.Reading{Energy: 99, Quality: emissions.Measured, Method: "rapl"}}
	must(t, s.Put(ctx, full), s.Put(ctx, failed), s.PutPhase(ctx, phase), s.GiveUp(ctx, "A", "five in a row"), s.Warn(ctx, "w"), s.Flush(ctx))

	s = reopen(t, s, dir)
	got := collect(t, s)
	if len(got) != 2 || !reflect.DeepEqual(got[0].Reply, failed) || !reflect.DeepEqual(got[1].Reply, full) {
		t.Errorf("replies: %+v", got)
	}
	for _, sc := range got[0].Scores {
		if sc.Status != metrics.Unscored || sc.Reason == "" {
			t.Errorf("a failure has the score %+v", sc)
		}
	}
	rec := s.Record()
	if rec.GaveUp["A"] != "five in a row" || len(rec.Warnings) != 1 || len(rec.Phases) != 1 || rec.Phases[0].Reading.Energy != 99 {
		t.Errorf("record: %+v", rec)
	}
	if rec.Plan.Hash() != record(3).PlanHash || !rec.Created.Equal(record(3).Created) {
		t.Errorf("the plan has changed on its way through the file")
	}
	done, err := s.Done(ctx)
	if err != nil || !done[full.JobID] || done[failed.JobID] {
		t.Errorf("Done = %v, %v; want the answer and not the failure of a model given up", done, err)
	}
}

func TestFailureOfAModelThatWentOnIsDone(t *testing.T) {
	s, _ := create(t, 1)
	id := eval.JobID{Model: "A", Query: "q0000"}
	must(t, s.Put(t.Context(), eval.Reply{JobID: id, Failure: &eval.Failure{Kind: eval.FailStatus}}), s.Flush(t.Context()))
	if done, err := s.Done(t.Context()); err != nil || !done[id] {
		t.Errorf("Done = %v, %v", done, err)
	}
}

func TestScores(t *testing.T) {
	s, dir := create(t, 2)
	ctx := t.Context()
	id := eval.JobID{Model: "A", Query: "q0000"}
	must(t, s.Put(ctx, eval.Reply{JobID: id, Text: "K"}))
	score := func(own bool, em, cosine, floor float64) {
		t.Helper()
		n, err := s.BeginScoring(ctx, own, eval.Scoring{Embedding: "builtin"}, time.Now())
		must(t, err)
		scores := make([]metrics.Score, 0, 9)
		for _, m := range metrics.All() {
			sc := metrics.Score{Metric: m.Name, Status: metrics.Unscored, Reason: `no "word"`}
			switch m.Name {
			case metrics.EM:
				sc = metrics.Score{Metric: m.Name, Value: em, Status: metrics.Scored}
			case metrics.Cosine:
				sc = metrics.Score{Metric: m.Name, Value: cosine, Status: metrics.Scored}
			}
			scores = append(scores, sc)
		}
		must(t, s.PutScores(ctx, n, id, scores, []string{"negated"}), s.EndScoring(ctx, n, map[string]float64{"A": floor}))
	}
	value := func(name string) metrics.Score {
		t.Helper()
		for _, sc := range collect(t, s)[0].Scores {
			if sc.Metric == name {
				return sc
			}
		}
		t.Fatalf("no score %s", name)
		return metrics.Score{}
	}
	score(true, 1, 0.1+0.2, 0.5)
	s = reopen(t, s, dir)
	if got := value(metrics.Cosine); got.Value != 0.1+0.2 {
		t.Errorf("cosine = %v, not digit for digit", got.Value)
	}
	if got, want := value(metrics.CosineLift).Value, (0.1+0.2-0.5)/0.5; got != want {
		t.Errorf("cosine_lift = %v, want %v", got, want)
	}
	if got := value(metrics.EMStrict); got.Status != metrics.Unscored || got.Reason != `no "word"` {
		t.Errorf("em_strict = %+v", got)
	}
	if flags := collect(t, s)[0].Flags; len(flags) != 1 || flags[0] != "negated" {
		t.Errorf("flags = %v", flags)
	}
	score(false, 0, 0.9, 0.5)
	must(t, s.Refresh(ctx))
	if got := value(metrics.EM); got.Value != 0 || s.Record().Scoring.ID != 2 {
		t.Errorf("the later scoring does not count: em = %v, scoring %d", got.Value, s.Record().Scoring.ID)
	}
}

func TestInterruptedScoringDoesNotCount(t *testing.T) {
	s, dir := create(t, 1)
	ctx := t.Context()
	if _, err := s.BeginScoring(ctx, true, eval.Scoring{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s, dir)
	if s.Record().Scoring != nil {
		t.Errorf("half a scoring counts as one")
	}
	if _, err := s.BeginScoring(ctx, true, eval.Scoring{}, time.Now()); err != nil {
		t.Errorf("score again: %v", err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	s, dir := create(t, 1)
	must(t, s.Flush(t.Context()))
	if _, err := runstore.Open(t.Context(), dir); !errors.Is(err, runstore.ErrBusy) {
		t.Errorf("a second opening: %v, want ErrBusy", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	empty := t.TempDir()
	if _, err := runstore.Open(t.Context(), empty); !errors.Is(err, runstore.ErrNotRun) {
		t.Errorf("an empty folder: %v", err)
	}
	garbage := t.TempDir()
	must(t, os.WriteFile(filepath.Join(garbage, runstore.FileName), []byte(strings.Repeat("not a database ", 500)), 0o644))
	if _, err := runstore.Open(t.Context(), garbage); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("garbage: %v", err)
	}
	if _, err := runstore.Create(t.Context(), garbage, record(1)); err == nil {
		t.Errorf("a new run over an old one is not refused")
	}
}

func TestMovedTo(t *testing.T) {
	s, dir := create(t, 1)
	must(t, s.MoveTo(t.Context(), "linux/b"), s.MoveTo(t.Context(), "linux/a"), s.MoveTo(t.Context(), "linux/b"))
	if got := strings.Join(reopen(t, s, dir).Record().MovedTo, " "); got != "linux/a linux/b" {
		t.Errorf("moved to %q", got)
	}
}

// A row that points outside the plan is told, and neither read as something
// else nor a panic.
func TestDamagedRecord(t *testing.T) {
	for _, damage := range []string{
		"UPDATE replies SET query = 9 WHERE query = 1",
		"DELETE FROM queries WHERE idx = 2",
		"DELETE FROM queries WHERE idx = 0",
		"UPDATE phases SET model = 9",
		"INSERT INTO gave_up VALUES (9, 'x', NULL)",
		"INSERT INTO reviews VALUES (0, 9, 0, 'ann', 'right', '', 0, NULL)",
		"INSERT INTO reviews VALUES (-1, 0, 0, 'ann', 'right', '', 0, NULL)",
	} {
		s, dir := create(t, 3)
		for _, q := range []string{"q0000", "q0001", "q0002"} {
			must(t, s.Put(t.Context(), eval.Reply{JobID: eval.JobID{Model: "A", Query: q}, Text: "K"}))
		}
		must(t, s.PutPhase(t.Context(), eval.Phase{Model: "A", Name: eval.PhaseAnswer, Process: 1}), s.Close(), runstore.Damage(dir, damage))
		if err := readAll(t, dir); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: error %v", damage, err)
		}
	}
}

// readAll reads everything that a report is made of.
func readAll(t *testing.T, dir string) error {
	s, err := runstore.Open(t.Context(), dir)
	if err != nil {
		return err
	}
	defer s.Close()
	_, reviews := s.Reviews(t.Context())
	_, done := s.Done(t.Context())
	err = errors.Join(s.Refresh(t.Context()), reviews, done)
	for _, replies := range s.Replies(t.Context()) {
		err = errors.Join(err, replies)
	}
	return err
}

func TestReadOnlyFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		// Root may write anywhere; the file system must say no.
		t.Log("as root this checks the reading only")
	}
	s, dir := create(t, 1)
	must(t, s.Put(t.Context(), eval.Reply{JobID: eval.JobID{Model: "A", Query: "q0000"}, Text: "K"}), s.Close())
	must(t, os.Chmod(filepath.Join(dir, runstore.FileName), 0o444), os.Chmod(dir, 0o555))
	t.Cleanup(func() { os.Chmod(dir, 0o755) })
	r, err := runstore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := collect(t, r); len(got) != 1 {
		t.Errorf("%d replies", len(got))
	}
}

func TestFullDisk(t *testing.T) {
	s, dir := create(t, 2000)
	ctx := t.Context()
	must(t, s.Put(ctx, eval.Reply{JobID: eval.JobID{Model: "A", Query: "q0000"}, Text: "first"}), s.Flush(ctx))
	must(t, runstore.LimitPages(s, 4))
	var failed error
	for i := 1; i < 2000 && failed == nil; i++ {
		failed = s.Put(ctx, eval.Reply{JobID: eval.JobID{Model: "A", Query: fmt.Sprintf("q%04d", i)}, Text: strings.Repeat("x", 10_000)})
	}
	if failed == nil {
		failed = s.Flush(ctx)
	}
	if failed == nil || !strings.Contains(failed.Error(), "the disk is full") || !strings.Contains(failed.Error(), "--resume") {
		t.Fatalf("a full disk: %v", failed)
	}
	if err := s.Close(); err == nil {
		t.Errorf("Close says nothing of what was lost")
	}
	again, err := runstore.Open(ctx, dir)
	must(t, err)
	defer again.Close()
	if got := collect(t, again); len(got) == 0 || got[0].Reply.Text != "first" {
		t.Errorf("what was stored before is gone: %d replies", len(got))
	}
}

func TestPutAfterCancel(t *testing.T) {
	s, _ := create(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	must(t, s.Put(ctx, eval.Reply{JobID: eval.JobID{Model: "A", Query: "q0000"}, Text: "K"}))
	cancel()
	must(t, s.Flush(t.Context()))
	if got := collect(t, s); len(got) != 1 {
		t.Errorf("an interrupt has undone what was received")
	}
}
