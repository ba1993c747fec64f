package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/disteval/disteval/cmd/internal/cli"
	"github.com/disteval/disteval/eval/evaltest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"disteval": func() { os.Exit(cli.Main()) }})
}

// TestScripts runs the scripts of testdata/script, each with a fake Ollama of
// its own that has the models teacher, student and talker.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			f := evaltest.NewOllama(t, "teacher:latest", "student:latest", "talker:latest")
			f.Set(func(o *evaltest.Ollama) {
				o.Words = []string{"talker"}
				o.Answer = func(model, prompt string) string {
					if model == "student" && len(prompt)%2 == 0 {
						return " something else"
					}
					return " Paris, Harper Lee, Mars or Vatican City"
				}
			})
			env.Setenv("OLLAMA_HOST", f.URL)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("NO_COLOR", "1")
			env.Setenv("DISTEVAL_LOCK_DIR", env.WorkDir) // another script is not a run beside this one
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exitcode": exitCode,
			"rename":   renameRun,
		},
		RequireExplicitExec: true,
	})
}

// exitCode runs a command and checks its exit code: exitcode N disteval ARGS...
func exitCode(ts *testscript.TestScript, _ bool, args []string) {
	want := args[0]
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != want {
		ts.Fatalf("exit code %s, want %s", got, want)
	}
}

// renameRun gives the only run of a folder a fixed name: rename runs NAME
func renameRun(ts *testscript.TestScript, _ bool, args []string) {
	runs, err := filepath.Glob(ts.MkAbs(filepath.Join(args[0], "2*")))
	if err != nil || len(runs) != 1 {
		ts.Fatalf("%d runs in %s, %v", len(runs), args[0], err)
	}
	ts.Check(os.Rename(runs[0], ts.MkAbs(filepath.Join(args[0], args[1]))))
}

// built makes the program as people have it. The scripts run the test binary
// itself, with the race detector where the tests have it; what asks models
// hundreds of questions would take many times as long in that.
var built = sync.OnceValues(func() (path string, err error) {
	own, err := exec.LookPath("disteval") // testscript.Main has put it on PATH, in a folder that it removes
	if err != nil {
		return "", err
	}
	path = filepath.Join(filepath.Dir(own), "built", "disteval")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", path, "github.com/disteval/disteval/cmd/disteval").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
})

// program is disteval as a process of its own, to be killed.
func program(t *testing.T, dir string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// outcomes reads what a run's replies.jsonl says but for times and energy.
func outcomes(t *testing.T, run string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(run, "replies.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		var r struct {
			Model   string          `json:"model"`
			QueryID string          `json:"query_id"`
			Sample  int             `json:"sample"`
			Text    string          `json:"text"`
			Done    string          `json:"done_reason"`
			Failure json.RawMessage `json:"failure"`
			Tokens  json.RawMessage `json:"tokens"`
			Scores  json.RawMessage `json:"scores"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		key := r.Model + " " + r.QueryID
		if r.Sample > 0 {
			key += fmt.Sprintf(" sample %d", r.Sample)
		}
		if _, twice := out[key]; twice {
			t.Errorf("%s stands twice", key)
		}
		out[key] = fmt.Sprintf("%q %s %s %s %s", r.Text, r.Done, r.Failure, r.Tokens, r.Scores)
	}
	return out
}

func onlyRun(t *testing.T, dir string) string {
	t.Helper()
	runs, err := filepath.Glob(filepath.Join(dir, "runs", "2*"))
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs in %s, %v", len(runs), dir, err)
	}
	return runs[0]
}

// killAndResume runs the models file, kills the process with SIGKILL after
// each of the pauses that next gives, resumes it every time, and at last lets
// it end.
func killAndResume(t *testing.T, dir string, env []string, models string, kills int, next func() time.Duration) string {
	t.Helper()
	args := []string{"run", "--models", models}
	for range kills {
		cmd := program(t, dir, env, args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(next())
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()
		runs, _ := filepath.Glob(filepath.Join(dir, "runs", "2*", "run.db"))
		if len(runs) > 0 {
			args = []string{"run", "--models", models, "--resume", filepath.Dir(runs[0])}
		}
	}
	if out, err := program(t, dir, env, args...).CombinedOutput(); err != nil {
		t.Fatalf("the last resumption: %v\n%s", err, out)
	}
	return onlyRun(t, dir)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
