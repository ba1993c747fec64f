package files

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestAtomicSweeps: what a killed process left of a file goes with the next
// writing; what another may be writing now stays.
func TestAtomicSweeps(t *testing.T) {
	dir := t.TempDir()
	old, young, other := filepath.Join(dir, ".report.html.123"), filepath.Join(dir, ".report.html.456"), filepath.Join(dir, ".summary.json.1")
	for _, name := range []string{old, young, other} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-time.Hour)
	for _, name := range []string{old, other} {
		if err := os.Chtimes(name, past, past); err != nil {
			t.Fatal(err)
		}
	}
	err := Atomic(filepath.Join(dir, "report.html"), func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err })
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{old: false, young: true, other: true} {
		if _, err := os.Stat(name); (err == nil) != want {
			t.Errorf("%s: there %t, want %t", name, err == nil, want)
		}
	}
}
