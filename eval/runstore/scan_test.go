package runstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/metrics"
)

// probed makes a closed record of so many replies of which each tenth of the
// first has a probe, so that both ways of reading a page come up.
func probed(t *testing.T, n, last int) (dir string) {
	t.Helper()
	s, dir := filled(t, n)
	for i := 0; i <= last; i += 10 {
		must(t, s.PutProbe(t.Context(), eval.Probe{ProbeID: eval.ProbeID{Model: "A", Query: fmt.Sprintf("q%04d", i)}, Incomparable: "why"}))
	}
	must(t, s.Close())
	return dir
}

// TestPagesKeepTheirOrder reads several pages, which are decoded beside each
// other.
func TestPagesKeepTheirOrder(t *testing.T) {
	const n = 1700
	for _, last := range []int{-1, 0, 700, n - 1} {
		r, err := runstore.Read(t.Context(), probed(t, n, last))
		must(t, err)
		got := collect(t, r)
		if len(got) != n {
			t.Fatalf("probes up to %d: %d replies, want %d", last, len(got), n)
		}
		for i, s := range got {
			if want := fmt.Sprintf("reply %d", i); s.Reply.Text != want || s.Query.ID != fmt.Sprintf("q%04d", i) || s.Reply.Query != s.Query.ID {
				t.Fatalf("probes up to %d: reply %d is %q to %s", last, i, s.Reply.Text, s.Query.ID)
			}
			if (s.Probe != nil) != (i <= last && i%10 == 0) {
				t.Fatalf("probes up to %d: reply %d has the probe %+v", last, i, s.Probe)
			}
		}
		must(t, r.Close())
	}
}

// TestScoresGoToTheirReplies reads samples of which only some have a score, by
// the newest of two scorings.
func TestScoresGoToTheirReplies(t *testing.T) {
	const n, samples = 400, 3
	rec := record(n)
	rec.Plan.Samples = samples
	rec.PlanHash = rec.Plan.Hash()
	dir := filepath.Join(t.TempDir(), "run")
	s, err := runstore.Create(t.Context(), dir, rec)
	must(t, err)
	defer s.Close()
	ctx := t.Context()
	id := func(i int) eval.JobID {
		return eval.JobID{Model: "A", Query: fmt.Sprintf("q%04d", i/samples), Sample: i % samples}
	}
	for i := range n * samples {
		must(t, s.Put(ctx, eval.Reply{JobID: id(i), Text: "K"}))
	}
	for value := range 2 {
		scoring, err := s.BeginScoring(ctx, true, eval.Scoring{Embedding: "builtin"}, time.Now())
		must(t, err)
		for i := range n * samples {
			if i%7 != 0 || value == 0 {
				score := metrics.Score{Metric: metrics.RougeLF1, Value: float64(value*i) / (n * samples), Status: metrics.Scored}
				must(t, s.PutScores(ctx, scoring, id(i), []metrics.Score{score}, []string{fmt.Sprint("flag", i)}))
			}
		}
		must(t, s.EndScoring(ctx, scoring, nil))
	}
	must(t, s.Close())
	r, err := runstore.Read(ctx, dir)
	must(t, err)
	defer r.Close()
	got := collect(t, r)
	if len(got) != n*samples {
		t.Fatalf("%d replies, want %d", len(got), n*samples)
	}
	for i, s := range got {
		score, scored := metrics.Find(s.Scores, metrics.RougeLF1), i%7 != 0
		if s.Reply.JobID != id(i) || (score.Status == metrics.Scored) != scored || scored && (score.Value != float64(i)/(n*samples) || s.Flags[0] != fmt.Sprint("flag", i)) {
			t.Fatalf("reply %d is %s with %+v, flags %v", i, s.Reply.JobID, score, s.Flags)
		}
	}
}

// TestDamageInAPage wants the pages before it, the name of what is damaged, and
// nothing after it.
func TestDamageInAPage(t *testing.T) {
	whole := os.DirFS(probed(t, 1700, 1000))
	for _, test := range []struct{ damage, says string }{
		{"UPDATE replies SET text = 'x' WHERE query = 777", "the reply of A q0777"},
		{"UPDATE replies SET start_ns = 'soon' WHERE query = 777", "a reply of A cannot be read: string in place of int64"},
		{"UPDATE replies SET host = x'00' WHERE query = 777", "in place of string"},
		{"UPDATE replies SET checksum = 7 WHERE query = 777", "a reply of A cannot be read"},
		{"UPDATE scores SET vals = '{' WHERE query = 777", "decode scores"},
		{"UPDATE probes SET incomparable = 'x' WHERE query = 770", "the probabilities of A q0770"},
		{"UPDATE probes SET start_ns = 'soon' WHERE query = 770", "in place of int64"},
	} {
		dir := t.TempDir()
		must(t, os.CopyFS(dir, whole), runstore.Damage(dir, test.damage))
		r, err := runstore.Read(t.Context(), dir)
		must(t, err)
		n, failed := 0, error(nil)
		for _, err := range r.Replies(t.Context()) {
			if err == nil && failed == nil {
				n++
			} else if failed == nil {
				failed = err
			} else {
				t.Errorf("%s: it goes on after %v", test.damage, failed)
			}
		}
		if n != 500 || failed == nil || !strings.Contains(failed.Error(), test.says) {
			t.Errorf("%s: %d replies, error %v, want %q", test.damage, n, failed, test.says)
		}
		must(t, r.Close())
	}
}

// TestReadingLeavesNoGoroutine, wherever who reads stops.
func TestReadingLeavesNoGoroutine(t *testing.T) {
	r, err := runstore.Read(t.Context(), probed(t, 1700, -1))
	must(t, err)
	defer r.Close()
	before := runtime.NumGoroutine()
	for _, after := range []int{1, 499, 500, 501, 1200, 1700} {
		n := 0
		for _, err := range r.Replies(t.Context()) {
			must(t, err)
			if n++; n == after {
				break
			}
		}
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
