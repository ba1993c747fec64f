//go:build unix

package hostload

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
)

// A run does not wait until its server is found, and what the server does
// meanwhile is in its share.
func TestServerFoundLate(t *testing.T) {
	process := func(ticks int) string { return fmt.Sprintf("10 (a) S 1 0 0 0 0 0 0 0 0 0 %d 0 0 0 20", ticks) }
	proc := write(t, map[string]string{"stat": stat(1000), "10/stat": process(100), "10/fd/.x": ""})
	if err := os.Symlink("socket:[777]", filepath.Join(proc, "10/fd/3")); err != nil {
		t.Fatal(err)
	}
	sockets := filepath.Join(proc, "net/tcp")
	if err := os.Mkdir(filepath.Dir(sockets), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(sockets, 0o600); err != nil { // whoever looks for the server waits for us
		t.Fatal(err)
	}
	m := WithServerShare(emissions.NewUnavailable("off", "test"), proc, "127.0.0.1:11434")
	began := time.Now()
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(sockets, os.O_WRONLY, 0) // it is being looked for
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	from := time.Now()
	if r := m.Read(from, from.Add(tick/2)); r.ServerShare != nil || len(r.Warnings) > 0 {
		t.Errorf("half a tick: %+v", r)
	}
	for name, content := range map[string]string{"stat": stat(1400), "10/stat": process(300)} {
		if err := os.WriteFile(filepath.Join(proc, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(tick)
	if _, err := fmt.Fprint(pipe, "  sl  local_address\n   0: 0100007F:2CAA 00000000:0000 0A 0:0 0:0 0 0 0 777 1\n"); err != nil {
		t.Fatal(err)
	}
	if err := pipe.Close(); err != nil {
		t.Fatal(err)
	}
	if r := m.Read(from, time.Now()); r.ServerShare == nil || math.Abs(*r.ServerShare-0.5) > 1e-3 {
		t.Errorf("share %v, want 0.5 (200 of 400 ticks): %q", r.ServerShare, r.Warnings)
	}
	if r := m.Read(began.Add(-time.Second), time.Now()); r.ServerShare != nil || !strings.Contains(strings.Join(r.Warnings, ";"), "its processes were not read") {
		t.Errorf("an interval that begins before: %+v", r)
	}
}

// Workers share the socket of their parent, whose share has theirs.
func TestListenerOfWorkers(t *testing.T) {
	proc := write(t, map[string]string{"net/tcp": "  sl  local_address\n   0: 0100007F:2CAA 00000000:0000 0A 0:0 0:0 0 0 0 777 1\n"})
	for pid, parent := range map[int]int{7: 1, 20: 7, 30: 20, 31: 20, 40: 1} {
		dir := filepath.Join(proc, fmt.Sprint(pid))
		if err := os.MkdirAll(filepath.Join(dir, "fd"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "stat"), fmt.Appendf(nil, "%d (a) S %d 0 0 0 0 0 0 0 0 0 1 0 0 0 20", pid, parent), 0o644); err != nil {
			t.Fatal(err)
		}
		socket := "socket:[777]"
		if pid == 7 || pid == 40 {
			socket = "socket:[778]"
		}
		if err := os.Symlink(socket, filepath.Join(dir, "fd/3")); err != nil {
			t.Fatal(err)
		}
	}
	if pid, err := Listener(proc, "127.0.0.1:11434"); err != nil || pid != 20 {
		t.Errorf("process %d, %v; want 20", pid, err)
	}
}

// TestReadAfterClose ends, though the server may never have been looked for.
func TestReadAfterClose(t *testing.T) {
	for range 50 {
		m := WithServerShare(emissions.NewUnavailable("none", "nothing is metered"), "/proc", "")
		if err := errors.Join(m.Start(t.Context()), m.Close()); err != nil {
			t.Fatal(err)
		}
		m.Read(time.Now().Add(-time.Second), time.Now())
	}
}
