package hub_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/eval/hub/hubtest"
)

// TestHalfFile shows that a second call goes on where the first one stopped.
func TestHalfFile(t *testing.T) {
	files := hubtest.TinyLLaMA()
	whole := files["model.safetensors"]
	h, c, cache := fixture(t, files)
	half := func(w http.ResponseWriter, r *http.Request, content []byte) bool {
		if r.Header.Get("Range") != "" || len(content) != len(whole) || strings.Contains(r.URL.Path, "resolve") {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		w.Write(content[:len(content)/2])
		return true
	}
	h.Answer = half
	_, err := c.Get(t.Context(), ref, quiet)
	wantFault(t, err, strconv.Itoa(len(whole)/2)+" of "+strconv.Itoa(len(whole))+" bytes came", "run the same command again")
	if got := cached(t, cache); got != "model.safetensors.partial" {
		t.Errorf("left behind: %s", got)
	}
	m, err := c.Get(t.Context(), ref, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := h.Ranges()[0], "bytes="+strconv.Itoa(len(whole)/2)+"-"; got != want {
		t.Errorf("the second call asks for %q, want %q", got, want)
	}
	if got, _ := os.ReadFile(m.Files[0].Path); !bytes.Equal(got, whole) || strings.Contains(cached(t, cache), "partial") {
		t.Error("the file is not whole after the second call")
	}
}

// TestHubWithoutRanges begins again where the hub sends the whole file.
func TestHubWithoutRanges(t *testing.T) {
	files := hubtest.TinyLLaMA()
	h, c, cache := fixture(t, files)
	partial(t, cache, h.URL, []byte("half of something else"))
	h.Answer = func(w http.ResponseWriter, r *http.Request, content []byte) bool {
		r.Header.Del("Range")
		return false
	}
	m, err := c.Get(t.Context(), ref, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(m.Files[0].Path); !bytes.Equal(got, files["model.safetensors"]) {
		t.Error("the file is not whole")
	}
}

// partial leaves the begin of a download in the cache.
func partial(t *testing.T, cache, address string, content []byte) string {
	t.Helper()
	host := strings.ReplaceAll(strings.TrimPrefix(address, "http://"), ":", "_")
	dir := filepath.Join(cache, host, "own", "tiny", hubtest.Commit)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.safetensors.partial")
	if content == nil {
		return path
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWrongHash refuses and removes a file that is not what the list states.
func TestWrongHash(t *testing.T) {
	files := hubtest.TinyLLaMA()
	whole := files["model.safetensors"]
	for _, tt := range []struct {
		name    string
		content []byte
	}{
		{"whole", bytes.Repeat([]byte("x"), len(whole))},
		{"begin of another file", bytes.Repeat([]byte("x"), 1000)},
	} {
		h, c, cache := fixture(t, files)
		partial(t, cache, h.URL, tt.content)
		_, err := c.Get(t.Context(), ref, quiet)
		wantFault(t, err, "its sha256 is", "again")
		if got := cached(t, cache); got != "" {
			t.Errorf("%s: left behind: %s", tt.name, got)
		}
		if _, err := c.Get(t.Context(), ref, quiet); err != nil {
			t.Errorf("%s: the next call: %v", tt.name, err)
		}
	}
}

// TestWrongGitHash does the same for a small file, which has no sha256.
func TestWrongGitHash(t *testing.T) {
	files := hubtest.TinyLLaMA()
	h, c, _ := fixture(t, files)
	h.Answer = func(w http.ResponseWriter, r *http.Request, content []byte) bool {
		if !strings.HasSuffix(r.URL.Path, "/tokenizer_config.json") {
			return false
		}
		w.Write(bytes.Repeat([]byte(" "), len(content)))
		return true
	}
	_, err := c.Get(t.Context(), ref, quiet)
	wantFault(t, err, "its git hash is", "again")
}

func TestHubContradictsItself(t *testing.T) {
	h, c, _ := fixture(t, hubtest.TinyLLaMA())
	header := [2]string{}
	h.Answer = func(w http.ResponseWriter, _ *http.Request, content []byte) bool {
		if content != nil {
			w.Header().Set(header[0], header[1])
			w.Write(content)
		}
		return content != nil
	}
	for _, header = range [][2]string{{"X-Linked-Size", "7"}, {"X-Linked-Etag", `"` + strings.Repeat("0", 64) + `"`}} {
		_, err := c.Get(t.Context(), ref, quiet)
		wantFault(t, err, "its list states", "try later")
	}
	h.Answer = func(w http.ResponseWriter, _ *http.Request, content []byte) bool {
		if content != nil {
			w.Write(append(bytes.Clone(content), "more"...))
		}
		return content != nil
	}
	_, err := c.Get(t.Context(), ref, quiet)
	wantFault(t, err, "more than the", "try later")
}

// TestDiskFull writes to the device that is always full.
func TestDiskFull(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /dev/full, which only Linux has")
	}
	h, c, cache := fixture(t, hubtest.TinyLLaMA())
	if err := os.Symlink("/dev/full", partial(t, cache, h.URL, nil)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Get(t.Context(), ref, quiet)
	wantFault(t, err, "the disk is full", "make room in "+cache)
}

// TestInterrupt keeps what came before the interrupt.
func TestInterrupt(t *testing.T) {
	files := hubtest.TinyLLaMA()
	h, c, cache := fixture(t, files)
	h.Answer = func(w http.ResponseWriter, r *http.Request, content []byte) bool {
		if r.Header.Get("Range") != "" || len(content) < 100_000 || strings.Contains(r.URL.Path, "resolve") {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		w.Write(content[:100_000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Get(ctx, ref, func(_ string, done, _ int64) {
		if done == 100_000 {
			cancel()
		}
	})
	var fault *hub.Error
	if !errors.Is(err, context.Canceled) || errors.As(err, &fault) {
		t.Errorf("an interrupt came back as %v", err)
	}
	if got := cached(t, cache); got != "model.safetensors.partial" {
		t.Fatalf("left behind: %s", got)
	}
	if _, err := c.Get(t.Context(), ref, quiet); err != nil {
		t.Fatal(err)
	}
	if got := h.Ranges()[0]; got != "bytes=100000-" {
		t.Errorf("the second call asks for %q", got)
	}
}
