package session

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/evaltest"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/queries"
)

type silent struct{}

func (silent) PhaseBegun(eval.Model, eval.PhaseName, int, int) {}
func (silent) WarmupFailed(eval.Model, error)                  {}
func (silent) ReplyReceived(eval.Model, eval.Reply)            {}
func (silent) ProbeReceived(eval.Model, eval.Probe)            {}
func (silent) ModelEnded(eval.Model, string)                   {}

// begin makes a run of two models of a fake server.
func begin(t *testing.T, fake *evaltest.Ollama, change func(*eval.Plan)) (*Session, *runstore.Store) {
	t.Helper()
	s := &Session{Providers: NewProviders(time.Second), Now: time.Now, Say: func(string) {}}
	plan := eval.Plan{Queries: queries.Builtin(), Parallel: 8, Samples: 2, Rules: eval.RulesNow,
		Scoring: eval.Scoring{Embedding: eval.EmbeddingBuiltin}, Emissions: eval.Emissions{Method: "off"}}
	plan.Queries.Queries = plan.Queries.Queries[:60]
	for _, name := range fake.Models {
		plan.Models = append(plan.Models, eval.Model{Name: name, Provider: eval.ProviderOllama, Model: name, Host: fake.URL, Generation: eval.DefaultGeneration()})
	}
	if change != nil {
		change(&plan)
	}
	plan, err := s.Resolve(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	store, err := s.Create(t.Context(), plan, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return s, store
}

// scored scores a run and returns what the store then has.
func scored(t *testing.T, s *Session, store *runstore.Store) (replies []eval.ScoredReply, floors map[string]float64) {
	t.Helper()
	if err := s.Score(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	for r, err := range store.Replies(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		replies = append(replies, r)
	}
	return replies, store.Record().Scoring.Floors
}

// TestScoresAhead: scoring while the models answer comes to the digits of
// scoring afterwards, whatever the order of the answers, also where some fail,
// and is given up where it cannot.
func TestScoresAhead(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*eval.Plan)
		during func(*evaltest.Ollama)
		stop   int // after so many answers the run is interrupted; 0: it is not
		ahead  bool
	}{
		"all answer": {ahead: true},
		"some fail": {ahead: true, during: func(f *evaltest.Ollama) {
			f.SetFault(func(prompt string, _ int) evaltest.Fault {
				if strings.Contains(prompt, "author") {
					return evaltest.Status400
				}
				return evaltest.NoFault
			})
		}},
		"one model is exchanged": {during: func(f *evaltest.Ollama) {
			f.SetFault(func(string, int) evaltest.Fault {
				f.Set(func(f *evaltest.Ollama) { f.Digest = func(string) string { return strings.Repeat("e", 64) } })
				return evaltest.NoFault
			})
		}},
		"interrupted": {change: func(p *eval.Plan) { p.Parallel = 1 }, stop: 31, ahead: true},
		"a server has vectors": {change: func(p *eval.Plan) { p.Scoring = eval.Scoring{Embedding: "a:latest", Host: p.Models[0].Host} },
			during: func(f *evaltest.Ollama) {
				f.Vector = func(text string) []float32 { return []float32{1, float32(len(text))} }
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := evaltest.NewOllama(t, "a:latest", "b:latest")
			if c.during != nil {
				c.during(fake)
			}
			s, store := begin(t, fake, c.change)
			drain, stop := context.WithCancel(t.Context())
			defer stop()
			if c.stop > 0 {
				fake.SetFault(func(string, int) evaltest.Fault {
					if fake.Asked() > c.stop {
						stop()
					}
					return evaltest.NoFault
				})
			}
			if err := s.Ask(t.Context(), drain, store, silent{}); err != nil && c.stop == 0 {
				t.Fatal(err)
			}
			if is := s.scored != nil; is != c.ahead {
				t.Errorf("scored while the models answered: %v, want %v", is, c.ahead)
			}
			got, floors := scored(t, s, store)
			want, again := scored(t, s, store)
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			if len(got) == 0 || !maps.Equal(floors, again) {
				t.Errorf("%d replies, floors %v; scored afterwards %v", len(got), floors, again)
			}
		})
	}
}

// TestNotAheadOfCounters: where counters measure energy, or some replies are
// there already, scoring waits.
func TestNotAheadOfCounters(t *testing.T) {
	s, store := begin(t, evaltest.NewOllama(t, "a:latest"), nil)
	a, err := s.scoreAhead(t.Context(), store)
	if err != nil || a == nil {
		t.Fatal(a, err)
	}
	if err := a.PutPhase(t.Context(), eval.Phase{Model: "a:latest", Name: eval.PhaseLoad, Reading: emissions.Reading{Quality: emissions.Measured}}); err != nil {
		t.Fatal(err)
	}
	if a.end() != nil {
		t.Error("it went on beside counters")
	}
	r := eval.Reply{JobID: eval.JobID{Model: "a:latest", Query: store.Record().Plan.Queries.Queries[0].ID}, Text: "Paris"}
	if err := store.Put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := store.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, err := s.scoreAhead(t.Context(), store); a != nil || err != nil {
		t.Errorf("with a reply stored before: %v, %v", a, err)
	}
}
