package main_test

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/eval/ollama/ollamatest"
)

// fleetRun begins a run that gives its questions to workers and reads the
// command that it prints for them.
type fleetRun struct {
	*exec.Cmd
	dir    string
	worker []string // arguments
}

func beginFleetRun(t *testing.T, dir string, args ...string) *fleetRun {
	t.Helper()
	cmd := program(t, dir, []string{"OLLAMA_HOST=127.0.0.1:1"}, append([]string{"run", "--listen", "127.0.0.1:0"}, args...)...)
	messages, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "table"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(messages)
	for lines.Scan() {
		if line, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "disteval "); ok {
			go func() { _, _ = io.Copy(io.Discard, messages) }()
			return &fleetRun{cmd, dir, strings.Fields(line)}
		}
	}
	t.Fatal("the run prints no command for workers")
	return nil
}

// startWorker runs the printed command as it stands, with a name where several
// run on this machine.
func (r *fleetRun) startWorker(t *testing.T, ollama string, more ...string) *exec.Cmd {
	t.Helper()
	cmd := program(t, t.TempDir(), []string{"OLLAMA_HOST=" + ollama}, append(append([]string{}, r.worker...), more...)...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("worker:\n%s", said)
		}
	})
	return cmd
}

func (r *fleetRun) end(t *testing.T) string {
	t.Helper()
	hung := time.AfterFunc(5*time.Minute, func() { _ = r.Process.Kill() })
	defer hung.Stop()
	if err := r.Wait(); err != nil {
		t.Fatalf("the run: %v", err)
	}
	return onlyRun(t, r.dir)
}

const builtinModels = `version: 1
models:
  - {name: Teacher, provider: builtin, model: mini-teacher, role: reference}
  - {name: Student, provider: builtin, model: mini-student}
`

// TestFleetFromTheDocument is docs/fleet.md on one machine: a run with a server
// of its own, two workers; its outcomes are those of a run alone.
func TestFleetFromTheDocument(t *testing.T) {
	alone := t.TempDir()
	writeFile(t, filepath.Join(alone, "models.yaml"), builtinModels)
	if out, err := program(t, alone, nil, "run", "--models", "models.yaml", "--limit", "40").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, figures := outcomes(t, onlyRun(t, alone)), fleetSummary(t, onlyRun(t, alone))

	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "models.yaml"), builtinModels)
	run := beginFleetRun(t, dir, "--models", "models.yaml", "--limit", "40", "--audit", "25%")
	a := run.startWorker(t, "127.0.0.1:1", "--name", "a")
	run.startWorker(t, "127.0.0.1:1", "--name", "b")
	got := run.end(t)
	if have := outcomes(t, got); !maps.Equal(have, want) {
		t.Errorf("%d outcomes, %d of them those of a run alone, which has %d", len(have), same(have, want), len(want))
		for k, w := range want {
			t.Logf("%s: %s; alone: %s", k, have[k], w)
			break
		}
	}
	s := fleetSummary(t, got)
	// Every figure that is none of time or energy: exact match, answer bits,
	// choice, the comparisons, fidelity.
	if diff := cmp.Diff(figures.scored(), s.scored()); diff != "" {
		t.Errorf("figures: - alone + workers\n%s", diff)
	}
	if !strings.Contains(string(s.Fidelity), `"reason": null`) {
		t.Errorf("fidelity: %s", s.Fidelity)
	}
	replies := 0
	for _, h := range s.Hosts {
		replies += h.Replies
		if h.Fingerprint == "" {
			t.Errorf("host: %+v", h)
		}
	}
	if replies != 80 || s.Status != "complete" {
		t.Errorf("summary: %+v", s)
	}
	audited := 0
	for _, a := range s.Audits {
		audited += a.N
		if a.Same != a.N {
			t.Errorf("the same engine disagrees with itself: %+v", a)
		}
	}
	if len(s.Hosts) == 2 && audited == 0 {
		t.Error("nothing was audited")
	}
	if _, err := os.Stat(filepath.Join(got, "nats")); !os.IsNotExist(err) {
		t.Errorf("the queue is left over: %v", err)
	}
	leaveOut(t, dir, got, s)

	// One interrupt drains a worker.
	if err := a.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = a.Wait()
	if code := a.ProcessState.ExitCode(); code != 130 {
		t.Errorf("the worker's exit code is %d, want 130", code)
	}
}

type fleetFigures struct {
	Status string
	Models []struct {
		Name    string
		Metrics json.RawMessage
	}
	Comparisons, Fidelity json.RawMessage
	Hosts                 []struct {
		Name, Fingerprint string
		Replies           int
	}
	Audits []struct {
		N    int
		Same int `json:"same_text"`
	}
}

// scored are the figures that must be the same on any machines.
func (s fleetFigures) scored() (out []string) {
	for _, m := range s.Models {
		out = append(out, m.Name+" "+string(m.Metrics))
	}
	return append(out, string(s.Comparisons), string(s.Fidelity))
}

func fleetSummary(t *testing.T, run string) (s fleetFigures) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(run, "summary.json"))
	if err != nil || json.Unmarshal(data, &s) != nil {
		t.Fatalf("summary.json: %v", err)
	}
	return s
}

// leaveOut reports and scores without one of the hosts.
func leaveOut(t *testing.T, dir, run string, s fleetFigures) {
	t.Helper()
	out := t.TempDir()
	host := s.Hosts[0]
	if text, err := program(t, dir, nil, "report", run, "--without-host", host.Name, "--format", "json", "--out", out).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, h := range fleetSummary(t, out).Hosts {
		if h.Name == host.Name {
			t.Errorf("%s is not left out", host.Name)
		}
	}
	if text, err := program(t, dir, nil, "score", run, "--without-host", host.Name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if text, err := program(t, dir, nil, "score", run).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if again := fleetSummary(t, run); len(again.Hosts) != len(s.Hosts) {
		t.Errorf("hosts after scoring all again: %+v", again.Hosts)
	}
	text, err := program(t, dir, nil, "report", run, "--without-host", "nobody").CombinedOutput()
	if err == nil || !strings.Contains(string(text), `leave out host "nobody"`) {
		t.Errorf("a host that is none: %s", text)
	}
}

// TestFleetOnARealOllama has a real Ollama behind one worker and the models of
// the program behind others: what is answered is what one machine answers.
func TestFleetOnARealOllama(t *testing.T) {
	server := ollamatest.Start(t)
	server.CreateRandom(t, "baby-llama-58m", ollamatest.BabyLlama58M)
	const both = `version: 1
generation: {num_predict: 4, num_ctx: 128}
models:
  - {name: baby-llama-58m, provider: ollama, model: baby-llama-58m}
  - {name: Mini, provider: builtin, model: mini-baby}
`
	alone := t.TempDir()
	writeFile(t, filepath.Join(alone, "models.yaml"), both)
	if out, err := program(t, alone, []string{"OLLAMA_HOST=" + server.Host}, "run", "--models", "models.yaml", "--limit", "6").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "models.yaml"), both)
	run := beginFleetRun(t, dir, "--models", "models.yaml", "--limit", "6")
	run.startWorker(t, server.Host, "--name", "served")
	run.startWorker(t, "127.0.0.1:1", "--name", "mini")
	want, got := outcomes(t, onlyRun(t, alone)), outcomes(t, run.end(t))
	if len(want) != 12 || !maps.Equal(got, want) {
		t.Errorf("%d outcomes, %d of them those of a run alone, which has %d\n%s", len(got), same(got, want), len(want), cmp.Diff(want, got))
	}
}
