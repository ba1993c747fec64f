package ollama

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/disteval/disteval/eval"
)

// FuzzPlainPiece: what is read without a JSON parser is what the parser reads,
// and there is nothing else in it.
func FuzzPlainPiece(f *testing.F) {
	const head = `{"model":"m","created_at":"2026-01-02T15:04:05.123456789Z","response":`
	for _, line := range []string{head + `" Paris","done":false}`, head + `"é\n","done":false}`, head + `"","done":false,"done":true}`,
		head + `"a","thinking":"b","done":false}`, head + `"a\","done":false}`, head + "\"\xff\",\"done\":false}", head + `"a","done":true}`,
		`{"model":"m","error":"","created_at":"2026-01-02T15:04:05Z","response":"a","done":false}`} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		text, ok := plainPiece(line)
		if !ok {
			return
		}
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if len(fields) != 4 || fields["model"] == nil || fields["created_at"] == nil || fields["response"] != string(text) || fields["done"] != false {
			t.Errorf("%q: %v, want nothing but the text %q", line, fields, text)
		}
	})
}

func TestPlainPiece(t *testing.T) {
	const line = `{"model":"m","created_at":"2026-01-02T15:04:05Z","response":" Zürich","done":false}`
	if text, ok := plainPiece([]byte(line)); !ok || string(text) != " Zürich" {
		t.Errorf("%s: %q, %v", line, text, ok)
	}
}

// TestOneConnection: the end of a stream comes after its last line, and the
// next question finds the same connection.
func TestOneConnection(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"model":"m","response":"Paris","done":true}`+"\n")
		w.(http.Flusher).Flush()
		time.Sleep(time.Millisecond)
	}))
	var connections atomic.Int32
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	g := New(base, eval.DefaultLimits).Generator(eval.Model{Name: "m", Model: "m"})
	for range 5 {
		if r, err := g.Generate(t.Context(), eval.Request{Prompt: "p"}); err != nil || r.Text != "Paris" {
			t.Fatalf("%q, %v", r.Text, err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("5 questions took %d connections, want 1", n)
	}
}
