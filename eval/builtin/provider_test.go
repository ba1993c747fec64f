package builtin

import (
	"path/filepath"
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
