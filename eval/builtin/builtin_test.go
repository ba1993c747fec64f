package builtin

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/disteval/disteval/eval"
)

// digests are what `make train` writes; a change of the weights must be meant.
var digests = map[string]string{
	"mini-teacher": "sha256:1a8ea813c2f84570ffc6ea77dbbf6bbccd3cffdde0aa67bb77a88379c559f384",
	"mini-student": "sha256:314d8d11d220da63d4eded864d800157e6191f93b3c5631d1380d7a7a54ac9d4",
	"mini-baby":    "sha256:c462986315b8ffd45deb3967525db435ddf534e36755e615264829d70a801c4b",
}

func TestInfo(t *testing.T) {
	var total int64
	for _, name := range Names() {
		l := open(t, name)
		info := l.Info()
		if l.model != nil {
			t.Errorf("%s: Open has loaded the weights", name)
		}
		if info.Digest != digests[name] {
			t.Errorf("%s: digest %s, want %s", name, info.Digest, digests[name])
		}
		if info.Quantization != "F16" || info.ContextLength != 128 {
			t.Errorf("%s: %+v", name, info)
		}
		total += info.SizeBytes
	}
	if total > 6e6 {
		t.Errorf("the three files take %d bytes", total)
	}
	if n := open(t, "mini-teacher").Info().Parameters; n < 19e5 || n > 21e5 {
		t.Errorf("mini-teacher has %d parameters", n)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"maxi-teacher":                       "mini-teacher, mini-student, mini-baby",
		"no/such.gguf":                       "no/such.gguf",
		filepath.Dir(t.TempDir()) + "/.gguf": "gguf",
	} {
		if _, err := Open(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q): %v", name, err)
		}
	}
}

// TestThreads asks at one and at two threads, and from several goroutines at once.
func TestThreads(t *testing.T) {
	l := open(t, "mini-student")
	o := Options{NumPredict: 32, Temperature: 0.9, Seed: 7, RepeatPenalty: 1.1}
	ask := func(i int) string {
		res, err := l.Generate(context.Background(), fmt.Sprintf("The number %d is", i), o, nil)
		if err != nil {
			return err.Error()
		}
		return res.Text
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var one []string
	for i := range 8 {
		one = append(one, ask(i))
	}
	runtime.GOMAXPROCS(2)
	got := make(chan error)
	for i := range 8 {
		go func() {
			if s := ask(i); s != one[i] {
				got <- fmt.Errorf("prompt %d: %q at one thread, %q at two", i, one[i], s)
				return
			}
			got <- nil
		}()
	}
	for range 8 {
		if err := <-got; err != nil {
			t.Error(err)
		}
	}
}

func TestSeed(t *testing.T) {
	l, seen := open(t, "mini-student"), map[string]bool{}
	for seed := range 12 {
		o := Options{NumPredict: 16, Temperature: 2, Seed: seed}
		a, err := l.Generate(t.Context(), "The", o, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := l.Generate(t.Context(), "The", o, nil)
		if a.Text != b.Text {
			t.Fatalf("seed %d gives %q and %q", seed, a.Text, b.Text)
		}
		seen[a.Text] = true
	}
	if len(seen) < 6 {
		t.Errorf("12 seeds give %d texts", len(seen))
	}
	greedy, _ := l.Generate(t.Context(), "The", Options{NumPredict: 16}, nil)
	first, _ := l.Generate(t.Context(), "The", Options{NumPredict: 16, Temperature: 2, TopK: 1}, nil)
	if greedy.Text != first.Text {
		t.Errorf("top_k 1 gives %q, greedy %q", first.Text, greedy.Text)
	}
	narrow, _ := l.Generate(t.Context(), "The", Options{NumPredict: 16, Temperature: 2, TopP: 1e-9}, nil)
	if greedy.Text != narrow.Text {
		t.Errorf("a tiny top_p gives %q, greedy %q", narrow.Text, greedy.Text)
	}
}

func TestEnds(t *testing.T) {
	l := open(t, "mini-teacher")
	const prompt = "The capital of France is"
	whole, err := l.Generate(t.Context(), prompt, Options{}, nil)
	if err != nil || whole.DoneReason != "stop" {
		t.Fatalf("%+v %v", whole, err)
	}
	n := whole.PromptTokens
	for _, c := range []struct {
		name   string
		o      Options
		reason string
		tokens int
	}{
		{"num_predict", Options{NumPredict: 2}, "length", 2},
		{"context", Options{NumCtx: n + 1}, "length", 2},
		{"context full of prompt", Options{NumCtx: n}, "length", 1},
		{"enough of both", Options{NumCtx: n + whole.CompletionTokens, NumPredict: whole.CompletionTokens}, "stop", whole.CompletionTokens},
	} {
		res, err := l.Generate(t.Context(), prompt, c.o, nil)
		if err != nil || res.DoneReason != c.reason || res.CompletionTokens != c.tokens || !strings.HasPrefix(whole.Text, res.Text) {
			t.Errorf("%s: %+v %v", c.name, res, err)
		}
	}
	stopped, err := l.Generate(t.Context(), prompt, Options{Stop: []string{"never", "aris"}}, nil)
	if err != nil || stopped.Text != " P" || stopped.DoneReason != "stop" {
		t.Errorf("stop text: %+v %v", stopped, err)
	}
}

func TestOptionsRefused(t *testing.T) {
	l := open(t, "mini-baby")
	for want, o := range map[string]Options{
		"128 positions":  {NumCtx: 129},
		"num_ctx -1":     {NumCtx: -1},
		"temperature":    {Temperature: math.NaN()},
		"repeat_penalty": {RepeatPenalty: -1},
		"top_p":          {TopP: 1.5},
		"top_k":          {TopK: -1},
	} {
		if _, err := l.Generate(t.Context(), "The", o, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for want, prompt := range map[string]string{
		"the context holds 128": strings.Repeat("The ", 128),
		"cannot fit":            strings.Repeat("a", 1<<20),
		"UTF-8":                 "\xff",
	} {
		if _, err := l.Generate(t.Context(), prompt, Options{}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("prompt of %d bytes: %v", len(prompt), err)
		}
	}
}

func TestCancel(t *testing.T) {
	l := open(t, "mini-teacher")
	ctx, cancel := context.WithCancel(t.Context())
	pieces := 0
	_, err := l.Generate(ctx, "The capital of France is", Options{}, func(string) {
		if pieces++; pieces == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || pieces != 2 {
		t.Errorf("%v after %d pieces", err, pieces)
	}
}

func TestPiecesMakeTheText(t *testing.T) {
	var all strings.Builder
	res, err := open(t, "mini-baby").Generate(t.Context(), "é", Options{Temperature: 3, Seed: 5, NumPredict: 100}, func(p string) { all.WriteString(p) })
	if err != nil || all.String() != res.Text || !utf8.ValidString(res.Text) {
		t.Errorf("%q in pieces, %q whole, %v", all.String(), res.Text, err)
	}
}

func TestOutputHoldsBack(t *testing.T) {
	var got []string
	o := output{stop: []string{"END"}, emit: func(s string) { got = append(got, s) }}
	for _, p := range []string{"a", "\xc3", "\xa9", "E", "Nd", "x\xff", "y", "E"} {
		if o.add(p) {
			t.Fatal("stopped without a stop text")
		}
	}
	o.flush()
	if s := strings.Join(got, "|"); s != "a|é|ENd|x|y|E" {
		t.Errorf("pieces %s", s)
	}
}

func TestVocabularyRoundTrip(t *testing.T) {
	v := loaded(t, "mini-teacher").words
	for _, text := range append(readPrompts(t), "Zoë's 3 naïve Ångström, 東京!", "  two  spaces ", "") {
		ids, err := v.encode(text, 128)
		if err != nil {
			t.Fatal(err)
		}
		var back strings.Builder
		for _, id := range ids[1:] {
			p, err := v.piece(id)
			if err != nil {
				t.Fatal(err)
			}
			back.WriteString(p)
		}
		if ids[0] != int32(v.bos) || back.String() != text {
			t.Errorf("%q comes back as %q", text, back.String())
		}
	}
}

// TestRepliesAreDecided wants every greedy choice of the 600 replies to be
// clear by a whole logit, far more than a difference in rounding makes, so
// that the replies do not depend on how another engine or machine rounds.
func TestRepliesAreDecided(t *testing.T) {
	for _, name := range Names() {
		m, least, where := loaded(t, name), math.Inf(1), ""
		for _, p := range readPrompts(t) {
			ids, err := m.words.encode(p, m.context)
			if err != nil {
				t.Fatal(err)
			}
			s := m.newSession()
			for _, id := range ids {
				s.step(id)
			}
			for range 64 {
				logits := s.predict()
				id := argmax(logits)
				if gap := lead(logits, id); gap < least {
					least, where = gap, p
				}
				if m.words.ends(id) {
					break
				}
				s.step(id)
			}
		}
		t.Logf("%s: least lead of a chosen token %.3f, after %q", name, least, where)
		if least < 1 {
			t.Errorf("%s: a token leads by only %.4f after %q", name, least, where)
		}
	}
}

func TestHalfToFloat(t *testing.T) {
	for h, want := range map[uint16]float64{
		0x0000: 0, 0x8000: 0, 0x3c00: 1, 0xc000: -2, 0x3555: 0.333251953125, 0x0001: 0x1p-24, 0x03ff: 1023 * 0x1p-24, 0x0400: 0x1p-14,
		0x7bff: 65504, 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1),
	} {
		if got := float64(halfToFloat(h)); got != want {
			t.Errorf("%04x is %v, want %v", h, got, want)
		}
	}
	if v := halfToFloat(0x7e00); v == v {
		t.Errorf("7e00 is %v, want NaN", v)
	}
}

func TestQ8(t *testing.T) {
	m := newTiny()
	w := m.tensor("output.weight")
	w.kind, w.data = uint32(kindQ8_0), nil
	for row := range 10 {
		w.data = append(w.data, 0x00, 0x38) // scale 0.5
		for i := range 32 {
			w.data = append(w.data, byte(int8(i-16+row)))
		}
	}
	l, err := openBytes(t, m.bytes())
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.load()
	if err != nil {
		t.Fatal(err)
	}
	row := make([]float32, 32)
	got.output.widen(row, 3)
	if v := row[5]; v != -4 {
		t.Errorf("weight %v, want -4", v)
	}
	if q := l.Info().Quantization; q != "F32+Q8_0" {
		t.Errorf("quantization %s", q)
	}
}

// BenchmarkTokens generates, 96 positions to a text, and reports the tokens per second.
func BenchmarkTokens(b *testing.B) {
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			m := loaded(b, name)
			s, id := m.newSession(), int32(m.words.bos)
			for b.Loop() {
				if s.positions == 96 {
					s, id = m.newSession(), int32(m.words.bos)
				}
				s.step(id)
				id = argmax(s.predict())
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

// BenchmarkRun answers the 200 prompts with each model in turn: the built-in run.
func BenchmarkRun(b *testing.B) {
	prompts := readPrompts(b)
	for b.Loop() {
		for _, name := range Names() {
			l := open(b, name)
			for _, p := range prompts {
				if _, err := l.Generate(context.Background(), p, Options{NumPredict: 64}, nil); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		open(b, "mini-teacher")
	}
}

// TestGeneratorKnowsItsFile refuses a file that is not the one of the plan, and
// a context that the model does not have.
func TestGeneratorKnowsItsFile(t *testing.T) {
	m := newTiny()
	path := filepath.Join(t.TempDir(), "my.gguf")
	write := func() {
		t.Helper()
		if err := os.WriteFile(path, m.bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	plan := eval.Model{Name: "mine", Model: path, Generation: eval.Generation{Raw: true, NumCtx: 17}}
	var few *eval.ContextError
	if _, err := Describe(plan); !errors.As(err, &few) || few.Has != 16 {
		t.Errorf("17 of 16 positions: %v", err)
	}
	plan.Generation.NumCtx = 16
	described, err := Describe(plan)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewGenerator(described); err != nil {
		t.Error(err)
	}
	m.set("general.name", "another")
	write()
	if _, err := NewGenerator(described); err == nil || !strings.Contains(err.Error(), described.Digest) {
		t.Errorf("another file than the plan's: %v", err)
	}
}
