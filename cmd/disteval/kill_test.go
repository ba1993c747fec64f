package main_test

import (
	"bufio"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disteval/disteval/eval/evaltest"
)

const twoModels = `version: 1
models:
  - {name: Teacher, provider: ollama, model: teacher, role: reference}
  - {name: Student, provider: ollama, model: student}
`

// TestKilledAtRandomMoments is the promise that a kill loses nothing: twenty
// kills and resumptions end with what an uninterrupted run has.
func TestKilledAtRandomMoments(t *testing.T) {
	f := evaltest.NewOllama(t, "teacher:latest", "student:latest")
	f.Set(func(o *evaltest.Ollama) { o.Delay = 4 * time.Millisecond })
	env := []string{"OLLAMA_HOST=" + f.URL}

	whole := t.TempDir()
	writeFile(t, filepath.Join(whole, "models.yaml"), twoModels)
	if out, err := program(t, whole, env, "run", "--models", "models.yaml").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := outcomes(t, onlyRun(t, whole))
	if len(want) != 400 {
		t.Fatalf("an uninterrupted run has %d outcomes, want 400", len(want))
	}

	killed := t.TempDir()
	writeFile(t, filepath.Join(killed, "models.yaml"), twoModels)
	random := rand.New(rand.NewPCG(1, 2))
	got := outcomes(t, killAndResume(t, killed, env, "models.yaml", 20, func() time.Duration {
		return time.Duration(random.IntN(350)) * time.Millisecond
	}))
	if !maps.Equal(got, want) {
		t.Errorf("after 20 kills there are %d outcomes, %d of them those of the uninterrupted run", len(got), same(got, want))
	}
}

// TestKilledSamples: a resumed run asks exactly the samples that are missing,
// and each draws as it would have.
func TestKilledSamples(t *testing.T) {
	folder := func() string {
		dir := t.TempDir()
		set, err := program(t, dir, nil, "queries", "export").Output()
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, "some.jsonl"), strings.Join(strings.SplitAfter(string(set), "\n")[:30], ""))
		writeFile(t, filepath.Join(dir, "models.yaml"), `version: 1
queries: some.jsonl
likelihood: off
generation: {temperature: 2, samples: 5, num_predict: 6}
models: [{name: student, provider: builtin, model: mini-student}]
`)
		return dir
	}
	whole := folder()
	start := time.Now()
	if out, err := program(t, whole, nil, "run", "--models", "models.yaml").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	took := time.Since(start)
	want := outcomes(t, onlyRun(t, whole))
	random := rand.New(rand.NewPCG(5, 6))
	got := outcomes(t, killAndResume(t, folder(), nil, "models.yaml", 8, func() time.Duration {
		return time.Duration(random.Int64N(int64(took)))
	}))
	if len(want) != 150 || !maps.Equal(got, want) {
		t.Errorf("after 8 kills there are %d outcomes, %d of them those of the uninterrupted run, which has %d", len(got), same(got, want), len(want))
	}
	texts := map[string]bool{}
	for _, o := range want {
		texts[o] = true
	}
	if len(texts) <= 30 {
		t.Errorf("%d different outcomes of 30 queries, drawn five times each", len(texts))
	}
}

func same(a, b map[string]string) (n int) {
	for k, v := range a {
		if b[k] == v {
			n++
		}
	}
	return n
}

// TestInterrupted sends an interrupt, or hangs up as a closed terminal does,
// twice: the run stores what is in flight, writes the report of what there is
// and exits with 130.
func TestInterrupted(t *testing.T) {
	t.Run("interrupt", func(t *testing.T) { testInterrupted(t, syscall.SIGINT) })
	t.Run("hang-up", func(t *testing.T) { testInterrupted(t, syscall.SIGHUP, syscall.SIGHUP) })
}

func testInterrupted(t *testing.T, signals ...syscall.Signal) {
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, signals[0]) // under nohup the program would inherit that it is ignored, and go on
	defer signal.Stop(heard)
	f := evaltest.NewOllama(t, "teacher:latest", "student:latest")
	f.Set(func(o *evaltest.Ollama) { o.Delay = 20 * time.Millisecond })
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "models.yaml"), twoModels)
	cmd := program(t, dir, []string{"OLLAMA_HOST=" + f.URL}, "run", "--models", "models.yaml")
	var screen strings.Builder
	cmd.Stdout = &screen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for f.Asked() < 10 {
		time.Sleep(time.Millisecond)
	}
	for _, s := range signals {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond) // two signals at once would be one
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	run := onlyRun(t, dir)
	for _, want := range []string{"EM [95 %]", "The run is partial", "report: "} {
		if !strings.Contains(screen.String(), want) {
			t.Errorf("the screen does not show %q:\n%s", want, screen.String())
		}
	}
	if got := len(outcomes(t, run)); got < 9 || got > f.Asked() {
		t.Errorf("%d outcomes stored of %d questions", got, f.Asked())
	}
	var summary struct {
		Status string `json:"status"`
	}
	data, err := os.ReadFile(filepath.Join(run, "summary.json"))
	if err != nil || json.Unmarshal(data, &summary) != nil || summary.Status != "partial" {
		t.Errorf("summary: %v, status %q; want partial", err, summary.Status)
	}
}

// TestInterruptedBaseline sends SIGINT while the idle machine is measured,
// which would go on for an hour.
func TestInterruptedBaseline(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "models.yaml"), "version: 1\nemissions: {idle_baseline: 1h}\nmodels: [{name: B, provider: builtin, model: mini-baby}]\n")
	cmd := program(t, dir, nil, "run", "--models", "models.yaml")
	messages, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer hung.Stop()
	for lines := bufio.NewScanner(messages); lines.Scan(); {
		if strings.Contains(lines.Text(), "idle baseline") {
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
}

// TestSecondInterruptLeavesAtOnce: a question hangs, so that draining, which
// the first interrupt begins, would take long.
func TestSecondInterruptLeavesAtOnce(t *testing.T) {
	f := evaltest.NewOllama(t, "teacher:latest", "student:latest")
	f.SetFault(func(string, int) evaltest.Fault {
		if f.Asked() > 5 { // the warm-up and four answers
			return evaltest.Hang
		}
		return evaltest.NoFault
	})
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "models.yaml"), twoModels)
	cmd := program(t, dir, []string{"OLLAMA_HOST=" + f.URL}, "run", "--models", "models.yaml")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for f.Asked() < 6 {
		time.Sleep(time.Millisecond)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
		t.Fatalf("one interrupt has ended the run with a question in flight")
	case <-time.After(300 * time.Millisecond):
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(30 * time.Second): // a question may be silent for two minutes
		_ = cmd.Process.Kill()
		t.Fatalf("the second interrupt did not end the run")
	}
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	f.SetFault(func(string, int) evaltest.Fault { return evaltest.NoFault })
	run := onlyRun(t, dir)
	asked := f.Asked()
	if out, err := program(t, dir, []string{"OLLAMA_HOST=" + f.URL}, "run", "--resume", run).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// Both warm-ups, and all but the four answers: none of these is lost.
	if got := f.Asked() - asked; got != 2+396 || len(outcomes(t, run)) != 400 {
		t.Errorf("the resumption has asked %d times for %d outcomes, want 398 for 400", got, len(outcomes(t, run)))
	}
}

// TestServerDiesInTheMiddle: the model is given up, what came is kept, and a
// resumption with the server back completes the run.
func TestServerDiesInTheMiddle(t *testing.T) {
	f := evaltest.NewOllama(t, "teacher:latest", "student:latest")
	dead := false
	f.SetFault(func(string, int) evaltest.Fault {
		if dead = dead || f.Asked() > 60; dead {
			return evaltest.Status400
		}
		return evaltest.NoFault
	})
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "models.yaml"), twoModels)
	env := []string{"OLLAMA_HOST=" + f.URL}
	out, err := program(t, dir, env, "run", "--models", "models.yaml").CombinedOutput()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 {
		t.Fatalf("%v, want exit code 1\n%s", err, out)
	}
	run := onlyRun(t, dir)
	f.SetFault(func(string, int) evaltest.Fault { return evaltest.NoFault })
	if out, err := program(t, dir, env, "run", "--resume", run).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for key, v := range outcomes(t, run) {
		if v[len(v)-1] != '}' || outcomeFailed(v) {
			t.Errorf("%s is still a failure: %s", key, v)
		}
	}
	if got := len(outcomes(t, run)); got != 400 {
		t.Errorf("%d outcomes, want 400", got)
	}
}

func outcomeFailed(v string) bool {
	var kind struct{ Kind string }
	return json.Unmarshal([]byte(v), &kind) == nil && kind.Kind != ""
}
