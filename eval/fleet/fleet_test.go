package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/fleet"
	"github.com/disteval/disteval/queries"
)

// memory is a fleet.Store that keeps everything in maps.
type memory struct {
	mu      sync.Mutex
	replies map[eval.JobID]eval.Reply
	twice   []eval.JobID
	probes  map[eval.ProbeID]eval.Probe
	phases  map[string]eval.Phase
	hosts   map[string]eval.Host
	audits  []eval.Reply
	gaveUp  map[string]string
	warned  []string
	full    error
}

func newMemory() *memory {
	return &memory{replies: map[eval.JobID]eval.Reply{}, probes: map[eval.ProbeID]eval.Probe{}, phases: map[string]eval.Phase{}, hosts: map[string]eval.Host{}, gaveUp: map[string]string{}}
}

func (s *memory) Done(context.Context) (map[eval.JobID]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := map[eval.JobID]bool{}
	for id := range s.replies {
		done[id] = true
	}
	return done, nil
}

func (s *memory) Reply(_ context.Context, id eval.JobID) (eval.ScoredReply, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.replies[id]
	return eval.ScoredReply{Reply: r}, ok, nil
}

func (s *memory) Tokens(_ context.Context, id eval.JobID) ([]eval.Token, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.replies[id]
	return r.Tokens, ok && r.Failure == nil, nil
}

func (s *memory) Probed(context.Context) (map[eval.ProbeID]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	if _, there := s.probes[p.ProbeID]; there {
		s.twice = append(s.twice, eval.JobID{Model: p.Model, Query: p.Query, Sample: -1})
	}
	s.probes[p.ProbeID] = p
	return nil
}

func (s *memory) Put(_ context.Context, r eval.Reply) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full != nil {
		return s.full
	}
	if _, there := s.replies[r.JobID]; there {
		s.twice = append(s.twice, r.JobID)
	}
	s.replies[r.JobID] = r
	return nil
}

func (s *memory) PutPower(context.Context, eval.TurnPower) error { return nil }

func (s *memory) PutPhase(_ context.Context, p eval.Phase) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phases[fmt.Sprintf("%s %s %d %s", p.Model, p.Host, p.Process, p.Name)] = p
	return nil
}

func (s *memory) PutHost(_ context.Context, name string, h eval.Host) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts[name] = h
	return nil
}

func (s *memory) PutAudit(_ context.Context, r eval.Reply) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.audits = append(s.audits, r)
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

func (s *memory) Warn(_ context.Context, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warned = append(s.warned, text)
	return nil
}

func (s *memory) Flush(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full
}

func (s *memory) texts() map[eval.JobID]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[eval.JobID]string{}
	for id, r := range s.replies {
		out[id] = r.Text
		if r.Failure != nil {
			out[id] = r.Failure.Error()
		}
	}
	return out
}

func (s *memory) hostsOfReplies() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]int{}
	for _, r := range s.replies {
		out[r.Host]++
	}
	return out
}

// quiet is an Observer that looks away.
type quiet struct{}

func (quiet) PhaseBegun(eval.Model, eval.PhaseName, int, int) {}
func (quiet) WarmupFailed(eval.Model, error)                  {}
func (quiet) ReplyReceived(eval.Model, eval.Reply)            {}
func (quiet) ProbeReceived(eval.Model, eval.Probe)            {}
func (quiet) ModelEnded(eval.Model, string)                   {}

// echo is a Generator whose answer follows from the prompt alone.
type echo struct {
	model string
	delay time.Duration
	fail  func(prompt string) error
	asked *atomic.Int64
	log   *journal

	unable string // what every probe says of all others
}

// journal keeps what generators were told, in order.
type journal struct {
	mu   sync.Mutex
	told []string
}

func (j *journal) add(format string, args ...any) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.told = append(j.told, fmt.Sprintf(format, args...))
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.told...)
}

func (g *echo) Load(context.Context) error { g.log.add("load %s", g.model); return nil }
func (g *echo) Unload(context.Context) error {
	g.log.add("unload %s", g.model)
	return nil
}
func (g *echo) Warmup(_ context.Context, r eval.Request) error {
	g.log.add("warm-up %s %s", g.model, r.Prompt)
	return nil
}

func (g *echo) Generate(ctx context.Context, r eval.Request) (eval.Reply, error) {
	g.log.add("ask %s %s", g.model, r.Prompt)
	if g.asked != nil {
		g.asked.Add(1)
	}
	if g.delay > 0 {
		select {
		case <-ctx.Done():
			return eval.Reply{}, ctx.Err()
		case <-time.After(g.delay):
		}
	}
	if g.fail != nil {
		if err := g.fail(r.Prompt); err != nil {
			return eval.Reply{}, err
		}
	}
	return eval.Reply{Text: answerTo(g.model, r.Prompt), DoneReason: "stop", Tokens: tokensOf(r)}, nil
}

func answerTo(model, prompt string) string { return model + " says: " + strings.ToUpper(prompt) }

// served makes the models of a worker; the digest follows from the name.
func served(names ...string) []eval.Model {
	var out []eval.Model
	for _, n := range names {
		out = append(out, eval.Model{Provider: eval.ProviderOllama, Model: n, Digest: digestOf(n), ProviderVersion: "ollama 0.17.4", ContextLength: 2048,
			Host: "http://127.0.0.1:11434", Capabilities: eval.Capabilities{Raw: true, Digest: true, Unload: true}})
	}
	return out
}

func digestOf(name string) string { return fmt.Sprintf("%064x", name)[:64] }

// planOf asks n questions of every model.
func planOf(n int, models ...string) eval.Plan {
	p := eval.Plan{Parallel: 1, Samples: 1, Rules: eval.RulesNow}
	for i := range n {
		p.Queries.Queries = append(p.Queries.Queries, queries.Query{ID: fmt.Sprintf("q%06d", i), Prompt: fmt.Sprintf("prompt %d", i), Keyword: "k"})
	}
	for _, m := range models {
		p.Models = append(p.Models, eval.Model{Name: strings.ToUpper(m), Provider: eval.ProviderOllama, Model: m, Generation: eval.DefaultGeneration()})
	}
	return p
}

// wanted is what a run of a plan on one machine has.
func wanted(p eval.Plan) map[eval.JobID]string {
	out := map[eval.JobID]string{}
	for _, m := range p.Models {
		for _, job := range p.Jobs(m) {
			out[job.ID] = answerTo(m.Model, job.Request.Prompt)
		}
	}
	return out
}

// worker is a fleet.Worker of echoes.
func worker(name string, g echo, models ...string) *fleet.Worker {
	return &fleet.Worker{Name: name, Version: "test", Host: eval.Host{OS: "linux", Arch: "amd64", CPUModel: "Test", CPUs: 4, Hostname: name}, Energy: "measures nothing",
		Serve: func(context.Context) ([]eval.Model, error) { return served(models...), nil },
		Open: func(m eval.Model) (eval.Generator, error) {
			own := g
			own.model = m.Model
			return &own, nil
		},
		Meter:       func(eval.Model) emissions.Meter { return steady{} },
		Concurrency: 1, Backoff: eval.Backoff{Retries: 1, Base: time.Millisecond, Max: time.Millisecond}, Now: time.Now, Say: func(string) {}}
}

// loud is a worker that is heard in the test's log.
func loud(t testing.TB, w *fleet.Worker) *fleet.Worker {
	w.Say = sayTo(t, w.Name)
	return w
}

func sayTo(t testing.TB, who string) func(string) {
	if _, benchmark := t.(*testing.B); benchmark {
		return func(string) {}
	}
	var ended atomic.Bool
	t.Cleanup(func() { ended.Store(true) })
	return func(text string) {
		if !ended.Load() {
			t.Logf("%s: %s", who, text)
		}
	}
}

// steady measures 10 W.
type steady struct{}

func (steady) Start(context.Context) error { return nil }
func (steady) Close() error                { return nil }
func (steady) Read(from, to time.Time) emissions.Reading {
	e := emissions.Energy(10e6 * to.Sub(from).Seconds())
	return emissions.Reading{Start: from, End: to, Energy: e, Low: e, High: e, Quality: emissions.Measured, Method: "test"}
}

// listen starts the server inside the process and its queue in a folder.
func listen(t testing.TB) *fleet.Server {
	t.Helper()
	s, err := fleet.Listen("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func dialWorker(t testing.TB, s *fleet.Server, name string) *nats.Conn {
	t.Helper()
	args := s.WorkerArgs()
	nc, err := fleet.Connect(fleet.WorkerConnection(fleet.Connection{URL: args[2], Log: sayTo(t, name)}, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// start lets a worker work until the test ends or stop is called.
func start(t testing.TB, w *fleet.Worker, nc *nats.Conn) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	drain, begin := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := w.Run(ctx, drain, nc); !errors.Is(err, eval.ErrInterrupted) {
			t.Errorf("worker %s: %v", w.Name, err)
		}
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			begin()
			select {
			case <-ended:
			case <-time.After(20 * time.Second):
				t.Errorf("worker %s does not end", w.Name)
			}
			cancel()
		})
	}
	t.Cleanup(stop)
	return stop
}

func coordinator(t testing.TB, nc *nats.Conn, o fleet.Options) *fleet.Coordinator {
	t.Helper()
	if o.Wait == 0 {
		o.Wait = 20 * time.Second
	}
	if o.AckWait == 0 {
		o.AckWait = 2 * time.Second
	}
	o.Now = time.Now
	if o.Say == nil {
		o.Say = sayTo(t, "coordinator")
	}
	c, err := fleet.NewCoordinator(nc, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// resolve completes a plan by what the workers say.
func resolve(t testing.TB, c *fleet.Coordinator, p eval.Plan) eval.Plan {
	t.Helper()
	var err error
	if p.Models, err = c.Resolve(t.Context(), p.Models); err != nil {
		t.Fatal(err)
	}
	return p
}

// own is a coordinator over a server inside the process.
func own(t testing.TB, o fleet.Options) (*fleet.Server, *fleet.Coordinator) {
	t.Helper()
	s := listen(t)
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return s, coordinator(t, nc, o)
}

func check(t testing.TB, got, want map[eval.JobID]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	t.Errorf("%d outcomes, want %d", len(got), len(want))
	n := 0
	for id, w := range want {
		if got[id] != w && n < 5 {
			t.Errorf("%s: %q, want %q", id, got[id], w)
			n++
		}
	}
}

func TestRunOnWorkers(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{Audit: 0.1})
	var logs [3]journal
	for i := range logs {
		name := fmt.Sprintf("w%d", i)
		start(t, loud(t, worker(name, echo{delay: time.Millisecond, log: &logs[i]}, "teacher", "student")), dialWorker(t, s, name))
	}
	p := resolve(t, c, planOf(200, "teacher", "student"))
	for _, m := range p.Models {
		if m.Digest != digestOf(m.Model) || m.ProviderVersion != "ollama 0.17.4" || m.Host != "" {
			t.Errorf("resolved: %+v", m)
		}
	}
	if err := s.Keep(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	store := newMemory()
	if err := c.Ask(t.Context(), t.Context(), fleet.Run{ID: "run-1", Plan: p, Store: store, Process: 1, Observer: quiet{}}); err != nil {
		t.Fatal(err)
	}
	check(t, store.texts(), wanted(p))
	if len(store.twice) > 0 {
		t.Errorf("stored twice: %v", store.twice)
	}
	if len(store.audits) != 40 || len(store.hosts) != 3 {
		t.Errorf("%d audits of 40, hosts %v", len(store.audits), store.hosts)
	}
	for _, a := range store.audits {
		first := store.replies[a.JobID]
		if a.Host == first.Host || a.Text != first.Text {
			t.Errorf("audit of %s: %s and %s, %q and %q", a.JobID, first.Host, a.Host, first.Text, a.Text)
		}
	}
	checkPhases(t, store)
	for i := range logs {
		checkTurns(t, logs[i].all())
	}
}

// checkPhases: every host that answered for a model has the phases of its
// turn, and its answer phase covers its replies and their energy.
func checkPhases(t *testing.T, store *memory) {
	t.Helper()
	type seat struct{ model, host string }
	answers := map[seat][]eval.Phase{}
	names := map[seat]map[eval.PhaseName]bool{}
	for _, p := range store.phases {
		k := seat{p.Model, p.Host}
		if names[k] == nil {
			names[k] = map[eval.PhaseName]bool{}
		}
		names[k][p.Name] = true
		if p.Name == eval.PhaseAnswer {
			answers[k] = append(answers[k], p)
		}
	}
	for _, r := range store.replies {
		k := seat{r.Model, r.Host}
		if len(names[k]) != 4 {
			t.Fatalf("phases of %v: %v", k, names[k])
		}
		covered := false
		for _, p := range answers[k] {
			covered = covered || !r.Timing.Start.Before(p.Start) && !r.Timing.End.After(p.End)
			if want := 10 * p.End.Sub(p.Start).Seconds(); p.Reading.Energy.Joules() < 0.99*want || p.Reading.Energy.Joules() > 1.01*want {
				t.Errorf("%v: %v J in %v", k, p.Reading.Energy.Joules(), p.End.Sub(p.Start))
			}
		}
		if !covered {
			t.Errorf("%s on %s is in no answer phase", r.JobID, r.Host)
		}
		if r.Energy == nil {
			t.Errorf("%s has no energy", r.JobID)
		}
	}
}

// checkTurns: one model at a time is loaded, and warmed up with the question
// before the first, as on one machine.
func checkTurns(t *testing.T, log []string) {
	t.Helper()
	loaded := ""
	for i, entry := range log {
		f := strings.SplitN(entry, " ", 3)
		switch f[0] {
		case "load":
			if loaded != "" {
				t.Errorf("%s is loaded beside %s", f[1], loaded)
			}
			loaded = f[1]
			var n int
			want := "Hello"
			if _, err := fmt.Sscanf(log[i+2], "ask "+f[1]+" prompt %d", &n); err != nil {
				t.Fatalf("after %q: %q", entry, log[i+2])
			}
			if n > 0 {
				want = fmt.Sprintf("prompt %d", n-1)
			}
			if log[i+1] != "warm-up "+f[1]+" "+want {
				t.Errorf("%s, then %s, want a warm-up with %s", entry, log[i+1], want)
			}
		case "unload":
			loaded = ""
		case "ask":
			if f[1] != loaded {
				t.Errorf("%s while %q is loaded", entry, loaded)
			}
		}
	}
	if loaded != "" {
		t.Errorf("%s stays loaded", loaded)
	}
}
