//go:build unix

package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/fleet"
	"github.com/disteval/disteval/eval/runstore"
)

// The parts of a fleet as processes of their own, to be killed: this binary
// plays the part that its environment names.
const partVariable = "DISTEVAL_FLEET_TEST_PART"

func TestMain(m *testing.M) {
	text := os.Getenv(partVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var p part
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		switch {
		case p.Server != nil:
			err = p.Server.serve()
		case p.Worker != nil:
			err = p.Worker.work()
		case p.Run != nil:
			err = p.Run.ask()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

type part struct {
	Server *serverPart
	Worker *workerPart
	Run    *runPart
}

// serverPart is one NATS server, alone or of a cluster.
type serverPart struct {
	Name    string
	Port    int
	Store   string
	Cluster int   // its port for the others; 0: alone
	Routes  []int // the others'
	Small   bool  // Store is a file system of its own of some megabytes, which SIGUSR1 fills and SIGUSR2 clears
}

func (p serverPart) serve() error {
	if p.Small {
		if err := os.MkdirAll(p.Store, 0o755); err != nil {
			return err
		}
		if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", p.Store).CombinedOutput(); err != nil {
			return fmt.Errorf("mount: %w: %s", err, out)
		}
	}
	orders := make(chan os.Signal, 4)
	signal.Notify(orders, syscall.SIGUSR1, syscall.SIGUSR2)
	filler := filepath.Join(p.Store, "filler")
	s, err := p.start()
	for err == nil {
		if <-orders == syscall.SIGUSR1 {
			err = fill(filler)
			continue
		}
		// What a person does: make room, start the server again.
		s.Shutdown()
		s.WaitForShutdown()
		if err = os.Remove(filler); err == nil {
			s, err = p.start()
		}
	}
	return err
}

func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 1 << 16; size > 0; size /= 2 {
		for block := make([]byte, size); ; {
			if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
				break
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

func (p serverPart) start() (*server.Server, error) {
	o := &server.Options{ServerName: p.Name, Host: "127.0.0.1", Port: p.Port, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: p.Store, SyncAlways: true, JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 1 << 30}
	if p.Cluster > 0 {
		o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: p.Cluster}
		for _, port := range p.Routes {
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))})
		}
	}
	s, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		return nil, fmt.Errorf("server %s is not ready", p.Name)
	}
	return s, nil
}

// workerPart is a worker of echoes.
type workerPart struct {
	URL, Name string
	Delay     time.Duration
	Probes    bool
}

func (p workerPart) work() error {
	drain, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	say := func(text string) { fmt.Fprintln(os.Stderr, time.Now().Format("05.000"), p.Name+": "+text) }
	nc, err := fleet.Connect(fleet.WorkerConnection(fleet.Connection{URL: p.URL, Log: say}, p.Name))
	if err != nil {
		return err
	}
	w := worker(p.Name, echo{delay: p.Delay}, "teacher", "student")
	w.Say = say
	if p.Probes {
		w = probing(w)
	}
	if err := w.Run(context.Background(), drain, nc); !errors.Is(err, eval.ErrInterrupted) {
		return err
	}
	return nil
}

// runPart is a coordinator with a record on disk. It goes on where there is one.
type runPart struct {
	URL, Dir string
	Queries  int
	AckWait  time.Duration
	Probes   bool
}

func (p runPart) ask() error {
	ctx := context.Background()
	say := func(text string) { fmt.Fprintln(os.Stderr, time.Now().Format("05.000"), "run: "+text) }
	nc, err := fleet.Connect(fleet.Connection{URL: p.URL, Name: "test run", Log: say})
	if err != nil {
		return err
	}
	c, err := fleet.NewCoordinator(nc, fleet.Options{Wait: time.Minute, AckWait: p.AckWait, Now: time.Now, Say: say})
	if err != nil {
		return err
	}
	store, err := p.open(ctx, c)
	if err != nil {
		return err
	}
	rec := store.Record()
	process, err := store.NextProcess(ctx)
	if err != nil {
		return err
	}
	err = c.Ask(ctx, ctx, fleet.Run{ID: rec.ID, Plan: rec.Plan, Store: store, Process: process, Phases: rec.Phases, Observer: quiet{}})
	return errors.Join(err, store.Close())
}

func (p runPart) open(ctx context.Context, c *fleet.Coordinator) (*runstore.Store, error) {
	store, err := runstore.Open(ctx, p.Dir)
	if err == nil {
		_, err = c.Resolve(ctx, store.Record().Plan.Models)
		return store, err
	}
	if !errors.Is(err, runstore.ErrNotRun) && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	plan := planOf(p.Queries, "teacher", "student")
	if p.Probes {
		plan = probedPlan(p.Queries)
	}
	if plan.Models, err = c.Resolve(ctx, plan.Models); err != nil {
		return nil, err
	}
	return runstore.Create(ctx, p.Dir, eval.RunRecord{ID: filepath.Base(p.Dir), Plan: plan, PlanHash: plan.Hash(), Created: time.Now()})
}

// ownMounts is the command that gives a process file systems of its own: as a
// user of a name space, where the machine allows these, or as root; nil where
// neither is possible.
var ownMounts = sync.OnceValue(func() []string {
	for _, command := range [][]string{{"unshare", "--user", "--map-root-user", "--mount"}, {"unshare", "--mount"}} {
		if exec.Command(command[0], append(command[1:], "true")...).Run() == nil {
			return command
		}
	}
	return nil
})

// skip skips, or fails where nothing may be skipped.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("DISTEVAL_NO_SKIP") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// process is a part that runs.
type process struct {
	*exec.Cmd
	ended chan struct{}
}

// launch starts a part; it ends with the test at the latest. What it says is
// shown when the test fails.
func launch(t testing.TB, p part) *process {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	if p.Server != nil && p.Server.Small {
		cmd = exec.Command(ownMounts()[0], append(ownMounts()[1:], os.Args[0])...)
	}
	cmd.Env = append(os.Environ(), partVariable+"="+string(text))
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	run := &process{cmd, make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(run.ended)
	}()
	t.Cleanup(func() {
		run.kill()
		if t.Failed() {
			_, _ = log.Seek(0, io.SeekStart)
			said, _ := io.ReadAll(log)
			t.Logf("%s said:\n%s", text, said)
		}
		log.Close()
	})
	return run
}

func (p *process) kill() {
	_ = p.Process.Kill()
	<-p.ended
}

func (p *process) signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// done reports whether the process has ended, and well.
func (p *process) done() (ended, well bool) {
	select {
	case <-p.ended:
		return true, p.ProcessState.Success()
	default:
		return false, false
	}
}

// freePorts finds ports that nobody uses.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var out []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out
}

func natsURL(ports ...int) string {
	var all []string
	for _, p := range ports {
		all = append(all, fmt.Sprintf("nats://127.0.0.1:%d", p))
	}
	return strings.Join(all, ",")
}

// awaitPort waits until somebody listens.
func awaitPort(t testing.TB, port int) {
	t.Helper()
	for range 200 {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			c.Close()
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("nobody listens on port %d", port)
}

// repeats is how often each fault is tried: DISTEVAL_FLEET_FAULTS, by default
// a few times.
func repeats(t testing.TB) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("DISTEVAL_FLEET_FAULTS"))
	switch {
	case err == nil:
		return n
	case testing.Short():
		return 1
	}
	return 2
}
