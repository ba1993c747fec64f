package eval_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
)

// memory is a Store that keeps everything in maps.
type memory struct {
	mu      sync.Mutex
	replies map[eval.JobID]eval.Reply
	probes  map[eval.ProbeID]eval.Probe
	phases  []eval.Phase
	power   []eval.TurnPower
	gaveUp  map[string]string
	full    bool
}

func newMemory() *memory {
	return &memory{replies: map[eval.JobID]eval.Reply{}, probes: map[eval.ProbeID]eval.Probe{}, gaveUp: map[string]string{}}
}

func (s *memory) Done(context.Context) (map[eval.JobID]bool, error) {
	done := map[eval.JobID]bool{}
	for id := range s.replies {
		done[id] = true
	}
	return done, nil
}

func (s *memory) Put(_ context.Context, r eval.Reply) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return errors.New("disk full")
	}
	s.replies[r.JobID] = r
	return nil
}

func (s *memory) Tokens(_ context.Context, id eval.JobID) ([]eval.Token, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.replies[id]
	return r.Tokens, ok && r.Failure == nil, nil
}

func (s *memory) Probed(context.Context) (map[eval.ProbeID]bool, error) {
	done := map[eval.ProbeID]bool{}
	for id, p := range s.probes {
		if p.Failure == nil {
			done[id] = p.Incomparable != "" || len(p.Divergences) > 0
		}
	}
	return done, nil
}

func (s *memory) PutProbe(_ context.Context, p eval.Probe) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return errors.New("disk full")
	}
	s.probes[p.ProbeID] = p
	return nil
}

func (s *memory) PutPower(_ context.Context, p eval.TurnPower) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.power = append(s.power, p)
	return nil
}

func (s *memory) PutPhase(_ context.Context, p eval.Phase) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phases = append(s.phases, p)
	return nil
}

func (s *memory) GiveUp(_ context.Context, model, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gaveUp[model] = reason; reason == "" {
		delete(s.gaveUp, model)
	}
	return nil
}

func (s *memory) Flush(context.Context) error { return nil }

// told is a Generator that does as a function says.
type told struct {
	mu       sync.Mutex
	asked    []string
	warmups  []string
	unloaded bool
	loads    int
	loadErr  error
	loadNo   int   // of the first loads, which fail with a failure that passes
	warmErr  error // of every warm-up
	answer   func(ctx context.Context, prompt string, n int) (eval.Reply, error)
}

func (g *told) Load(context.Context) error {
	g.loads++
	if g.loadNo > 0 {
		g.loadNo--
		return refuse(true)
	}
	return g.loadErr
}

func (g *told) Warmup(_ context.Context, r eval.Request) error {
	g.warmups = append(g.warmups, r.Prompt)
	return g.warmErr
}

func (g *told) Generate(ctx context.Context, r eval.Request) (eval.Reply, error) {
	prompt := r.Prompt
	g.mu.Lock()
	g.asked = append(g.asked, prompt)
	n := 0
	for _, p := range g.asked {
		if p == prompt {
			n++
		}
	}
	g.mu.Unlock()
	return g.answer(ctx, prompt, n)
}

func (g *told) Unload(context.Context) error {
	g.unloaded = true
	return nil
}

// quiet is an Observer that looks away.
type quiet struct{}

func (quiet) PhaseBegun(eval.Model, eval.PhaseName, int, int) {}
func (quiet) WarmupFailed(eval.Model, error)                  {}
func (quiet) ReplyReceived(eval.Model, eval.Reply)            {}
func (quiet) ProbeReceived(eval.Model, eval.Probe)            {}
func (quiet) ModelEnded(eval.Model, string)                   {}

func plan(n int, models ...string) eval.Plan {
	p := eval.Plan{Parallel: 1}
	for i := range n {
		p.Queries.Queries = append(p.Queries.Queries, queries.Query{ID: fmt.Sprintf("q%d", i), Prompt: fmt.Sprintf("prompt %d", i)})
	}
	for _, m := range models {
		p.Models = append(p.Models, eval.Model{Name: m})
	}
	return p
}

func runner(p eval.Plan, s eval.Store, g eval.Generator) *eval.Runner {
	return &eval.Runner{Plan: p, Store: s, Process: 1, Now: time.Now, Observer: quiet{}, Backoff: eval.Backoff{Retries: 3, Base: time.Microsecond, Max: time.Millisecond},
		Meter: func(eval.Model) emissions.Meter { return emissions.NewUnavailable("off", "test") },
		Open:  func(eval.Model) (eval.Generator, error) { return g, nil }}
}

func yes(_ context.Context, prompt string, _ int) (eval.Reply, error) {
	return eval.Reply{Text: "answer to " + prompt}, nil
}

func refuse(retry bool) error {
	return &eval.Failure{Kind: eval.FailRefused, Message: "no", Retry: retry}
}

func TestEveryQuestionOnce(t *testing.T) {
	for _, parallel := range []int{1, 16} {
		s, g := newMemory(), &told{answer: yes}
		p := plan(50, "A", "B")
		p.Parallel = parallel
		if err := runner(p, s, g).Run(t.Context(), t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(s.replies) != 100 || len(g.asked) != 100 || !g.unloaded {
			t.Errorf("parallel %d: %d replies to %d questions, unloaded %t", parallel, len(s.replies), len(g.asked), g.unloaded)
		}
		if parallel == 1 && !slices.Equal(g.asked[:3], []string{"prompt 0", "prompt 1", "prompt 2"}) {
			t.Errorf("asked in the order %v", g.asked[:3])
		}
	}
}

func TestResumeAsksWhatIsMissing(t *testing.T) {
	s, g := newMemory(), &told{answer: yes}
	p := plan(4, "A")
	for _, q := range []string{"q0", "q1", "q3"} {
		s.replies[eval.JobID{Model: "A", Query: q}] = eval.Reply{}
	}
	if err := runner(p, s, g).Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(g.asked, []string{"prompt 2"}) {
		t.Errorf("asked %v, want only what is missing", g.asked)
	}
	if !slices.Equal(g.warmups, []string{"prompt 1"}) {
		t.Errorf("warmed up with %v, want the question before", g.warmups)
	}
}

func TestRetry(t *testing.T) {
	passes := func(after int, retry bool) func(context.Context, string, int) (eval.Reply, error) {
		return func(ctx context.Context, prompt string, n int) (eval.Reply, error) {
			if n <= after {
				return eval.Reply{}, refuse(retry)
			}
			return yes(ctx, prompt, n)
		}
	}
	tests := []struct {
		name     string
		after    int
		retry    bool
		asked    int
		answered bool
	}{
		{"passes at the third attempt", 2, true, 3, true},
		{"passes at the last attempt", 3, true, 4, true},
		{"does not pass", 9, true, 4, false},
		{"cannot pass", 1, false, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, g := newMemory(), &told{answer: passes(tt.after, tt.retry)}
			if err := runner(plan(1, "A"), s, g).Run(t.Context(), t.Context()); err != nil {
				t.Fatal(err)
			}
			r := s.replies[eval.JobID{Model: "A", Query: "q0"}]
			if len(g.asked) != tt.asked || (r.Failure == nil) != tt.answered || r.Timing.Attempts != tt.asked {
				t.Errorf("asked %d times, failure %v, attempts %d", len(g.asked), r.Failure, r.Timing.Attempts)
			}
		})
	}
}

func TestFiveFailuresInARowStopTheModel(t *testing.T) {
	s := newMemory()
	g := &told{answer: func(ctx context.Context, prompt string, n int) (eval.Reply, error) {
		if prompt == "prompt 2" {
			return yes(ctx, prompt, n)
		}
		return eval.Reply{}, refuse(false)
	}}
	if err := runner(plan(20, "A"), s, g).Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(g.asked) != 8 || !strings.Contains(s.gaveUp["A"], "5 failures in a row") {
		t.Errorf("asked %d, gave up %q; want 2 failures, an answer, 5 failures", len(g.asked), s.gaveUp["A"])
	}
}

func TestModelThatDoesNotLoadIsGivenUpAndTheNextOneAsked(t *testing.T) {
	s, bad, good := newMemory(), &told{loadErr: errors.New("no memory")}, &told{answer: yes}
	r := runner(plan(3, "A", "B"), s, good)
	r.Open = func(m eval.Model) (eval.Generator, error) {
		if m.Name == "A" {
			return bad, nil
		}
		return good, nil
	}
	if err := r.Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.gaveUp["A"], "no memory") || len(s.replies) != 3 {
		t.Errorf("gave up %v, %d replies", s.gaveUp, len(s.replies))
	}
}

func TestLoadThatFailsForAWhile(t *testing.T) {
	s, g := newMemory(), &told{answer: yes, loadNo: 3}
	if err := runner(plan(3, "A"), s, g).Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.gaveUp) != 0 || len(s.replies) != 3 {
		t.Errorf("gave up %v, %d replies; want the fourth load to do", s.gaveUp, len(s.replies))
	}
	s, g = newMemory(), &told{answer: yes, loadNo: 4}
	if err := runner(plan(3, "A"), s, g).Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.gaveUp["A"] == "" || len(g.asked) != 0 {
		t.Errorf("gave up %v after four loads, asked %v", s.gaveUp, g.asked)
	}
}

// TestLoadThatHangs: a load that timed out once is not waited for again.
func TestLoadThatHangs(t *testing.T) {
	s, g := newMemory(), &told{loadErr: &eval.Failure{Kind: eval.FailTimeout, Message: "silence", Retry: true}}
	if err := runner(plan(3, "A"), s, g).Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.gaveUp["A"] == "" || g.loads != 1 {
		t.Errorf("gave up %v after %d loads, want one", s.gaveUp, g.loads)
	}
}

// TestWarmupThatFails: a resumed run warms up with the question before, which
// may be one that the server refuses.
func TestWarmupThatFails(t *testing.T) {
	s, g := newMemory(), &told{answer: yes, warmErr: refuse(false)}
	if err := runner(plan(3, "A"), s, g).Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(g.warmups) != 1 || len(s.gaveUp) != 0 || len(s.replies) != 3 {
		t.Errorf("refused: %d warm-ups, gave up %v, %d replies", len(g.warmups), s.gaveUp, len(s.replies))
	}
	s, g = newMemory(), &told{answer: yes, warmErr: refuse(true)}
	if err := runner(plan(3, "A"), s, g).Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(g.warmups) != 4 || s.gaveUp["A"] == "" || len(g.asked) != 0 {
		t.Errorf("unreachable: %d warm-ups, gave up %v, asked %v", len(g.warmups), s.gaveUp, g.asked)
	}
}

// TestInterruptKeepsWhatWasGivenUp: the failures of a given-up model are asked
// again by the next resumption, also when this one was cut short.
func TestInterruptKeepsWhatWasGivenUp(t *testing.T) {
	s := newMemory()
	s.gaveUp["A"] = "5 failures in a row"
	drain, interrupt := context.WithCancel(t.Context())
	g := &told{answer: func(ctx context.Context, prompt string, n int) (eval.Reply, error) {
		interrupt()
		return yes(ctx, prompt, n)
	}}
	if err := runner(plan(6, "A"), s, g).Run(t.Context(), drain); !errors.Is(err, eval.ErrInterrupted) {
		t.Fatalf("Run = %v, want ErrInterrupted", err)
	}
	if s.gaveUp["A"] == "" {
		t.Errorf("the interrupt has taken back that the model was given up")
	}
	if err := runner(plan(6, "A"), s, g).Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.gaveUp["A"] != "" {
		t.Errorf("all is answered, but the model is still given up: %s", s.gaveUp["A"])
	}
}

func TestDrainWaitsForWhatIsInFlight(t *testing.T) {
	s := newMemory()
	drain, interrupt := context.WithCancel(t.Context())
	g := &told{answer: func(ctx context.Context, prompt string, n int) (eval.Reply, error) {
		if prompt == "prompt 3" {
			interrupt()
			time.Sleep(10 * time.Millisecond)
		}
		return yes(ctx, prompt, n)
	}}
	err := runner(plan(20, "A", "B"), s, g).Run(t.Context(), drain)
	if !errors.Is(err, eval.ErrInterrupted) {
		t.Errorf("Run = %v, want ErrInterrupted", err)
	}
	if len(s.replies) != 4 {
		t.Errorf("%d replies stored, want the 4 that were asked", len(s.replies))
	}
}

func TestStoreThatFailsEndsTheRun(t *testing.T) {
	s, g := newMemory(), &told{answer: yes}
	s.full = true
	if err := runner(plan(20, "A"), s, g).Run(t.Context(), t.Context()); err == nil || len(g.asked) > 2 {
		t.Errorf("Run = %v after %d questions; want it to stop at once", err, len(g.asked))
	}
}

func TestHash(t *testing.T) {
	a := plan(3, "A")
	a.Models[0].Generation = eval.DefaultGeneration()
	change := func(name string, do func(*eval.Plan)) {
		t.Helper()
		b := plan(3, "A")
		b.Models[0].Generation = eval.DefaultGeneration()
		do(&b)
		differs := eval.Differences(a.Facts(), b.Facts())
		if a.Hash() == b.Hash() || len(differs) == 0 || !strings.Contains(strings.Join(differs, "\n"), name) {
			t.Errorf("%s: the hash has not changed, or its difference is not named: %v", name, differs)
		}
	}
	change("queries", func(p *eval.Plan) { p.Queries.Queries[1].Keyword = "other" })
	change("digest", func(p *eval.Plan) { p.Models[0].Digest = "other" })
	change("provider", func(p *eval.Plan) { p.Models[0].ProviderVersion = "other" })
	change("template", func(p *eval.Plan) { p.Models[0].Template = "other" })
	change("raw", func(p *eval.Plan) { p.Models[0].Generation.Raw = false })
	change("temperature", func(p *eval.Plan) { p.Models[0].Generation.Temperature = 0.1 })
	change("repeat_penalty", func(p *eval.Plan) { p.Models[0].Generation.RepeatPenalty = 1.1 })
	change("seed", func(p *eval.Plan) { p.Models[0].Generation.Seed = 1 })
	change("num_predict", func(p *eval.Plan) { p.Models[0].Generation.NumPredict = 1 })
	change("num_ctx", func(p *eval.Plan) { p.Models[0].Generation.NumCtx = 1 })
	change("top_k", func(p *eval.Plan) { p.Models[0].Generation.TopK = new(int) })
	change("top_p", func(p *eval.Plan) { p.Models[0].Generation.TopP = new(float64) })
	change("num_thread", func(p *eval.Plan) { p.Models[0].Generation.NumThread = new(int) })
	change("stop", func(p *eval.Plan) { p.Models[0].Generation.Stop = []string{"x"} })
	change("model B", func(p *eval.Plan) { p.Models = append(p.Models, eval.Model{Name: "B"}) })

	b := plan(3, "A")
	b.Models[0].Generation = eval.DefaultGeneration()
	b.Scoring.IncludePrompt, b.Emissions.Country, b.Parallel, b.Source = true, "FRA", 9, "elsewhere"
	if a.Hash() != b.Hash() {
		t.Errorf("scoring, emissions and parallelism have changed the hash")
	}
}
