//go:build unix

package fleet_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
)

// What the tests of faults run: two models, some questions each, two workers,
// and a short wait for a worker that is silent.
const (
	faultQueries = 100
	faultDelay   = 20 * time.Millisecond
	faultAckWait = time.Second
)

// faulty is a fleet to break.
type faulty struct {
	t       *testing.T
	url     string // of the coordinator
	dir     string
	workers []*process
	run     *process
	random  *rand.Rand
	probes  bool // the models are probed too
}

// some is a random time within the part of a run in which questions are asked.
func (f *faulty) some() time.Duration { return time.Duration(f.random.IntN(1500)) * time.Millisecond }

func (f *faulty) worker(url, name string) *process {
	p := launch(f.t, part{Worker: &workerPart{URL: url, Name: name, Delay: faultDelay, Probes: f.probes}})
	f.workers = append(f.workers, p)
	return p
}

func (f *faulty) begin() {
	f.run = launch(f.t, part{Run: &runPart{URL: f.url, Dir: f.dir, Queries: faultQueries, AckWait: faultAckWait, Probes: f.probes}})
}

// asked waits until some questions have been given out.
func (f *faulty) asked() { f.heard("") }

// heard waits for a message of a worker that has some text in it.
func (f *faulty) heard(text string) {
	f.t.Helper()
	nc, err := nats.Connect(f.url)
	if err != nil {
		f.t.Fatal(err)
	}
	defer nc.Close()
	heard, err := nc.SubscribeSync("disteval.r." + filepath.Base(f.dir) + ".*")
	for found := false; err == nil && !found; {
		var m *nats.Msg
		if m, err = heard.NextMsg(30 * time.Second); err == nil {
			found = strings.Contains(string(m.Data), text)
		}
	}
	if err != nil {
		f.t.Fatalf("no reply comes: %v", err)
	}
}

// end waits for the run and compares its record with that of one machine.
func (f *faulty) end() {
	f.t.Helper()
	select {
	case <-f.run.ended:
	case <-time.After(90 * time.Second):
		f.t.Fatal("the run does not end")
	}
	if _, well := f.run.done(); !well {
		f.t.Fatal("the run fails")
	}
	store, err := runstore.Read(f.t.Context(), f.dir)
	if err != nil {
		f.t.Fatal(err)
	}
	defer store.Close()
	got, probes := map[eval.JobID]string{}, map[eval.ProbeID]eval.Probe{}
	for r, err := range store.Replies(f.t.Context()) {
		if err != nil {
			f.t.Fatal(err)
		}
		if _, twice := got[r.Reply.JobID]; twice {
			f.t.Errorf("%s stands twice", r.Reply.JobID)
		}
		if r.Probe != nil {
			probes[r.Probe.ProbeID] = *r.Probe
		}
		if got[r.Reply.JobID] = r.Reply.Text; r.Reply.Failure != nil {
			got[r.Reply.JobID] = r.Reply.Failure.Error()
		}
	}
	check(f.t, got, wanted(planOf(faultQueries, "teacher", "student")))
	if f.probes {
		checkProbes(f.t, probes, store.Record().Plan)
	}
	for _, w := range f.workers {
		w.kill()
	}
}

// eachFault repeats a test of a fault at random times.
func eachFault(t *testing.T, url string, do func(*testing.T, *faulty)) {
	for i := range repeats(t) {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Logf("seed %d", seed)
			do(t, &faulty{t: t, url: url, random: rand.New(rand.NewPCG(seed, 0)), dir: filepath.Join(t.TempDir(), fmt.Sprintf("run-%d", i))})
		})
	}
}

// single is a server alone.
func single(t *testing.T) string {
	port := freePorts(t, 1)[0]
	launch(t, part{Server: &serverPart{Name: "s", Port: port, Store: t.TempDir()}})
	awaitPort(t, port)
	return natsURL(port)
}

func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	eachFault(t, single(t), func(t *testing.T, f *faulty) {
		victim := f.worker(f.url, "a")
		f.worker(f.url, "b")
		f.begin()
		f.asked()
		time.Sleep(f.some())
		victim.kill()
		f.end()
	})
}

func TestCoordinatorKilled(t *testing.T) {
	t.Parallel()
	eachFault(t, single(t), func(t *testing.T, f *faulty) {
		f.worker(f.url, "a")
		f.worker(f.url, "b")
		f.begin()
		f.asked()
		time.Sleep(f.some())
		f.run.kill()
		f.begin()
		f.end()
	})
}

// TestKilledWhileProbing kills a worker while the models are probed, and then
// the coordinator, which goes on.
func TestKilledWhileProbing(t *testing.T) {
	t.Parallel()
	eachFault(t, single(t), func(t *testing.T, f *faulty) {
		f.probes = true
		victim := f.worker(f.url, "a")
		f.worker(f.url, "b")
		f.begin()
		f.heard(`"probe":{`)
		time.Sleep(f.some() / 4)
		victim.kill()
		f.heard(`"probe":{`)
		f.run.kill()
		f.begin()
		f.end()
	})
}

// TestClusterNodesKilled kills one of three servers, and another when the
// first is back.
func TestClusterNodesKilled(t *testing.T) {
	t.Parallel()
	outer := t
	clients, routes := freePorts(t, 3), freePorts(t, 3)
	parts := make([]part, 3)
	nodes := make([]*process, 3)
	for i := range parts {
		parts[i] = part{Server: &serverPart{Name: fmt.Sprintf("n%d", i), Port: clients[i], Store: t.TempDir(), Cluster: routes[i], Routes: routes}}
		nodes[i] = launch(t, parts[i])
	}
	for _, port := range clients {
		awaitPort(t, port)
	}
	url := natsURL(clients...)
	awaitLeader(t, url)
	eachFault(t, url, func(t *testing.T, f *faulty) {
		f.worker(url, "a")
		f.worker(url, "b")
		f.begin()
		f.asked()
		first := f.random.IntN(3)
		for _, victim := range []int{first, (first + 1 + f.random.IntN(2)) % 3} {
			time.Sleep(f.some() / 2)
			nodes[victim].kill()
			time.Sleep(f.some())
			nodes[victim] = launch(outer, parts[victim]) // it outlives this repetition
			awaitPort(t, clients[victim])
			awaitWhole(t, clients[victim])
		}
		f.end()
	})
}

// TestWorkerCutOff cuts the connection of a worker for longer than the queue
// waits for it.
func TestWorkerCutOff(t *testing.T) {
	t.Parallel()
	url := single(t)
	eachFault(t, url, func(t *testing.T, f *faulty) {
		p := newProxy(t, strings.TrimPrefix(url, "nats://"))
		f.worker("nats://"+p.addr(), "a")
		f.worker(url, "b")
		f.begin()
		f.asked()
		time.Sleep(f.some() / 2)
		p.cut()
		time.Sleep(2 * faultAckWait)
		p.mend()
		f.end()
	})
}

// TestWorkerStopped stops a worker past the wait and lets it come back with a
// late answer.
func TestWorkerStopped(t *testing.T) {
	t.Parallel()
	eachFault(t, single(t), func(t *testing.T, f *faulty) {
		victim := f.worker(f.url, "a")
		f.worker(f.url, "b")
		f.begin()
		f.asked()
		time.Sleep(f.some() / 2)
		victim.signal(t, syscall.SIGSTOP)
		time.Sleep(3 * faultAckWait)
		victim.signal(t, syscall.SIGCONT)
		f.end()
	})
}

// TestServerDiskFull fills the server's file system; then somebody makes room
// and starts it again.
func TestServerDiskFull(t *testing.T) {
	t.Parallel()
	if ownMounts() == nil {
		skip(t, "no file system can be mounted here: neither unshare --user --map-root-user --mount nor, as root, unshare --mount works")
	}
	port := freePorts(t, 1)[0]
	s := launch(t, part{Server: &serverPart{Name: "s", Port: port, Store: t.TempDir(), Small: true}})
	awaitPort(t, port)
	eachFault(t, natsURL(port), func(t *testing.T, f *faulty) {
		f.worker(f.url, "a")
		f.worker(f.url, "b")
		f.begin()
		f.asked()
		time.Sleep(f.some() / 2)
		s.signal(t, syscall.SIGUSR1)
		time.Sleep(f.some())
		s.signal(t, syscall.SIGUSR2)
		f.end()
	})
}

// proxy passes bytes on until it is cut.
type proxy struct {
	listener net.Listener
	to       string

	mu      sync.Mutex
	broken  bool
	streams []net.Conn
}

func newProxy(t *testing.T, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to}
	go p.accept()
	t.Cleanup(func() {
		l.Close()
		p.cut()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		out, err := net.Dial("tcp", p.to)
		if p.broken || err != nil {
			in.Close()
			if err == nil {
				out.Close()
			}
		} else {
			p.streams = append(p.streams, in, out)
			go pass(in, out)
			go pass(out, in)
		}
		p.mu.Unlock()
	}
}

func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	to.Close()
	from.Close()
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = true
	for _, c := range p.streams {
		c.Close()
	}
	p.streams = nil
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = false
}

// awaitLeader waits until a cluster can make streams.
func awaitLeader(t *testing.T, url string) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for range 150 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		m, err := nc.RequestWithContext(ctx, "$JS.API.INFO", nil)
		cancel()
		if err == nil && !strings.Contains(string(m.Data), `"error"`) {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatal("the cluster has no leader")
}

// awaitWhole waits until a server that came back has its streams and takes part
// again: only then can another be missed.
func awaitWhole(t *testing.T, port int) {
	t.Helper()
	awaitLeader(t, natsURL(port))
}
