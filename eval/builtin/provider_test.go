package builtin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
)

// TestModelBesideTheFile looks for a GGUF file where the models file is, and
// leaves names and absolute paths alone.
func TestModelBesideTheFile(t *testing.T) {
	absolute, err := filepath.Abs("far.gguf")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ dir, model, want string }{
		{"conf", "./my.gguf", filepath.FromSlash("conf/my.gguf")},
		{"conf", "MY.GGUF", filepath.FromSlash("conf/MY.GGUF")},
		{".", "./my.gguf", "./my.gguf"},
		{"", "./my.gguf", "./my.gguf"},
		{"conf", absolute, absolute},
		{"conf", "mini-baby", "mini-baby"},
	} {
		if got := beside(tt.dir, tt.model); got != tt.want {
			t.Errorf("%s in %s: %q, want %q", tt.model, tt.dir, got, tt.want)
		}
	}
}

func TestResolveMiniature(t *testing.T) {
	m := eval.Model{Name: "a", Model: "mini-baby", Generation: eval.DefaultGeneration()}
	got, err := Provider{}.Resolve(t.Context(), []eval.Model{m})
	if err != nil || got[0].Digest == "" || got[0].Notice == "" || !got[0].Capabilities.Raw || got[0].Capabilities.Chat {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestResolveHints: the next step is that of the fault, and else says what runs.
func TestResolveHints(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	for text, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n": "git lfs pull",
		"PK": "BF16",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Provider{}.Resolve(t.Context(), []eval.Model{{Name: "a", Model: path, Generation: eval.DefaultGeneration()}})
		var hinted interface {
			Hint() string
			BadInput()
		}
		if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), want) {
			t.Errorf("%.7q: %v, %+v", text, err, hinted)
		}
	}
}
