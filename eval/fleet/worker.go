package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
)

// Worker answers the questions of runs with the models that it was started to
// serve. It has one model loaded at a time.
type Worker struct {
	Name        string // see CheckName
	Version     string // of the program
	Host        eval.Host
	Energy      string                                      // what the machine can measure, for people
	Serve       func(context.Context) ([]eval.Model, error) // what it serves now, resolved
	Open        func(eval.Model) (eval.Generator, error)    // of a model that Serve has named
	Meter       func(eval.Model) emissions.Meter            // of the machine that answers, started
	Concurrency int                                         // questions in flight, at least 1
	Backoff     eval.Backoff
	Now         func() time.Time
	Say         func(text string) // tells people what happens; names in it come from the wire: untrusted
}

// working is a Worker that runs.
type working struct {
	*Worker
	nc       *nats.Conn
	js       jetstream.JetStream
	instance string
	inbox    string
	poke     chan struct{} // holds one sign to say hello now
	news     chan struct{} // holds one sign that orders came
	outbox   chan struct{} // places for outcomes on their way
	held     held
	turns    int // taken so far, in all shifts: part of what tells messages apart

	mu       sync.Mutex
	models   []eval.Model // what is served, with addresses
	digest   string
	want     bool // somebody has asked for the models
	busy     string
	retired  []retirement
	standing []standing // orders, of the run that came first first
	told     map[string]bool
}

// standing is the last orders of a run.
type standing struct {
	orders
	seen time.Time
}

// Run works until drain is done, which lets it finish what it has begun, or
// ctx, which does not. Its error is then eval.ErrInterrupted.
func (w *Worker) Run(ctx, drain context.Context, nc *nats.Conn) error {
	if err := CheckName(w.Name); err != nil {
		return err
	}
	ww := &working{Worker: w, nc: nc, instance: nuid.Next(), inbox: nc.NewInbox(), told: make(map[string]bool),
		poke: make(chan struct{}, 1), news: make(chan struct{}, 1), outbox: make(chan struct{}, 16+2*w.Concurrency)}
	ww.held.messages = make(map[jetstream.Msg]bool)
	var err error
	if ww.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(callTimeout)); err != nil {
		return fmt.Errorf("use JetStream: %w", err)
	}
	if err := ww.refresh(drain); err != nil {
		return err
	}
	for subject, heard := range map[string]nats.MsgHandler{ww.inbox: ww.ordered, audience: func(*nats.Msg) { sign(ww.poke) }} {
		sub, err := nc.Subscribe(subject, heard)
		if err != nil {
			return fmt.Errorf("listen to coordinators: %w", err)
		}
		defer func() { _ = sub.Unsubscribe() }() // the connection is closed after it
	}
	background, stop := context.WithCancel(ctx)
	var crew sync.WaitGroup
	crew.Go(func() { ww.herald(background) })
	crew.Go(func() { ww.held.keep(background) })
	ww.work(ctx, drain)
	stop()
	crew.Wait()
	_ = nc.FlushTimeout(time.Second)
	return eval.ErrInterrupted
}

func sign(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// refresh looks at what is served.
func (w *working) refresh(ctx context.Context) error {
	models, err := w.Serve(ctx)
	if err != nil {
		return err
	}
	models = slices.DeleteFunc(models, func(m eval.Model) bool { return m.Digest == "" }) // weights that nobody can name
	shown, err := json.Marshal(public(models))
	if err != nil {
		return fmt.Errorf("say what is served: %w", err)
	}
	sum := sha256.Sum256(shown)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.models, w.digest = models, hex.EncodeToString(sum[:])
	return nil
}

// public is what others are told of models: no addresses and no folders.
func public(models []eval.Model) []eval.Model {
	out := slices.Clone(models)
	for i := range out {
		m := &out[i]
		if !slices.Contains([]string{eval.ProviderOllama}, m.Provider) {
			m.Model = nameOf(*m)
		}
		m.Host, m.Source, m.Dir, m.Name, m.Role, m.Generation = "", "", "", "", "", eval.Generation{}
	}
	return out
}

// refreshEvery is how often an idle worker looks again at what it serves.
const refreshEvery = 30 * time.Second

// herald says hello.
func (w *working) herald(ctx context.Context) {
	refreshed := w.Now()
	for {
		w.hello(ctx)
		select {
		case <-ctx.Done():
			return
		case <-w.poke:
		case <-time.After(helloEvery):
		}
		w.mu.Lock()
		idle := w.busy == ""
		w.mu.Unlock()
		if idle && w.Now().Sub(refreshed) > refreshEvery {
			refreshed = w.Now()
			if err := w.refresh(ctx); err != nil && ctx.Err() == nil {
				w.sayOnce(fmt.Sprintf("look at what is served: %v", err))
			}
		}
	}
}

func (w *working) hello(_ context.Context) {
	w.mu.Lock()
	h := hello{Protocol: protocol, Version: w.Version, Name: w.Name, Instance: w.instance, Host: w.Host, Energy: w.Energy,
		Now: w.Now(), Busy: w.busy, Retired: slices.Clone(w.retired), Digest: w.digest}
	if w.want {
		h.Models, w.want = public(w.models), false
	}
	w.mu.Unlock()
	data, err := json.Marshal(h)
	if err == nil {
		err = w.nc.PublishRequest(helloPrefix+w.Name, w.inbox, data)
	}
	if err != nil && !w.nc.IsClosed() {
		w.sayOnce(fmt.Sprintf("say hello: %v", err))
	}
}

func (w *working) sayOnce(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.told[text] && len(w.told) < mostTold {
		w.told[text] = true
		w.Say(text)
	}
}

// mostTasks bounds the orders of one run.
const mostTasks = 10_000

// ordered takes in what a coordinator answers.
func (w *working) ordered(msg *nats.Msg) {
	var o orders
	if err := json.Unmarshal(msg.Data, &o); err != nil {
		return
	}
	switch {
	case o.Protocol != protocol:
		w.sayOnce(fmt.Sprintf("a run asks for fleet protocol %d, this program has %d: use the same version on both machines", o.Protocol, protocol))
		return
	case o.Refused != "":
		w.sayOnce(o.Refused)
	case o.Want:
		w.mu.Lock()
		w.want = true
		w.mu.Unlock()
		sign(w.poke)
	}
	if o.Run == "" || CheckName(o.Run) != nil || len(o.Tasks) > mostTasks {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.Now()
	w.standing = slices.DeleteFunc(w.standing, func(s standing) bool { return now.Sub(s.seen) > forgetAfter })
	if i := slices.IndexFunc(w.standing, func(s standing) bool { return s.Run == o.Run }); i >= 0 {
		w.standing[i] = standing{o, now}
	} else if len(w.standing) < mostRuns {
		w.standing = append(w.standing, standing{o, now})
	}
	sign(w.news)
}

// current is the first run that has work for this worker.
func (w *working) current() (orders, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.standing {
		if w.Now().Sub(s.seen) < absentAfter && len(s.Tasks) > 0 {
			return s.orders, true
		}
	}
	return orders{}, false
}

// ackWait is how long a question of a run lives without a sign of life.
func (w *working) ackWait(run string) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.IndexFunc(w.standing, func(s standing) bool { return s.Run == run }); i >= 0 {
		return w.standing[i].AckWait
	}
	return 0
}

// tasks are those of a run that are open for this worker now.
func (w *working) tasks(run string) []task {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.standing, func(s standing) bool { return s.Run == run })
	if i < 0 || w.Now().Sub(w.standing[i].seen) >= absentAfter {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(w.standing[i].Tasks), func(t task) bool {
		return slices.ContainsFunc(w.retired, func(r retirement) bool { return r.Run == run && (r.Model == t.Model || r.Model == t.Of) })
	})
}

func (w *working) setBusy(run string) {
	w.mu.Lock()
	w.busy = run
	w.mu.Unlock()
	sign(w.poke)
}

// retire stops answering for a model of a run.
func (w *working) retire(run string, model int, name, reason string) {
	w.mu.Lock()
	w.retired = append(w.retired[max(0, len(w.retired)+1-mostRetired):], retirement{run, model, reason})
	w.mu.Unlock()
	w.Say(fmt.Sprintf("%s: given up for this run: %s", name, reason))
	sign(w.poke)
}

// served is the model of those weights, as this worker knows it.
func (w *working) served(t task) (eval.Model, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.models {
		if m.Provider == t.Provider && m.Digest == t.Digest && m.ProviderVersion == t.Version {
			if err := t.check(m); err != nil {
				return m, fmt.Errorf("refused: %w", err)
			}
			m.Generation = t.Generation
			return m, nil
		}
	}
	return eval.Model{}, fmt.Errorf("this worker does not serve weights %s of %s", short(t.Digest), t.Version)
}

// work takes run after run.
func (w *working) work(ctx, drain context.Context) {
	for drain.Err() == nil {
		if o, ok := w.current(); ok {
			w.setBusy(o.Run)
			newShift(w, o.Run).serve(ctx, drain)
			w.setBusy("")
			continue
		}
		select {
		case <-drain.Done():
		case <-w.news:
		case <-time.After(helloEvery):
		}
	}
}

// held keeps the questions alive that are in work here.
type held struct {
	mu       sync.Mutex
	messages map[jetstream.Msg]bool
	every    time.Duration
}

func (h *held) add(m jetstream.Msg, ackWait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages[m], h.every = true, ackWait/3
}

func (h *held) remove(m jetstream.Msg) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.messages, m)
}

// keep says of every held message that it is in progress.
func (h *held) keep(ctx context.Context) {
	for {
		h.mu.Lock()
		every := h.every
		h.mu.Unlock()
		if every <= 0 {
			every = DefaultAckWait / 3
		}
		if !pause(ctx, min(max(every, tick/50), tick)) {
			return
		}
		h.mu.Lock()
		for m := range h.messages {
			if err := m.InProgress(); err != nil && errors.Is(err, nats.ErrConnectionClosed) {
				break
			}
		}
		h.mu.Unlock()
	}
}
