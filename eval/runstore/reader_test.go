package runstore_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
)

// filled makes the record of a run with replies, phases and scores, and leaves
// it open.
func filled(t *testing.T, n int) (*runstore.Store, string) {
	t.Helper()
	s, dir := create(t, n)
	ctx := t.Context()
	for i := range n {
		id := eval.JobID{Model: "A", Query: fmt.Sprintf("q%04d", i)}
		must(t, s.Put(ctx, eval.Reply{JobID: id, Text: fmt.Sprintf("reply %d", i), DoneReason: "stop",
			Usage:  eval.Usage{PromptTokens: new(3), CompletionTokens: new(i)},
			Timing: eval.Timing{Start: time.Unix(2000, 0), End: time.Unix(2000, int64(i)), Attempts: 1}, Energy: new(emissions.Energy(7))}))
	}
	must(t, s.PutPhase(ctx, eval.Phase{Model: "A", Process: 1, Name: eval.PhaseAnswer, Start: time.Unix(2000, 0), End: time.Unix(2001, 0)}),
		s.Warn(ctx, "a warning"), s.GiveUp(ctx, "B", "it is gone"))
	scoring, err := s.BeginScoring(ctx, true, eval.Scoring{Embedding: "builtin"}, time.Now())
	must(t, err)
	for i := range n {
		id := eval.JobID{Model: "A", Query: fmt.Sprintf("q%04d", i)}
		must(t, s.PutScores(ctx, scoring, id, []metrics.Score{{Metric: metrics.EM, Value: 1, Status: metrics.Scored}}, nil))
	}
	must(t, s.EndScoring(ctx, scoring, nil))
	return s, dir
}

func sumOf(t *testing.T, path string) [32]byte {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return sha256.Sum256(data)
}

func TestReadersSideBySideChangeNothing(t *testing.T) {
	s, dir := filled(t, 5)
	must(t, s.Close())
	before := sumOf(t, filepath.Join(dir, runstore.FileName))
	var readers []*runstore.Store
	for range 3 {
		r, err := runstore.Read(t.Context(), dir)
		must(t, err)
		if got := len(collect(t, r)); got != 5 {
			t.Errorf("%d replies, want 5", got)
		}
		readers = append(readers, r)
	}
	if err := readers[0].Put(t.Context(), eval.Reply{JobID: eval.JobID{Model: "A", Query: "q0000"}}); err == nil {
		t.Error("a reader can write")
	}
	for _, r := range readers {
		must(t, r.Close())
	}
	if sumOf(t, filepath.Join(dir, runstore.FileName)) != before {
		t.Error("reading has changed the record")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("reading leaves files: %v", left)
	}
}

func TestReadWhileWritten(t *testing.T) {
	_, dir := filled(t, 1)
	if _, err := runstore.Read(t.Context(), dir); !errors.Is(err, runstore.ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
}

// TestReadLeftLog reads what a killed process left in its log: in place, and
// from a copy as where the folder cannot be written.
func TestReadLeftLog(t *testing.T) {
	s, dir := filled(t, 4)
	must(t, s.Flush(t.Context()))
	killed := filepath.Join(t.TempDir(), "killed")
	must(t, os.CopyFS(killed, os.DirFS(dir)))
	if info, err := os.Stat(filepath.Join(killed, runstore.FileName+"-wal")); err != nil || info.Size() == 0 {
		t.Fatalf("there is no log to read: %v", err)
	}
	before := sumOf(t, filepath.Join(killed, runstore.FileName))
	for name, read := range map[string]func() (*runstore.Store, error){
		"copy":     func() (*runstore.Store, error) { return runstore.ReadCopy(t.Context(), killed) },
		"in place": func() (*runstore.Store, error) { return runstore.Read(t.Context(), killed) },
	} {
		if name == "in place" && sumOf(t, filepath.Join(killed, runstore.FileName)) != before {
			t.Error("reading a copy has changed the record")
		}
		r, err := read()
		must(t, err)
		if got := len(collect(t, r)); got != 4 {
			t.Errorf("%s: %d replies, want 4", name, got)
		}
		must(t, r.Close())
	}
}

// TestReadLeftLogReadOnly reads what a killed process left where nobody may
// write, and wants all of it.
func TestReadLeftLogReadOnly(t *testing.T) {
	s, dir := filled(t, 4)
	must(t, s.Flush(t.Context()))
	killed := filepath.Join(t.TempDir(), "killed")
	must(t, os.CopyFS(killed, os.DirFS(dir)))
	readOnly(t, killed)
	r, err := runstore.Read(t.Context(), killed)
	must(t, err)
	defer r.Close()
	if got := len(collect(t, r)); got != 4 {
		t.Errorf("%d replies, want 4", got)
	}
	if _, err := runstore.Open(t.Context(), killed); err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("it is opened to write: %v", err)
	}
}

func TestFolderThatVanishes(t *testing.T) {
	s, dir := filled(t, 1)
	must(t, s.Flush(t.Context()), os.Rename(dir, dir+"-moved"))
	err := errors.Join(s.Put(t.Context(), eval.Reply{JobID: eval.JobID{Model: "B", Query: "q0000"}}), s.Flush(t.Context()))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want that the folder is gone", err)
	}
}

// TestFlippedBits flips bits of the file one at a time: whoever reads it then
// is told, or finds what was stored.
func TestFlippedBits(t *testing.T) {
	s, dir := filled(t, 30)
	must(t, s.Close())
	path := filepath.Join(dir, runstore.FileName)
	whole, err := os.ReadFile(path)
	must(t, err)
	want, err := content(t, dir)
	must(t, err)
	random := rand.New(rand.NewPCG(1, 2))
	told := 0
	for range 400 {
		flipped := append([]byte(nil), whole...)
		at, bit := random.IntN(len(flipped)), byte(1)<<random.IntN(8)
		flipped[at] ^= bit
		must(t, os.WriteFile(path, flipped, 0o644))
		got, err := content(t, dir)
		if err != nil {
			told++
		} else if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(queries.Set{})); diff != "" {
			t.Errorf("byte %d, bit %d: silently something else (-was +is):\n%s", at, bit, diff)
		}
		_ = os.Remove(path + "-wal")
		_ = os.Remove(path + "-shm")
	}
	if told == 0 {
		t.Error("no flip was found: the test sees nothing")
	}
}

// stored is all of a record that no other part of it can prove; scores follow
// from the replies.
type stored struct {
	Record  eval.RunRecord
	Replies []eval.Reply
	Reviews []eval.Review
}

func content(t *testing.T, dir string) (stored, error) {
	s, err := runstore.Read(t.Context(), dir)
	if err != nil {
		return stored{}, err
	}
	defer s.Close()
	all := stored{Record: s.Record()}
	all.Record.Scoring = nil
	for r, err := range s.Replies(t.Context()) {
		if err != nil {
			return all, err
		}
		all.Replies = append(all.Replies, r.Reply)
	}
	all.Reviews, err = s.Reviews(t.Context())
	return all, err
}

// TestReadingThatIsInterrupted ends with an error, never with fewer replies.
func TestReadingThatIsInterrupted(t *testing.T) {
	s, dir := filled(t, 1200)
	must(t, s.Close())
	r, err := runstore.Read(t.Context(), dir)
	must(t, err)
	defer r.Close()
	for _, after := range []int{0, 1, 499, 500, 501, 1199} {
		ctx, cancel := context.WithCancel(t.Context())
		n, failed := 0, error(nil)
		for _, err := range r.Replies(ctx) {
			if failed = err; err != nil {
				break
			}
			if n++; n > after {
				cancel()
			}
		}
		cancel()
		if !errors.Is(failed, context.Canceled) {
			t.Errorf("interrupted after %d: %d replies and error %v", after, n, failed)
		}
	}
}

// TestReadingThatEndsEarly leaves the reader as it was: a record of an older
// version is still seen through its views.
func TestReadingThatEndsEarly(t *testing.T) {
	s, dir := filled(t, 1200)
	must(t, s.Close())
	r, err := runstore.Read(t.Context(), dir)
	must(t, err)
	defer r.Close()
	for range 100 {
		for range r.Replies(t.Context()) {
			break
		}
		if !r.InTransaction() {
			t.Fatal("the transaction is gone that all is read in")
		}
	}
}
