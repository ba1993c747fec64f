package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/machine"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/builtin"
	"github.com/disteval/disteval/eval/fleet"
	"github.com/disteval/disteval/eval/ollama"
	"github.com/disteval/disteval/eval/runstore"
)

// FleetOptions say where workers come together.
type FleetOptions struct {
	URL    string        // of a NATS server; empty: NATS_URL, or Listen
	Listen string        // the address of a server in this process; empty: none
	Resume string        // folder of the run to go on with; empty: a new one
	Wait   time.Duration // for workers
	Audit  float64       // share of the questions asked on a second host too
}

// Fleet is the workers of one run.
type Fleet struct {
	server      *fleet.Server // nil: of somebody else
	conn        *nats.Conn
	coordinator *fleet.Coordinator

	mu  sync.Mutex
	say func(string)
}

// Say lets another tell people what happens.
func (f *Fleet) Say(say func(string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.say = say
}

func (f *Fleet) tell(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.say(text)
}

// Gather reaches the place where workers come together, or opens one.
func (s *Session) Gather(o FleetOptions) (*Fleet, error) {
	f := &Fleet{say: s.Say}
	var err error
	opts := fleet.Options{Wait: o.Wait, Audit: o.Audit, Now: s.Now, Say: f.tell}
	if o.Listen != "" {
		if f.server, err = fleet.Listen(o.Listen, o.Resume); err != nil {
			return nil, err
		}
		opts.Check = f.server.Check
		f.conn, err = f.server.Connect()
	} else {
		f.conn, err = fleet.Connect(fleet.Connection{URL: o.URL, Name: "disteval run", Log: f.tell})
	}
	if err == nil {
		f.coordinator, err = fleet.NewCoordinator(f.conn, opts)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(false))
	}
	return f, nil
}

// WorkerArgs are the arguments of the command that starts a worker elsewhere;
// nil where the server is somebody else's.
func (f *Fleet) WorkerArgs() []string {
	if f.server == nil {
		return nil
	}
	return f.server.WorkerArgs()
}

// Close lets the workers go. The queue of a server in this process stays for a
// resumption, and is removed after a run that is complete.
func (f *Fleet) Close(complete bool) error {
	var err error
	if f.coordinator != nil {
		err = f.coordinator.Close()
	}
	if f.conn != nil {
		f.conn.Close()
	}
	switch {
	case f.server == nil:
	case complete:
		err = errors.Join(err, f.server.Remove())
	default:
		f.server.Close()
	}
	return err
}

func (f *Fleet) ask(ctx, drain context.Context, store *runstore.Store, process int, first []string, o eval.Observer) error {
	rec := store.Record()
	if f.server != nil {
		if err := f.server.Keep(rec.Dir); err != nil {
			return err
		}
	}
	return f.coordinator.Ask(ctx, drain, fleet.Run{ID: rec.ID, Plan: rec.Plan, First: first, Store: store, Process: process, Phases: rec.Phases, Observer: o})
}

// WorkerOptions say what a worker serves and whom.
type WorkerOptions struct {
	URL         string // of the NATS server; empty: NATS_URL
	ServerCert  string // SHA-256 of its certificate; empty: an authority vouches for it
	Name        string // empty: the machine's
	Concurrency int    // questions in flight
	// Plan names the models that are served. Without models these are all of
	// the Ollama at OLLAMA_HOST and those inside the program.
	Plan eval.Plan
}

// Work answers the questions of runs until drain or ctx ends it: see
// fleet.Worker.
func (s *Session) Work(ctx, drain context.Context, o WorkerOptions) error {
	host := ThisHost()
	if o.Name == "" {
		o.Name = fleet.HostName(host.Hostname)
	}
	if err := fleet.CheckName(o.Name); err != nil {
		return eval.BadInput(err, "give another with --name")
	}
	shown := &larder{session: s, plan: o.Plan}
	models, err := shown.models(drain)
	if err != nil {
		return err
	}
	for _, m := range models {
		s.Say(fmt.Sprintf("serving %s %s, weights %.19s", m.Provider, m.Model, m.Digest))
	}
	meters, err := s.startMeters(drain, eval.Plan{Models: shown.servers(models), Emissions: o.Plan.Emissions})
	if err != nil {
		return err
	}
	defer meters.Close()
	conn, err := fleet.Connect(fleet.WorkerConnection(fleet.Connection{URL: o.URL, ServerCert: o.ServerCert, Log: s.Say}, o.Name))
	if err != nil {
		return err
	}
	defer conn.Close()
	s.Say(fmt.Sprintf("worker %s is ready, at %s; %s", o.Name, fleet.Redacted(conn.ConnectedUrl()), s.measures(drain, o.Plan.Emissions)))
	w := &fleet.Worker{Name: o.Name, Version: s.Version, Host: host, Energy: s.measures(drain, o.Plan.Emissions), Serve: shown.models, Open: shown.open,
		Meter:       func(m eval.Model) emissions.Meter { return meters.Of(serverOf(m)) },
		Concurrency: o.Concurrency, Backoff: eval.DefaultBackoff, Now: s.Now, Say: s.Say}
	return w.Run(ctx, drain, conn)
}

// measures says what energy this machine can measure.
func (s *Session) measures(ctx context.Context, e eval.Emissions) string {
	if e.Method != "" && e.Method != "auto" {
		return "energy by " + e.Method
	}
	p := machine.Examine(ctx, machine.Options{Sysfs: e.Sysfs, Procfs: e.Procfs, CPUTDPW: e.CPUTDPW})
	if len(p.Auto) == 0 {
		return "no energy can be measured"
	}
	text := "energy by"
	for _, name := range p.Auto {
		text += " " + name
	}
	return fmt.Sprintf("%s (%s)", text, p.Quality)
}

// larder knows the models that a worker was started to serve. Files are looked
// at once, since that reads them whole; servers may get new models.
type larder struct {
	session *Session
	plan    eval.Plan

	mu    sync.Mutex // a provider serves one goroutine at a time
	files []eval.Model
	read  bool
	told  bool
}

// models lists what is there now.
func (l *larder) models(ctx context.Context) ([]eval.Model, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var served, files []eval.Model
	for _, m := range l.plan.Models {
		m.Generation = eval.Generation{} // of the run that asks
		if m.Provider == eval.ProviderBuiltin {
			files = append(files, m)
		} else {
			served = append(served, m)
		}
	}
	all := len(l.plan.Models) == 0
	if all {
		for _, name := range builtin.Names() {
			files = append(files, eval.Model{Name: name, Provider: eval.ProviderBuiltin, Model: name})
		}
	}
	if !l.read {
		resolved, err := l.session.Providers.Resolve(ctx, files)
		if err != nil {
			return nil, err
		}
		l.files, l.read = resolved, true
	}
	var err error
	if all {
		served, err = l.ollama(ctx)
	} else {
		served, err = l.session.Providers.Resolve(ctx, served)
	}
	if err == nil {
		err = l.addRaw(ctx, served)
	}
	return append(served, l.files...), err
}

// addRaw adds what a server can do in raw completion alone. Whether it is asked
// for that is the run's to say, whose coordinator takes it back otherwise.
func (l *larder) addRaw(ctx context.Context, served []eval.Model) error {
	raw := slices.Clone(served)
	for i := range raw {
		raw[i].Generation.Raw = true
	}
	resolved, err := l.session.Providers.Resolve(ctx, raw)
	for i, m := range resolved {
		served[i].Capabilities.Logprobs, served[i].Capabilities.Walks = m.Capabilities.Logprobs, m.Capabilities.Walks
	}
	return err
}

// ollama lists all that Ollama has. A server that is not there is said once:
// the models inside the program are served all the same, and it may come.
func (l *larder) ollama(ctx context.Context) ([]eval.Model, error) {
	server, ok := l.session.Providers[eval.ProviderOllama].(*ollama.Provider)
	if !ok {
		return nil, nil
	}
	models, err := server.Models(ctx)
	if err != nil && !l.told && ctx.Err() == nil {
		l.told = true
		l.session.Say(fmt.Sprintf("no models of Ollama are served: %v", err))
	}
	return models, ctx.Err()
}

// servers adds the place of Ollama, whose models may come later.
func (l *larder) servers(models []eval.Model) []eval.Model {
	models = append([]eval.Model{{}}, models...)
	if base, err := ollama.Host(""); err == nil && len(l.plan.Models) == 0 {
		models = append(models, eval.Model{Host: base.String()})
	}
	return models
}

func (l *larder) open(m eval.Model) (eval.Generator, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.Provider != eval.ProviderOllama {
		return l.session.Providers.Open(m)
	}
	// Served was a model without options; by which API it is asked follows from
	// those of the run.
	resolved, err := l.session.Providers.Resolve(context.Background(), []eval.Model{m}) // it has a timeout of its own
	if err != nil {
		return nil, err
	}
	if resolved[0].Digest != m.Digest {
		return nil, &eval.ReplacedError{Model: m.Model, Was: m.Digest, Now: resolved[0].Digest}
	}
	return l.session.Providers.Open(resolved[0])
}
