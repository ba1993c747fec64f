package ollama_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ollama/ollama/api"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/ollama"
	"github.com/disteval/disteval/metrics/likelihood"
)

// toy is a vocabulary of small letters, the pair "ab", the letter x twice, and
// the two bytes of é; token 0 marks the beginning.
type toy struct{}

var toyPieces = func() []string {
	pieces := []string{"<s>"}
	for c := 'a'; c <= 'z'; c++ {
		pieces = append(pieces, string(c))
	}
	return append(pieces, " ", "ab", "x", "\xc3", "\xa9")
}()

func (toy) Size() int { return len(toyPieces) }

func (toy) Piece(id int32) (string, error) { return toyPieces[id], nil }

func (toy) Encode(text string, limit int) ([]int32, error) {
	ids := []int32{0}
	for text != "" {
		n := 1
		if strings.HasPrefix(text, "ab") {
			n = 2
		}
		id := slices.Index(toyPieces, text[:n])
		if id < 0 {
			return nil, fmt.Errorf("no token for %q", text[:n])
		}
		ids, text = append(ids, int32(id)), text[n:]
	}
	if len(ids) > limit {
		return nil, fmt.Errorf("%d tokens: the context holds %d", len(ids), limit)
	}
	return ids, nil
}

func (toy) Text(ids []int32) (string, error) {
	var b strings.Builder
	for _, id := range ids[1:] {
		b.WriteString(toyPieces[id])
	}
	return b.String(), nil
}

// said is what a server answers to one request for a token.
type said struct {
	token string // sampled; empty: the end of the text
	top   []api.TokenLogprob
	mute  bool // no log-probabilities
	count int  // of prompt tokens; 0: the true one
	dead  bool
}

// walkServer answers requests for one token.
type walkServer struct {
	*httptest.Server
	asked  atomic.Int64
	answer func(r api.GenerateRequest, n int) said // n counts from 1
}

func alternatives(pairs ...any) (out []api.TokenLogprob) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, api.TokenLogprob{Token: pairs[i].(string), Logprob: math.Log(pairs[i+1].(float64))})
	}
	return out
}

func newWalkServer(t testing.TB, answer func(r api.GenerateRequest, n int) said) *walkServer {
	s := &walkServer{answer: answer}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/show", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"model_info": map[string]any{"tokenizer.ggml.tokens": []string{"of no", "use here"}}})
	})
	mux.HandleFunc("POST /api/generate", func(w http.ResponseWriter, r *http.Request) {
		var req api.GenerateRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			t.Error(err)
		}
		a := s.answer(req, int(s.asked.Add(1)))
		if a.dead {
			panic(http.ErrAbortHandler)
		}
		ids, _ := toy{}.Encode(req.Prompt, 1000)
		count := len(ids)
		if a.count != 0 {
			count = a.count
		}
		enc := json.NewEncoder(w)
		if a.token != "" {
			out := api.GenerateResponse{Response: a.token}
			if !a.mute {
				out.Logprobs = []api.Logprob{{TokenLogprob: api.TokenLogprob{Token: a.token}, TopLogprobs: a.top}}
			}
			_ = enc.Encode(out)
		}
		_ = enc.Encode(map[string]any{"done": true, "done_reason": "length", "prompt_eval_count": count, "eval_count": 1})
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// prober is a model of the server.
func (s *walkServer) prober(t testing.TB, raw bool) eval.Prober {
	base, err := ollama.Host(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := ollama.New(base, eval.DefaultLimits)
	c.Tokenizer = func(map[string]any) (ollama.Tokenizer, error) { return toy{}, nil }
	g := eval.DefaultGeneration()
	g.Raw, g.NumCtx, g.Stop = raw, 32, []string{"."}
	return c.Generator(eval.Model{Name: "m", Model: "m", Generation: g})
}

func (s *walkServer) probe(t testing.TB, prompt string, texts ...string) []likelihood.Form {
	t.Helper()
	r, err := s.prober(t, true).Probe(t.Context(), eval.ProbeRequest{Prompt: prompt, Texts: texts})
	if err != nil {
		t.Fatal(err)
	}
	return r.Forms
}

// even gives every token the same small probability.
func even(top ...any) func(api.GenerateRequest, int) said {
	return func(api.GenerateRequest, int) said { return said{token: "z", top: alternatives(top...)} }
}

func TestWalk(t *testing.T) {
	s := newWalkServer(t, func(r api.GenerateRequest, _ int) said {
		if r.Options["num_predict"] != 1.0 || r.Options["stop"] != nil || !r.Raw || !r.Logprobs || r.TopLogprobs != 20 {
			t.Errorf("%+v", r)
		}
		switch r.Prompt {
		case "the":
			return said{token: " ", top: alternatives(" ", 0.5, "c", 0.25)}
		case "the ":
			return said{token: "c", top: alternatives("c", 0.5, "d", 0.25)}
		}
		return said{token: "a", top: alternatives("a", 0.5, "b", 0.125)}
	})
	forms := s.probe(t, "the", " ca", " d", " q", " cb", " cab")
	for i, want := range []struct {
		bits  float64
		exact bool
		rank  int
	}{{3, true, 1}, {3, true, 1}, {3, false, 1}, {5, true, 1}, {2 + math.Log2(1/0.125), false, 1}} {
		lo, _ := forms[i].Bits()
		if math.Abs(lo-want.bits) > 1e-3 || forms[i].Exact() != want.exact || forms[i].Steps[0].Rank != want.rank {
			t.Errorf("%q: %v bits, exact %v, want %+v: %+v", forms[i].Text, lo, forms[i].Exact(), want, forms[i])
		}
	}
	if n := s.asked.Load(); n != 3 {
		t.Errorf("%d requests for three beginnings", n)
	}
}

func TestWalkEndsAndByteTokens(t *testing.T) {
	s := newWalkServer(t, func(r api.GenerateRequest, n int) said {
		if n < 4 {
			return said{} // the end was sampled
		}
		if r.Options["temperature"] != 100.0 || r.Options["seed"] != 3.0 {
			t.Errorf("asked again with %v", r.Options)
		}
		return said{token: "b", top: alternatives("b", 0.5)}
	})
	if f := s.probe(t, "c", "b")[0]; !f.Exact() {
		t.Errorf("%+v", f)
	}
	never := newWalkServer(t, func(api.GenerateRequest, int) said { return said{} })
	if f := never.probe(t, "c", "b")[0]; !strings.Contains(f.Reason, "ends the text") || never.asked.Load() != 8 {
		t.Errorf("%+v after %d requests", f, never.asked.Load())
	}
	half := newWalkServer(t, even("\ufffd", 0.5, "c", 0.25))
	f := half.probe(t, "c", "é")[0]
	if lo, _ := f.Bits(); f.Exact() || math.Abs(lo-1) > 1e-3 || len(f.Steps) != 1 || f.Reason != "" {
		t.Errorf("half a character: %+v", f)
	}
	twice := newWalkServer(t, even("x", 0.5, "x", 0.25))
	if f := twice.probe(t, "c", "x")[0]; f.Exact() || f.Steps[0].Known {
		t.Errorf("an ambiguous token is taken for known: %+v", f)
	}
}

func TestWalkRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(api.GenerateRequest, int) said
		want   string
	}{
		{"it ignores logprobs", func(api.GenerateRequest, int) said { return said{token: "b", mute: true} }, "no log-probabilities"},
		{"another order", even("b", 0.2, "c", 0.5), "more probable than the one before"},
		{"above 1", even("b", 0.9, "c", 0.8), "sum to"},
		{"above 0", even("b", 1.5), "above 0"},
		{"no alternatives", even(), "no alternatives"},
		{"another count", func(api.GenerateRequest, int) said { return said{token: "b", top: alternatives("b", 0.5), count: 77} }, "counts 77 tokens"},
	} {
		s := newWalkServer(t, c.answer)
		r, err := s.prober(t, true).Probe(t.Context(), eval.ProbeRequest{Prompt: "c", Texts: []string{" b", " c"}})
		if err != nil || (r.Unable != "") != (c.name == "it ignores logprobs") {
			t.Errorf("%s: unable %q, %v", c.name, r.Unable, err)
		}
		f := r.Forms
		if !strings.Contains(f[0].Reason, c.want) || len(f[0].Steps) > 0 || f[1].Reason == "" {
			t.Errorf("%s: %+v", c.name, f)
		}
		if s.asked.Load() > 2 {
			t.Errorf("%s: %d requests", c.name, s.asked.Load())
		}
	}
}

func TestWalkTextsThatCannotBeFollowed(t *testing.T) {
	s := newWalkServer(t, even("b", 0.5))
	for text, want := range map[string]string{
		"":                            "adds no token",
		" " + strings.Repeat("a", 40): "the context holds 32",
		"Ω":                           "no token for",
	} {
		if f := s.probe(t, "c", text)[0]; !strings.Contains(f.Reason, want) {
			t.Errorf("%q: %+v, want %q", text, f, want)
		}
	}
	// "ca" and "b": the whole has the token ab, which the prompt alone has not.
	if f := s.probe(t, "ca", "b")[0]; f.Steps == nil || f.Steps[0].Text != "ab" {
		t.Errorf("across the seam: %+v", f)
	}
	r, err := s.prober(t, false).Probe(t.Context(), eval.ProbeRequest{Prompt: "c", Texts: []string{" a"}})
	if err != nil || !strings.Contains(r.Forms[0].Reason, "generation.raw") || r.Unable == "" {
		t.Errorf("behind a template: %+v, %v", r, err)
	}
}

// TestWalkOnADyingServer: what broke is the probe's failure, which can pass.
func TestWalkOnADyingServer(t *testing.T) {
	s := newWalkServer(t, func(_ api.GenerateRequest, n int) said {
		return said{token: "b", top: alternatives("b", 0.5), dead: n == 2}
	})
	_, err := s.prober(t, true).Probe(t.Context(), eval.ProbeRequest{Prompt: "c", Texts: []string{"bbbb"}})
	var f *eval.Failure
	if !errors.As(err, &f) || !f.Retry {
		t.Errorf("%v, want a failure that can pass", err)
	}
}

func TestWalkCompares(t *testing.T) {
	s := newWalkServer(t, even("b", 0.5, "c", 0.25))
	b := slices.Index(toyPieces, "b")
	token := eval.Token{ID: b, Text: "b", Logprob: math.Log(0.8), Top: []eval.Alternative{{ID: b, Text: "b", Logprob: math.Log(0.8)}}}
	reply := func(tokens ...eval.Token) eval.ProbeReply {
		r, err := s.prober(t, true).Probe(t.Context(), eval.ProbeRequest{Prompt: "c", Reply: tokens})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := reply(token, token)
	if len(r.Divergences) != 2 || r.Incomparable != "" {
		t.Fatalf("%+v", r)
	}
	want := 0.8*math.Log(0.8/0.5) + 0.2*math.Log(0.2/0.5)
	if d := r.Divergences[0]; !d.SameTop1 || math.Abs(d.KLD-want) > 1e-9 || math.Abs(d.DeltaP+0.3) > 1e-9 {
		t.Errorf("%+v, want kld %v", d, want)
	}
	foreign := token
	foreign.ID = b + 1
	if r := reply(token, foreign); len(r.Divergences) != 1 || !strings.Contains(r.Incomparable, "vocabulary") {
		t.Errorf("%+v", r)
	}
}

// BenchmarkWalk reports how many times a bare loop of the same requests a walk
// takes, both against a server that answers at once.
func BenchmarkWalk(b *testing.B) {
	s := newWalkServer(b, even("b", 0.5, " ", 0.25))
	p := s.prober(b, true)
	probe := func() {
		for i := range 200 {
			ask := eval.ProbeRequest{Prompt: "c" + strings.Repeat("d", i%20), Texts: []string{" bb", " b b", " bbb"}}
			if _, err := p.Probe(b.Context(), ask); err != nil {
				b.Fatal(err)
			}
		}
	}
	var walks, bares time.Duration
	for b.Loop() {
		before := s.asked.Load()
		start := time.Now()
		probe()
		walks += time.Since(start)
		requests := int(s.asked.Load() - before)
		start = time.Now()
		for range requests {
			askBare(b, s.URL)
		}
		bares += time.Since(start)
	}
	b.ReportMetric(walks.Seconds()/bares.Seconds(), "x-bare-loop")
}

// askBare sends the request of one step and reads the answer.
func askBare(b *testing.B, url string) {
	body, err := json.Marshal(api.GenerateRequest{Model: "m", Prompt: "c b", Logprobs: true, TopLogprobs: 20})
	if err != nil {
		b.Fatal(err)
	}
	resp, err := http.Post(url+"/api/generate", "application/json", strings.NewReader(string(body)))
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	for dec := json.NewDecoder(resp.Body); dec.More(); {
		var out api.GenerateResponse
		if err := dec.Decode(&out); err != nil {
			b.Fatal(err)
		}
	}
}
