//go:build linux

package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// usage is what a process has used.
type usage struct {
	Wall, CPU time.Duration
	MemoryMB  float64 // peak resident set
	OwnMB     float64 // most of it that was no page of a file, as seen every 10 ms
}

// usageVariable makes this test binary run its arguments as a command and write
// what that used to the file of its value. The kernel tells no child's peak as
// less than its parent's: this process is a small parent.
const usageVariable = "DISTEVAL_BENCH_USAGE"

func init() {
	path, wanted := os.LookupEnv(usageVariable)
	if !wanted {
		return
	}
	os.Unsetenv(usageVariable)
	u, err := launch(os.Args[1:])
	if err == nil {
		var text []byte
		if text, err = json.Marshal(u); err == nil {
			err = os.WriteFile(path, text, 0o600)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// launch runs a command to its end. Nobody reads what it prints.
func launch(args []string) (u usage, err error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return u, err
	}
	ended := make(chan error)
	go func() { ended <- cmd.Wait() }()
	for running := true; running; {
		select {
		case err = <-ended:
			running = false
		case <-time.After(10 * time.Millisecond):
			u.OwnMB = max(u.OwnMB, anonymousMB(cmd.Process.Pid))
		}
	}
	u.Wall = time.Since(start)
	s := cmd.ProcessState
	u.CPU, u.MemoryMB = s.UserTime()+s.SystemTime(), float64(s.SysUsage().(*syscall.Rusage).Maxrss)/1024
	return u, err
}

// anonymousMB is how much of a process's memory holds no page of a file; 0 where
// it has ended.
func anonymousMB(pid int) float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		if kB, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(kB), " kB"))
			return float64(n) / 1024
		}
	}
	return 0
}

// measured runs a command to its end.
func measured(b *testing.B, cmd *exec.Cmd) (u usage) {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "usage.json")
	launcher := exec.Command(self, cmd.Args...)
	launcher.Dir, launcher.Env = cmd.Dir, append(cmd.Environ(), usageVariable+"="+path)
	if out, err := launcher.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &u)
	}
	if err != nil {
		b.Fatalf("%s: %v", cmd, err)
	}
	return u
}
