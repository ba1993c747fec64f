package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/fleet"
)

func ask(t testing.TB, s *fleet.Server, c *fleet.Coordinator, p eval.Plan) (*memory, error) {
	t.Helper()
	if err := s.Keep(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	store := newMemory()
	return store, c.Ask(t.Context(), t.Context(), fleet.Run{ID: "run-1", Plan: p, Store: store, Process: 1, Observer: quiet{}})
}

// The same name with other weights is refused by name.
func TestOtherWeights(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{Wait: 3 * time.Second})
	start(t, worker("a", echo{}, "teacher"), dialWorker(t, s, "a"))
	other := worker("b", echo{}, "teacher")
	other.Serve = func(context.Context) ([]eval.Model, error) {
		models := served("teacher")
		models[0].Digest = strings.Repeat("f", 64)
		return models, nil
	}
	stop := start(t, other, dialWorker(t, s, "b"))
	time.Sleep(300 * time.Millisecond)
	_, err := c.Resolve(t.Context(), planOf(1, "teacher").Models)
	if err == nil || !strings.Contains(err.Error(), "TEACHER is not the same on a and b") || !strings.Contains(err.Error(), "ffffffffffff") {
		t.Errorf("two weights of one name: %v", err)
	}
	stop()

	// A run to go on with needs the very digest that it began with.
	began := planOf(1, "teacher").Models
	began[0].Digest, began[0].ProviderVersion = strings.Repeat("e", 64), "ollama 0.17.4"
	_, err = c.Resolve(t.Context(), began)
	if err == nil || !strings.Contains(err.Error(), "a: its weights are 000000000000, those of the run eeeeeeeeeeee") {
		t.Errorf("a resumption with other weights: %v", err)
	}
}

func TestNobodyServes(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{Wait: time.Second})
	start(t, worker("a", echo{}, "teacher"), dialWorker(t, s, "a"))
	_, err := c.Resolve(t.Context(), planOf(1, "teacher", "student").Models)
	var hint interface{ Hint() string }
	if err == nil || !strings.Contains(err.Error(), "a worker with STUDENT (ollama student)") || !strings.Contains(err.Error(), "there is a (teacher)") || !errors.As(err, &hint) {
		t.Errorf("%v", err)
	}
}

// A second worker of a name that is taken is not let in.
func TestNameTaken(t *testing.T) {
	s, _ := own(t, fleet.Options{})
	dialWorker(t, s, "a")
	nc, err := fleet.Connect(fleet.WorkerConnection(fleet.Connection{URL: s.WorkerArgs()[2]}, "a"))
	if err == nil {
		nc.Close()
		t.Fatal("two workers of one name are connected")
	}
	var hint interface{ Hint() string }
	if !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "--name") || !strings.Contains(err.Error(), "xxxxx@") {
		t.Errorf("%v", err)
	}
}

// Without the token nobody gets in, and with it nobody gets more than a
// worker's rights.
func TestRights(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{})
	start(t, worker("a", echo{delay: 50 * time.Millisecond}, "teacher"), dialWorker(t, s, "a"))
	p := resolve(t, c, planOf(40, "teacher"))
	url := s.WorkerArgs()[2]
	stranger := "nats://wrong" + url[strings.Index(url, "@"):]
	if nc, err := fleet.Connect(fleet.WorkerConnection(fleet.Connection{URL: stranger}, "x")); err == nil {
		nc.Close()
		t.Error("a wrong token is let in")
	}
	if nc, err := nats.Connect(url); err == nil {
		nc.Close()
		t.Error("a client without a worker's name is let in")
	}
	hostile := dialWorker(t, s, "mallory")
	go hostility(t, hostile)
	store, err := ask(t, s, c, p)
	if err != nil {
		t.Fatal(err)
	}
	check(t, store.texts(), wanted(p))
	if hosts := store.hostsOfReplies(); len(hosts) != 1 || hosts["a"] != 40 {
		t.Errorf("replies of %v", hosts)
	}
}

// hostility tries what a worker must not be able to do.
func hostility(t *testing.T, nc *nats.Conn) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(300*time.Millisecond))
	if err != nil {
		t.Error(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	time.Sleep(200 * time.Millisecond)
	if _, err := js.Stream(ctx, "disteval-q-run-1"); err == nil {
		t.Error("a worker looks into the stream of questions")
	}
	if err := js.DeleteStream(ctx, "disteval-q-run-1"); err == nil {
		t.Error("a worker deletes the stream of questions")
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "mine", Subjects: []string{"disteval.r.>"}}); err == nil {
		t.Error("a worker makes a stream")
	}
	forged := []byte(`{"key":"k","model":0,"job":39,"reply":{"Text":"forged","Timing":{"Start":"2026-01-01T00:00:00Z","End":"2026-01-01T00:00:00Z","Attempts":1}}}`)
	if _, err := js.Publish(ctx, "disteval.r.run-1.a", forged); err == nil {
		t.Error("a worker replies in another's name")
	}
	if cons, err := js.Consumer(ctx, "disteval-r-run-1", "store"); err == nil {
		if batch, err := cons.Fetch(1, jetstream.FetchMaxWait(300*time.Millisecond)); err == nil {
			for range batch.Messages() {
				t.Error("a worker takes the replies of others")
			}
		}
	}
	if sub, err := nc.SubscribeSync("disteval.>"); err == nil {
		_ = nc.Flush()
		if _, err := sub.NextMsg(200 * time.Millisecond); err == nil {
			t.Error("a worker listens to others")
		}
	}
}

// A worker cannot make the run or the server speak in another's place.
func TestDirectedElsewhere(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var said []string
	s, c := own(t, fleet.Options{Say: func(text string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, text)
	}})
	start(t, worker("a", echo{delay: 10 * time.Millisecond}, "teacher"), dialWorker(t, s, "a"))
	hostile := dialWorker(t, s, "mallory")
	p := resolve(t, c, planOf(80, "teacher"))
	go func() {
		hello := []byte(`{"protocol":1,"name":"mallory","instance":"i"}`)
		for range 20 {
			time.Sleep(20 * time.Millisecond)
			for _, reply := range []string{"disteval.r.run-1.a", "$JS.API.STREAM.PURGE.disteval-q-run-1", "_INBOX.a.x"} {
				_ = hostile.PublishRequest("disteval.hello.mallory", reply, hello)
			}
			_ = hostile.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.disteval-q-run-1.m0", "disteval.r.run-1.a", []byte("what"))
		}
	}()
	store, err := ask(t, s, c, p)
	if err != nil {
		t.Fatal(err)
	}
	check(t, store.texts(), wanted(p))
	mu.Lock()
	defer mu.Unlock()
	for _, text := range said {
		if strings.Contains(text, "mallory") || strings.Contains(text, "cannot be a reply") || strings.Contains(text, "the queue") {
			t.Errorf("the run says %q", text)
		}
	}
}

// A worker that sends what is no reply spoils nothing but itself.
func TestHostileReplies(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{})
	start(t, worker("a", echo{delay: 10 * time.Millisecond}, "teacher"), dialWorker(t, s, "a"))
	bad := dialWorker(t, s, "mallory")
	stop := start(t, worker("mallory", echo{}, "other"), bad)
	p := resolve(t, c, planOf(50, "teacher"))
	go func() {
		js, _ := jetstream.New(bad)
		now := time.Now()
		for job := range 50 { // of what it was never asked
			invented, _ := json.Marshal(map[string]any{"key": fmt.Sprintf("x-0-%d-0-x", job), "job": job, "reply": eval.Reply{Text: "Paris",
				Timing: eval.Timing{Start: now, End: now, Attempts: 1}}})
			for range 50 { // until there is a stream
				if _, err := js.Publish(t.Context(), "disteval.r.run-1.mallory", invented, jetstream.WithRetryAttempts(0)); err == nil {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
		for i := range 20 {
			for _, message := range []string{"", "null", "[]", `{"model":7}`, `{"model":-1,"job":-1}`, `{"job":1000000}`,
				`{"reply":{"Timing":{"Attempts":-1}}}`, `{"phases":[{"name":"answer"}]}`, `{"phases":[{"name":"answer","start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:00:01Z","reading":{"quality":"measured","energy":18446744073709551615}}]}`} {
				ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
				_, _ = js.Publish(ctx, "disteval.r.run-1.mallory", []byte(message), jetstream.WithMsgID(fmt.Sprint(i, message)))
				cancel()
			}
		}
	}()
	store, err := ask(t, s, c, p)
	stop()
	if err != nil {
		t.Fatal(err)
	}
	check(t, store.texts(), wanted(p))
	if hosts := store.hostsOfReplies(); hosts["a"] != 50 {
		t.Errorf("replies of %v", hosts)
	}
}

// A hostile coordinator gets nothing out of a worker but answers of the models
// that it serves: no other weights, no path, no address, no mad options.
func TestHostileCoordinator(t *testing.T) {
	t.Parallel()
	s := listen(t)
	if err := s.Keep(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	var opened, heard atomic.Int64
	w := loud(t, worker("a", echo{}, "teacher"))
	open := w.Open
	w.Open = func(m eval.Model) (eval.Generator, error) {
		opened.Add(1)
		return open(m)
	}
	var told atomic.Pointer[string]
	g := eval.DefaultGeneration()
	mad := g
	mad.NumCtx = 1 << 40
	tasks := []map[string]any{
		{"model": 0, "of": 0, "provider": "ollama", "digest": strings.Repeat("a", 64), "version": "ollama 0.17.4", "generation": g},
		{"model": 1, "of": 1, "provider": "builtin", "digest": "/etc/passwd", "version": "builtin 1", "generation": g},
		{"model": 2, "of": 2, "provider": "ollama", "digest": digestOf("teacher"), "version": "ollama 0.17.4", "generation": mad},
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "disteval-q-evil", Subjects: []string{"disteval.q.evil.>"}, Retention: jetstream.WorkQueuePolicy}); err != nil {
		t.Fatal(err)
	}
	for i, task := range tasks {
		if _, err := js.CreateConsumer(t.Context(), "disteval-q-evil", jetstream.ConsumerConfig{Durable: fmt.Sprintf("m%d", i), FilterSubject: fmt.Sprintf("disteval.q.evil.%d.any", i), AckPolicy: jetstream.AckExplicitPolicy, MaxDeliver: 3}); err != nil {
			t.Fatal(err)
		}
		q, _ := json.Marshal(map[string]any{"run": "evil", "key": fmt.Sprint(i), "model": i, "job": 0, "digest": task["digest"], "request": eval.Request{Prompt: "p"}})
		if _, err := js.Publish(t.Context(), fmt.Sprintf("disteval.q.evil.%d.any", i), q); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := nc.Subscribe("disteval.hello.*", func(m *nats.Msg) {
		heard.Add(1)
		if strings.Contains(string(m.Data), "retired") {
			text := string(m.Data)
			told.Store(&text)
		}
		if strings.Contains(string(m.Data), "127.0.0.1:11434") {
			t.Errorf("the worker tells an address: %s", m.Data)
		}
		out, _ := json.Marshal(map[string]any{"protocol": 1, "want": true, "run": "evil", "ack_wait_ns": time.Second, "tasks": tasks})
		_ = nc.Publish(m.Reply, out)
	}); err != nil {
		t.Fatal(err)
	}
	stop := start(t, w, dialWorker(t, s, "a"))
	for heard.Load() < 3 {
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(time.Second)
	stop()
	if opened.Load() != 0 {
		t.Errorf("%d models were opened", opened.Load())
	}
	for _, want := range []string{"does not serve weights aaaaaaaaaaaa", "does not serve weights /etc/passwd", "num_ctx is 1099511627776"} {
		if text := told.Load(); text == nil || !strings.Contains(*text, want) {
			t.Errorf("the worker's last hello lacks %q", want)
		}
	}
}

// A question that three workers died on is a failure, and the run goes on.
func TestDeadlyQuestion(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{AckWait: 300 * time.Millisecond})
	killer := errors.New("the worker dies")
	for i := range 4 {
		name := fmt.Sprintf("w%d", i)
		nc := dialWorker(t, s, name)
		g := echo{delay: 5 * time.Millisecond, fail: func(prompt string) error {
			if prompt == "prompt 5" {
				nc.Close() // as far as the queue can tell, the machine is gone
				return killer
			}
			return nil
		}}
		start(t, worker(name, g, "teacher"), nc)
	}
	p := resolve(t, c, planOf(30, "teacher"))
	store, err := ask(t, s, c, p)
	if err != nil {
		t.Fatal(err)
	}
	want := wanted(p)
	id := eval.JobID{Model: "TEACHER", Query: "q000005"}
	want[id] = "lost: 3 workers took the question, and none brought an outcome"
	check(t, store.texts(), want)
}

// A host whose server fails gives its questions to others and retires.
func TestHostFails(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{})
	refused := func(string) error {
		return &eval.Failure{Kind: eval.FailRefused, Message: "connection refused", Retry: true}
	}
	start(t, loud(t, worker("bad", echo{fail: refused}, "teacher")), dialWorker(t, s, "bad"))
	start(t, loud(t, worker("good", echo{delay: 10 * time.Millisecond}, "teacher")), dialWorker(t, s, "good"))
	p := resolve(t, c, planOf(100, "teacher"))
	store, err := ask(t, s, c, p)
	if err != nil {
		t.Fatal(err)
	}
	check(t, store.texts(), wanted(p))
	if len(store.gaveUp) > 0 {
		t.Errorf("given up: %v", store.gaveUp)
	}
}

// Where every host fails, the model is given up as on one machine, and the
// others go on.
func TestEveryHostFails(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{})
	for _, name := range []string{"a", "b"} {
		w := worker(name, echo{}, "teacher", "student")
		w.Open = func(m eval.Model) (eval.Generator, error) {
			g := &echo{model: m.Model}
			if m.Model == "teacher" {
				g.fail = func(string) error { return &eval.Failure{Kind: eval.FailStatus, Message: "broken"} }
			}
			return g, nil
		}
		start(t, w, dialWorker(t, s, name))
	}
	p := resolve(t, c, planOf(60, "teacher", "student"))
	store, err := ask(t, s, c, p)
	if err != nil {
		t.Fatal(err)
	}
	if why := store.gaveUp["TEACHER"]; !strings.Contains(why, "5 failures in a row") {
		t.Errorf("given up: %v", store.gaveUp)
	}
	students := 0
	for id, text := range store.texts() {
		if id.Model == "STUDENT" && strings.HasPrefix(text, "student says") {
			students++
		}
	}
	if students != 60 {
		t.Errorf("%d answers of the student", students)
	}
}

// A record that takes no more ends the run, and what it has not stored stays in
// the queue.
func TestRecordFull(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{})
	start(t, worker("a", echo{}, "teacher"), dialWorker(t, s, "a"))
	p := resolve(t, c, planOf(50, "teacher"))
	if err := s.Keep(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	store := newMemory()
	store.full = errors.New("disk full")
	run := fleet.Run{ID: "run-1", Plan: p, Store: store, Process: 1, Observer: quiet{}}
	if err := c.Ask(t.Context(), t.Context(), run); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Fatalf("%v", err)
	}
	store.mu.Lock()
	store.full = nil
	store.mu.Unlock()
	if err := c.Ask(t.Context(), t.Context(), run); err != nil {
		t.Fatal(err)
	}
	check(t, store.texts(), wanted(p))
}

// An interrupt lets the workers finish what they have, and a resumption goes
// on.
func TestInterruptAndResume(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{})
	start(t, worker("a", echo{delay: 20 * time.Millisecond}, "teacher"), dialWorker(t, s, "a"))
	p := resolve(t, c, planOf(100, "teacher"))
	if err := s.Keep(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	store := newMemory()
	run := fleet.Run{ID: "run-1", Plan: p, Store: store, Process: 1, Observer: quiet{}}
	drain, interrupt := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer interrupt()
	if err := c.Ask(t.Context(), drain, run); !errors.Is(err, eval.ErrInterrupted) {
		t.Fatalf("%v", err)
	}
	if n := len(store.replies); n == 0 || n == 100 {
		t.Errorf("%d replies at the interrupt", n)
	}
	run.Process = 2
	for _, p := range store.phases {
		run.Phases = append(run.Phases, p)
	}
	if err := c.Ask(t.Context(), t.Context(), run); err != nil {
		t.Fatal(err)
	}
	check(t, store.texts(), wanted(p))
	checkPhases(t, store)
	for _, name := range []eval.PhaseName{eval.PhaseLoad, eval.PhaseWarmup, eval.PhaseAnswer, eval.PhaseUnload} {
		if _, ok := store.phases[fmt.Sprintf("TEACHER a 2 %s", name)]; !ok {
			t.Errorf("the worker's second turn has no phase %s", name)
		}
	}
}

// Off loopback the server speaks TLS, and its certificate is known by the
// printed line alone.
func TestTLS(t *testing.T) {
	s, err := fleet.Listen("0.0.0.0:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	args := s.WorkerArgs()
	if len(args) != 5 || args[3] != "--server-cert" || !strings.HasPrefix(args[2], "tls://") {
		t.Fatalf("the line: %q", args)
	}
	nc, err := fleet.Connect(fleet.WorkerConnection(fleet.Connection{URL: args[2], ServerCert: args[4]}, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if state, err := nc.TLSConnectionState(); err != nil || !state.HandshakeComplete {
		t.Errorf("TLS: %v", err)
	}
	nc.Close()
	for what, cert := range map[string]string{"another certificate": strings.Repeat("0", 64), "none": "", "nonsense": "x"} {
		if nc, err := fleet.Connect(fleet.WorkerConnection(fleet.Connection{URL: args[2], ServerCert: cert}, "b")); err == nil {
			nc.Close()
			t.Errorf("%s is trusted", what)
		}
	}
	if nc, err := nats.Connect(strings.Replace(args[2], "tls://", "nats://", 1), nats.Name("disteval worker c")); err == nil {
		nc.Close()
		t.Error("the certificate of nobody is trusted")
	}
}

// A coordinator that was started again lets its workers back in.
func TestSecretsAreKept(t *testing.T) {
	dir := t.TempDir()
	first, err := fleet.Listen("127.0.0.1:0", dir)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Join(first.WorkerArgs(), " ")
	port := line[strings.LastIndex(line, ":")+1:]
	first.Close()
	info, err := os.Stat(filepath.Join(dir, fleet.StoreDir, "server.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("secrets: %v %v", info.Mode(), err)
	}
	second, err := fleet.Listen("127.0.0.1:"+port, dir)
	if err != nil {
		t.Fatal(err)
	}
	if again := strings.Join(second.WorkerArgs(), " "); again != line {
		t.Errorf("the line is now %s", again)
	}
	if err := second.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, fleet.StoreDir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left over: %v", err)
	}
}

func TestListenRefuses(t *testing.T) {
	for _, addr := range []string{"", "4222", "host", "127.0.0.1:x", "127.0.0.1:70000"} {
		if s, err := fleet.Listen(addr, ""); err == nil {
			s.Close()
			t.Errorf("%q is listened on", addr)
		}
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{"gpu1.cluster.local": "gpu1", "Müller": "M-ller", "node_7-a": "node_7-a"} {
		if got := fleet.HostName(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
	for _, bad := range []string{"", "a.b", "a b", "*", ">", strings.Repeat("x", 65), "é"} {
		if fleet.CheckName(bad) == nil {
			t.Errorf("%q is a name", bad)
		}
	}
}

// An address that cannot be read is not shown: it may hold a secret.
func TestBrokenAddress(t *testing.T) {
	for _, address := range []string{"nats://secret@h:port", "nats://u:secret@a b:4222", "nats://secret@h:4222/%zz"} {
		_, err := fleet.Connect(fleet.Connection{URL: address})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestRedacted(t *testing.T) {
	for in, want := range map[string]string{
		"nats://token@h:4222":           "nats://xxxxx@h:4222",
		"nats://u:p@h:4222,tls://x@i:1": "nats://xxxxx@h:4222,tls://xxxxx@i:1",
		"nats://h:4222":                 "nats://h:4222",
	} {
		if got := fleet.Redacted(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

// Replies that a killed coordinator has left in the queue are stored, and not
// asked again.
func TestLeftoverReplies(t *testing.T) {
	t.Parallel()
	s, c := own(t, fleet.Options{})
	var asked atomic.Int64
	start(t, worker("a", echo{asked: &asked}, "teacher"), dialWorker(t, s, "a"))
	p := resolve(t, c, planOf(50, "teacher"))
	if err := s.Keep(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	full := newMemory()
	full.full = errors.New("killed")
	run := fleet.Run{ID: "run-1", Plan: p, Store: full, Process: 1, Observer: quiet{}}
	if err := c.Ask(t.Context(), t.Context(), run); err == nil {
		t.Fatal("the first process is not killed")
	}
	for range 100 { // the worker goes on until it notices
		before := asked.Load()
		if time.Sleep(200 * time.Millisecond); asked.Load() == before {
			break
		}
	}
	run.Store = newMemory()
	if err := c.Ask(t.Context(), t.Context(), run); err != nil {
		t.Fatal(err)
	}
	check(t, run.Store.(*memory).texts(), wanted(p))
	if n := asked.Load(); n > 55 {
		t.Errorf("%d questions were asked for 50 replies", n)
	}
}
