package emissionstest

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed fake/nvml.c
var nvmlSource []byte

// NVML is a stand-in for NVIDIA's management library, with cards of known power.
type NVML struct {
	Path  string // of the library, which is called libnvidia-ml.so.1
	state string
}

// Card is one card of the stand-in.
type Card struct {
	Name, UUID string
	Watts      float64
	NoCounter  bool // as before Volta
	MIG, Lost  bool
	Users      []int // processes
}

// NewNVML compiles the stand-in with gcc; without gcc the test is skipped,
// except where DISTEVAL_NO_SKIP is set.
func NewNVML(t testing.TB, cards ...Card) *NVML {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		if os.Getenv("DISTEVAL_NO_SKIP") != "" {
			t.Fatal("needs gcc to make the stand-in for NVIDIA's library")
		}
		t.Skip("there is no gcc to make the stand-in for NVIDIA's library")
	}
	dir := t.TempDir()
	n := &NVML{Path: filepath.Join(dir, "libnvidia-ml.so.1"), state: filepath.Join(dir, "cards")}
	source := filepath.Join(dir, "nvml.c")
	if err := os.WriteFile(source, nvmlSource, 0o644); err != nil {
		t.Fatal(err)
	}
	n.Set(t, cards...)
	cmd := exec.Command(gcc, "-shared", "-fPIC", "-O1", fmt.Sprintf("-DSTATE=%q", n.state), "-o", n.Path, source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return n
}

// Set changes the cards.
func (n *NVML) Set(t testing.TB, cards ...Card) {
	t.Helper()
	var b strings.Builder
	bit := map[bool]int{true: 1}
	for _, c := range cards {
		fmt.Fprintf(&b, "%s|%s|%g|%d|%d|%d|%s\n", c.Name, c.UUID, c.Watts, bit[!c.NoCounter], bit[c.MIG], bit[c.Lost],
			strings.Trim(strings.ReplaceAll(fmt.Sprint(c.Users), " ", ","), "[]"))
	}
	if err := os.WriteFile(n.state+".next", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(n.state+".next", n.state); err != nil {
		t.Fatal(err)
	}
}

// Dir is the folder of the library, for LD_LIBRARY_PATH.
func (n *NVML) Dir() string { return filepath.Dir(n.Path) }
