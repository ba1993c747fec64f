package ollama

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
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

// lastLine is the last of a raw answer as Ollama writes it.
const lastLine = `{"model":"m","created_at":"2026-01-02T15:04:05.123456789Z","response":"","done":true,"done_reason":"stop",` +
	`"total_duration":5000000,"load_duration":1000000,"prompt_eval_count":6,"prompt_eval_duration":1000000,"eval_count":9,"eval_duration":3000000}`

// FuzzPlainEnd: what is read without a JSON parser is what the parser reads.
func FuzzPlainEnd(f *testing.F) {
	const head = `{"model":"m","created_at":"","response":"é","done":true,"done_reason":"length"`
	for _, line := range []string{lastLine, head + `}`, head + `,"load_duration":0}`, head + `,"eval_count":007}`, head + `,"eval_count":-1}`, head + `,"eval_count":1.5}`,
		head + `,"eval_count":}`, head + `,"eval_count":1e3}`, head + `,"eval_count":99999999999999999999}`, head + `,"eval_count":1,"eval_count":2}`,
		head + `,"eval_count":1,"done":false}`, head + `,"context":[1,2],"eval_count":1}`, head + `,"eval_count":1}}`, head + `,"error":"broken"}`,
		head + `,"eval_duration":1,"eval_count":2}`, head + `,"prompt_eval_count":0,"eval_count":3`, `{"model":"a\"b","created_at":"","response":"","done":true,"done_reason":"stop"}`,
		"{\"model\":\"\xff\",\"created_at\":\"\",\"response\":\"\",\"done\":true,\"done_reason\":\"stop\"}"} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		got, ok := plainEnd(line)
		if !ok {
			return
		}
		want, err := parse(line)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v, %v", line, got, want, err)
		}
	})
}

func TestPlainEnd(t *testing.T) {
	p, ok := plainEnd([]byte(lastLine))
	if !ok || p.DoneReason != "stop" || *p.PromptTokens != 6 || *p.CompletionTokens != 9 || p.EvalDuration != 3*time.Millisecond {
		t.Errorf("%+v, %v", p, ok)
	}
}

func BenchmarkDecode(b *testing.B) {
	for b.Loop() {
		if _, err := decode([]byte(lastLine)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	m := eval.Model{Name: "m", Model: "m", Generation: eval.Generation{Raw: true, RepeatPenalty: 1, NumPredict: 64, NumCtx: 128}}
	g := New(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, eval.DefaultLimits).Generator(m)
	r := eval.Request{Prompt: "The capital of France is", Seed: 42}
	for b.Loop() {
		if _, err := json.Marshal(g.request(r, g.optionsOf(r), keepAlive)); err != nil {
			b.Fatal(err)
		}
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
