package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/disteval/disteval/eval"
)

// Options say how a coordinator works.
type Options struct {
	Wait     time.Duration // how long to wait for workers, and for a queue that does not answer
	Audit    float64       // share of the questions asked on a second host too, [0,1]
	Replicas int           // of the streams; 0: 3 on a cluster, else 1
	AckWait  time.Duration // without a sign of life a question goes to another worker; 0: DefaultAckWait
	Check    func() error  // of a server that is ours: why it takes no more; nil: there is none
	Now      func() time.Time
	Say      func(text string) // tells people what happens; names in it come from workers: untrusted
}

// Coordinator gives the questions of one run to workers. It is an
// eval.Provider whose models are those of the workers.
type Coordinator struct {
	opts   Options
	nc     *nats.Conn
	js     jetstream.JetStream
	roster *roster
	hellos *nats.Subscription

	mu  sync.Mutex
	ask *asking // nil before Ask
}

// NewCoordinator begins to listen for workers. Close ends it.
func NewCoordinator(nc *nats.Conn, o Options) (*Coordinator, error) {
	if o.AckWait == 0 {
		o.AckWait = DefaultAckWait
	}
	c := &Coordinator{opts: o, nc: nc, roster: newRoster(o.Now, o.Say)}
	var err error
	if c.js, err = jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(2*inFlight), jetstream.WithPublishAsyncTimeout(callTimeout), jetstream.WithDefaultTimeout(callTimeout)); err != nil {
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	if c.hellos, err = nc.Subscribe(helloPrefix+"*", c.greeted); err == nil {
		err = nc.Publish(audience, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for workers: %w", err)
	}
	return c, nil
}

// callTimeout is how long one call of the queue may take.
const callTimeout = 5 * time.Second

// Close lets the workers go.
func (c *Coordinator) Close() error { return c.hellos.Unsubscribe() }

// greeted answers a hello with orders.
func (c *Coordinator) greeted(msg *nats.Msg) {
	name := strings.TrimPrefix(msg.Subject, helloPrefix)
	// This process may publish anywhere, so orders go to the worker's own inbox
	// and nowhere else.
	if !strings.HasPrefix(msg.Reply, inboxOf(name)+".") || strings.ContainsAny(msg.Reply, "*> \t\r\n") {
		return
	}
	m, refused, want := c.roster.greet(name, msg.Reply, msg.Data)
	if refused != "" || want {
		c.order(msg.Reply, orders{Refused: refused, Want: want})
		return
	}
	c.mu.Lock()
	ask := c.ask
	c.mu.Unlock()
	if ask != nil {
		ask.order(m)
	} else {
		c.order(msg.Reply, orders{})
	}
}

func (c *Coordinator) order(inbox string, o orders) {
	o.Protocol = protocol
	if data, err := json.Marshal(o); err == nil {
		_ = c.nc.Publish(inbox, data) // the worker asks again
	}
}

// Open fails: a coordinator's models answer on other machines.
func (c *Coordinator) Open(m eval.Model) (eval.Generator, error) {
	return nil, fmt.Errorf("open %s: it answers on the workers", m.Name)
}

// settle is how long the fleet must be unchanged before a plan is made of it:
// workers that are there already have said hello by then.
const settle = 500 * time.Millisecond

// Resolve waits until every model has a worker and fills in what these say of
// it. A model that has a digest already, of a run to go on with, needs a
// worker with that very digest; otherwise all workers must have the same
// weights under its name.
func (c *Coordinator) Resolve(ctx context.Context, models []eval.Model) ([]eval.Model, error) {
	for _, m := range models {
		if m.Host != "" && m.Digest == "" {
			return nil, eval.BadInput(fmt.Errorf("model %s: host %s has no meaning where workers answer", m.Name, m.Host), "take host: out; each worker asks the server of its own OLLAMA_HOST")
		}
	}
	deadline := time.NewTimer(c.opts.Wait)
	defer deadline.Stop()
	said := ""
	for {
		out, missing, err := c.match(models)
		if err != nil {
			return nil, err
		}
		pause := time.NewTimer(settle)
		if waiting := strings.Join(missing, "; "); waiting != said {
			if said = waiting; waiting != "" {
				c.opts.Say(fmt.Sprintf("waiting for %s", waiting))
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-deadline.C:
			if len(missing) > 0 {
				return nil, c.nobody(missing)
			}
			return out, nil
		case <-c.roster.changed:
			pause.Stop()
		case <-pause.C:
			if len(missing) == 0 {
				return out, nil
			}
		}
	}
}

func (c *Coordinator) nobody(missing []string) error {
	var here []string
	for _, m := range c.roster.present() {
		var names []string
		for _, have := range m.models {
			names = append(names, have.Model)
		}
		here = append(here, fmt.Sprintf("%s (%s)", m.Name, strings.Join(names, ", ")))
	}
	there := "no worker is there"
	if len(here) > 0 {
		there = "there is " + strings.Join(here, "; ")
	}
	return eval.WithHint(fmt.Errorf("wait %v for %s: %s", c.opts.Wait, strings.Join(missing, "; "), there),
		"start disteval worker beside a server that has the model, on the same NATS; --wait-workers waits longer")
}

// match looks for every model among the workers. missing names those that
// none has; workers that have different weights under one name are an error.
func (c *Coordinator) match(models []eval.Model) (out []eval.Model, missing []string, err error) {
	present := c.roster.present()
	for _, want := range models {
		var found []eval.Model
		var hosts, whys []string
		for _, m := range present {
			for _, have := range m.models {
				if want.Digest == "" && (want.Provider != have.Provider || nameOf(want) != nameOf(have)) {
					continue
				}
				if want.Digest != "" {
					ok, why := serves(want, have)
					if why != "" {
						whys = append(whys, m.Name+": "+why)
					}
					if !ok {
						continue
					}
				}
				found, hosts = append(found, have), append(hosts, m.Name)
			}
		}
		if len(found) == 0 {
			missing = append(missing, strings.TrimSuffix(fmt.Sprintf("a worker with %s (%s %s); %s", want.Name, want.Provider, want.Model, strings.Join(whys, "; ")), "; "))
			continue
		}
		full := describe(want, found[0])
		for i, other := range found {
			if ok, why := serves(full, other); !ok {
				return nil, nil, eval.BadInput(fmt.Errorf("model %s is not the same on %s and %s: %s", want.Name, hosts[0], hosts[i], why),
					"give all workers the same weights and server version, or end those that differ")
			}
		}
		if n := full.ContextLength; n > 0 && full.Generation.NumCtx > n {
			return nil, nil, &eval.ContextError{Model: full, Has: n}
		}
		out = append(out, full)
	}
	return out, missing, nil
}

// describe fills in what a worker says of a model.
func describe(want, have eval.Model) eval.Model {
	want.Host = ""
	want.Digest, want.ProviderVersion, want.Capabilities = have.Digest, have.ProviderVersion, have.Capabilities
	want.Parameters, want.Quantization, want.ContextLength = have.Parameters, have.Quantization, have.ContextLength
	want.SizeBytes, want.Notice = have.SizeBytes, have.Notice
	if want.Template = have.Template; want.Generation.Raw {
		want.Template = ""
	} else if want.Provider == eval.ProviderOllama { // it walks in raw completion alone
		want.Capabilities.Logprobs, want.Capabilities.Walks = 0, false
	}
	return want
}

// Store is where the outcomes of a run go.
type Store interface {
	eval.Store
	// Reply returns the outcome of a job; ok is false where there is none.
	Reply(ctx context.Context, id eval.JobID) (r eval.ScoredReply, ok bool, err error)
	// PutHost queues what is known of a machine that answers.
	PutHost(ctx context.Context, name string, h eval.Host) error
	// PutAudit queues what a second host answered.
	PutAudit(ctx context.Context, r eval.Reply) error
	// Warn queues a warning of the run itself.
	Warn(ctx context.Context, text string) error
}

// Run is what is asked.
type Run struct {
	ID       string
	Plan     eval.Plan
	First    []string // models that are asked before the others, by name
	Store    Store
	Process  int          // of eval.Phase: the first that none has
	Phases   []eval.Phase // stored by earlier processes
	Observer eval.Observer
}

// Ask asks every question that has no outcome yet. drain and ctx end it as
// they end an eval.Runner. What is still queued then stays in the streams,
// where the next Ask of the run finds it.
func (c *Coordinator) Ask(ctx, drain context.Context, run Run) error {
	if err := CheckName(run.ID); err != nil {
		return fmt.Errorf("name the streams of the run: %w", err)
	}
	done, err := run.Store.Done(ctx)
	if err != nil {
		return err
	}
	open, err := openProbes(ctx, run, done)
	if err != nil {
		return err
	}
	a := newAsking(c, run, done, open)
	if a.book.finished() {
		return nil
	}
	if err := a.fits(); err != nil {
		return err
	}
	if err := a.open(ctx, true); err != nil {
		return eval.WithHint(fmt.Errorf("open the queue of run %s: %w", run.ID, err), queueHint(err))
	}
	c.mu.Lock()
	c.ask = a
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.ask = nil
		c.mu.Unlock()
	}()
	return a.run(ctx, drain)
}

func queueHint(err error) string {
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return "turn JetStream on in the server's configuration (jetstream {}), for this account too"
	}
	return "see the server's log; on a cluster all three servers must be there when a run begins"
}

// fits refuses questions that the server would not take.
func (a *asking) fits() error {
	most := a.c.nc.MaxPayload() - headroom
	for _, b := range a.book.pages {
		for i, job := range b.jobs {
			size := len(job.Request.Prompt) + len(job.Request.System)
			if i > 0 {
				size += len(b.jobs[i-1].Request.Prompt) + len(b.jobs[i-1].Request.System)
			}
			if int64(size) > most/2 { // JSON may double it
				return eval.BadInput(fmt.Errorf("%s and the question before it have %d bytes, and a message of the NATS server %d (max_payload)", job.ID, size, a.c.nc.MaxPayload()),
					"raise max_payload in the server's configuration, or shorten the prompts")
			}
		}
	}
	return nil
}

// replicas is how many servers keep the streams.
func (c *Coordinator) replicas() int {
	switch {
	case c.opts.Replicas > 0:
		return c.opts.Replicas
	case c.nc.ConnectedClusterName() != "":
		return 3
	}
	return 1
}

// persistence is how the questions are written where they have no replicas:
// without a sync each, since what a power cut takes is given out again from the
// record. Replies are always written as the server is told to.
func (c *Coordinator) persistence() jetstream.PersistModeType {
	if c.replicas() > 1 {
		return jetstream.DefaultPersistMode
	}
	return jetstream.AsyncPersistMode
}

func (m member) retiredFrom(run string, model int) (reason string, retired bool) {
	i := slices.IndexFunc(m.Retired, func(r retirement) bool { return r.Run == run && r.Model == model })
	if i < 0 {
		return "", false
	}
	return m.Retired[i].Reason, true
}

// Workers is how many workers are there.
func (c *Coordinator) Workers() int { return len(c.roster.present()) }
