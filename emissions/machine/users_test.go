//go:build linux && (amd64 || arm64) && !static

package machine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions/emissionstest"
	"github.com/disteval/disteval/emissions/nvml"
)

// TestCardUsers runs itself with the stand-in for NVIDIA's library on its
// path, since a process looks for libraries where it was told when it began.
func TestCardUsers(t *testing.T) {
	if os.Getenv("CARD_USERS") != "" {
		cardUsersOf(t, os.Getenv("CARD_USERS"))
		return
	}
	// 10 is the server, 11 its child, 99 somebody else's, 4000 is not seen.
	n := emissionstest.NewNVML(t, emissionstest.Card{Name: "A", UUID: "GPU-a", Watts: 10, Users: []int{11, 99}},
		emissionstest.Card{Name: "B", UUID: "GPU-b", Watts: 10, Users: []int{4000}}, emissionstest.Card{Name: "C", UUID: "GPU-c", Watts: 10})
	proc := fakeProc(t)
	for pid, parent := range map[int]int{10: 1, 11: 10, 99: 1} {
		dir := filepath.Join(proc, fmt.Sprint(pid))
		if err := os.MkdirAll(filepath.Join(dir, "fd"), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"stat": fmt.Sprintf("%d (x) S %d 0 0 0 0 0 0 0 0 0 1 1 0 0 20", pid, parent), "comm": fmt.Sprintf("p%d\n", pid)} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Symlink("socket:[777]", filepath.Join(proc, "10/fd/3")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(proc, "net"), 0o755); err != nil {
		t.Fatal(err)
	}
	listen := "  sl  local_address rem_address st\n 0: 0100007F:2CAA 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 777 1\n"
	if err := os.WriteFile(filepath.Join(proc, "net/tcp"), []byte(listen), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestCardUsers$", "-test.v")
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+n.Dir(), "CARD_USERS="+proc)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func cardUsersOf(t *testing.T, proc string) {
	m := &cardUsers{Meter: nvml.New(), procfs: proc, server: "127.0.0.1:11434"}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	from := time.Now()
	time.Sleep(10 * time.Millisecond)
	r := m.Read(from, time.Now())
	if len(r.Zones) != 3 {
		t.Fatalf("%+v", r)
	}
	for i, want := range []string{"used by the model server (process 11, p11), process 99 (p99)", "process 4000, which cannot be seen", "no process"} {
		if !strings.Contains(r.Zones[i].Note, want) {
			t.Errorf("%s: %q, want %q", r.Zones[i].Name, r.Zones[i].Note, want)
		}
	}
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "gpu-0 A is also used by process 99 (p99)") {
		t.Errorf("%q", r.Warnings)
	}
}
