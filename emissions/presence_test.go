//go:build unix

package emissions

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// look is a Warning for which the others are looked for now.
func (p *Presence) look() string {
	p.checked = time.Time{}
	return p.Warning()
}

func TestPresence(t *testing.T) {
	dir := t.TempDir()
	a := Announce(dir)
	if w := a.look(); w != "" {
		t.Errorf("alone: %q", w)
	}
	b := Announce(dir)
	for _, p := range []*Presence{a, b} {
		if w := p.look(); !strings.Contains(w, "overlaps") {
			t.Errorf("two runs: %q", w)
		}
	}
	r := WithPresence(steady{1, Measured, "rapl"}, a).Read(time.Now(), time.Now())
	if len(r.Warnings) != 1 {
		t.Errorf("warnings %q", r.Warnings)
	}
	for _, p := range []*Presence{a, b} {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if w := a.Warning(); !strings.Contains(w, "overlaps") {
		t.Errorf("an overlap is forgotten: %q", w)
	}
	c := Announce(dir)
	defer c.Close()
	if w := c.look(); w != "" {
		t.Errorf("after both ended: %q", w)
	}
}

// What others put into the folder is neither followed, waited for nor changed.
func TestPresenceAmongOthers(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(elsewhere, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(elsewhere, old, old); err != nil {
		t.Fatal(err)
	}
	link, pipe, dead, folder, young := filepath.Join(dir, presenceMark+"1-link"), filepath.Join(dir, presenceMark+"2-pipe"),
		filepath.Join(dir, presenceMark+"3-dead"), filepath.Join(dir, presenceMark+"4-folder"), filepath.Join(dir, presenceMark+"5-young")
	for _, err := range []error{os.Symlink(elsewhere, link), syscall.Mkfifo(pipe, 0o666), os.WriteFile(dead, nil, 0o644), os.Mkdir(folder, 0o755),
		os.Chtimes(dead, old, old), os.WriteFile(young, nil, 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 1)
	go func() {
		p := Announce(dir)
		defer p.Close()
		done <- p.look()
	}()
	select {
	case w := <-done:
		if w != "" {
			t.Errorf("among the dead: %q", w)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for a pipe")
	}
	for _, path := range []string{link, pipe, folder, young, elsewhere} {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(dead); err == nil {
		t.Error("a dead run's file stays")
	}
	if held(link) || held(pipe) || held(folder) {
		t.Error("a link, a pipe or a folder passes for a run")
	}
	after, err := os.Stat(dir)
	if err != nil || after.Mode() != before.Mode() {
		t.Errorf("the folder's mode was %v, is %v, %v", before.Mode(), after.Mode(), err)
	}
}

func TestPresenceWhere(t *testing.T) {
	shared, own := t.TempDir(), t.TempDir()
	if err := os.Chmod(shared, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", own)
	was := sharedDirs
	defer func() { sharedDirs = was }()

	sharedDirs = []string{"/nowhere", shared}
	p := Announce("")
	if filepath.Dir(p.path) != shared || p.look() != "" {
		t.Errorf("%s: %q", p.path, p.Warning())
	}
	p.Close()

	sharedDirs = []string{own}
	p = Announce("")
	if w := p.look(); filepath.Dir(p.path) != own || !strings.Contains(w, "another user's") || !strings.Contains(w, "DISTEVAL_LOCK_DIR") {
		t.Errorf("%s: %q", p.path, w)
	}
	p.Close()

	p = Announce(filepath.Join(own, "none"))
	defer p.Close()
	if w := p.look(); !strings.Contains(w, "not known") {
		t.Errorf("no folder: %q", w)
	}
}
