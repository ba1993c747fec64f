package hub

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/disteval/disteval/eval/hub/hubtest"
)

// TestSilence ends a download that stands still, in the list and in a file.
func TestSilence(t *testing.T) {
	for _, at := range []string{"list", "file"} {
		h := hubtest.New(t, map[string]map[string][]byte{"own/tiny": hubtest.TinyLLaMA()})
		h.Answer = func(w http.ResponseWriter, r *http.Request, content []byte) bool {
			if (content == nil) != (at == "list") {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(" "))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}
		c, err := New(Config{Endpoint: h.URL, Cache: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		c.silence = 100 * time.Millisecond
		_, err = c.Get(t.Context(), Ref{"own/tiny", "main"}, func(string, int64, int64) {})
		var fault *Error
		if !errors.As(err, &fault) || !errors.Is(err, errSilent) {
			t.Errorf("a silent %s gives %v", at, err)
		}
	}
}
