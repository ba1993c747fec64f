package builtin

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/likelihood"
	"github.com/disteval/disteval/queries"
)

const ofFrance = "The capital of France is"

func probed(t testing.TB, l *LLM, prompt string, texts ...string) []likelihood.Form {
	t.Helper()
	forms, err := l.Probe(t.Context(), prompt, texts, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return forms
}

func probingOf(t testing.TB, l *LLM, prompt string) *probing {
	t.Helper()
	p, err := l.probe(prompt, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// after gives the prediction of the token after ids.
func (p *probing) after(t testing.TB, ids []int32) *prediction {
	t.Helper()
	path := p.path(ids)
	at := path[len(path)-1]
	if err := p.predict(t.Context(), []int{at}); err != nil {
		t.Fatal(err)
	}
	return p.nodes[at].next
}

// against compares p with a reference on a reply.
func (p *probing) against(t testing.TB, reference *probing, reply []int32) (d []likelihood.Divergence, why string) {
	t.Helper()
	c, why := p.compared(reference, reply)
	if why != "" {
		return nil, why
	}
	if err := p.predict(t.Context(), p.before(c.continuation, len(c.ids))); err != nil {
		t.Fatal(err)
	}
	d, why, err := p.diverge(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return d, why
}

// TestProbeSumsToOne follows every token that the vocabulary has: together they
// are certain.
func TestProbeSumsToOne(t *testing.T) {
	l := open(t, "mini-student")
	m, err := l.load()
	if err != nil {
		t.Fatal(err)
	}
	p := probingOf(t, l, ofFrance)
	n := p.after(t, p.prompt)
	sum := 0.0
	for _, v := range n.logits {
		sum += math.Exp(n.all.At(v))
	}
	if math.Abs(sum-1) > 1e-9 || len(n.logits) != m.vocab {
		t.Errorf("probabilities sum to %v", sum)
	}
}

// TestProbeAgreesWithGenerate: what greedy decoding chooses has rank 1, and a
// text that the model writes has the bits of its tokens.
func TestProbeAgreesWithGenerate(t *testing.T) {
	for _, name := range Names() {
		l := open(t, name)
		for _, prompt := range readPrompts(t)[:20] {
			reply, err := l.Generate(t.Context(), prompt, Options{NumPredict: 1}, nil)
			if err != nil {
				t.Fatal(err)
			}
			f := probed(t, l, prompt, reply.Text)[0]
			if reply.Text == "" || len(f.Steps) != 1 { // the end, or tokens that are cut otherwise with the prompt
				continue
			}
			if s := f.Steps[0]; s.Rank != 1 || s.Text != reply.Text || s.Top[0].Text != reply.Text || s.Top[0].Logprob != s.Logprob {
				t.Errorf("%s, %q: %+v, generated %q", name, prompt, s, reply.Text)
			}
		}
	}
}

// TestProbeSharesNothingButWork: whatever is asked beside a text, and in
// whatever order, its figures are the same to the last bit.
func TestProbeSharesNothingButWork(t *testing.T) {
	l := open(t, "mini-teacher")
	texts := []string{" Paris", " Paris in France", " London", " P", " the city of Paris", " Paris", ", the town", " 東京", " 🗼", " عمان", ""}
	all := probed(t, l, ofFrance, texts...)
	backwards := slices.Clone(texts)
	slices.Reverse(backwards)
	reversed := probed(t, l, ofFrance, backwards...)
	slices.Reverse(reversed)
	for i, text := range texts {
		alone := probed(t, l, ofFrance, text)[0]
		if diff := cmp.Diff(alone, all[i]); diff != "" {
			t.Errorf("%q alone and among others, -alone +among:\n%s", text, diff)
		}
		if diff := cmp.Diff(alone, reversed[i]); diff != "" {
			t.Errorf("%q in another order:\n%s", text, diff)
		}
		if text != "" && !alone.Exact() {
			t.Errorf("%q: %+v", text, alone)
		}
	}
	if lo, _ := all[0].Bits(); lo > 1 {
		t.Errorf("Paris is a surprise of %v bits", lo)
	}
	if len(all[8].Steps) < 4 || !strings.HasPrefix(all[8].Steps[len(all[8].Steps)-1].Text, "<0x") {
		t.Errorf("an emoji gives the tokens %+v", all[8].Steps)
	}
}

// TestProbeAcrossTheSeam: a text may change how the prompt's end is cut. The
// tokens from the first changed one on count, and those before do not.
func TestProbeAcrossTheSeam(t *testing.T) {
	l, err := openBytes(t, newTiny().bytes())
	if err != nil {
		t.Fatal(err)
	}
	f := probed(t, l, "c a", "b")[0] // "▁a" becomes "▁ab"
	if len(f.Steps) != 1 || f.Steps[0].Text != " ab" || !f.Exact() || f.Bytes != 1 {
		t.Errorf("%+v", f)
	}
}

func TestProbeRefuses(t *testing.T) {
	l := open(t, "mini-baby")
	forms := probed(t, l, ofFrance, "", " "+strings.Repeat("word ", 1000), " "+strings.Repeat("a b ", 55), "\xff", " Paris")
	for i, want := range []string{"adds no token", "tokens", "", "not valid UTF-8", ""} {
		if got := forms[i].Reason; (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("form %d: %q, want %q", i, got, want)
		}
	}
	if _, err := l.Probe(t.Context(), strings.Repeat("a b ", 400), []string{" x"}, Options{}); err == nil || !strings.Contains(err.Error(), "mini-baby") {
		t.Errorf("a prompt past the context: %v", err)
	}
	if _, err := l.Probe(t.Context(), "x", nil, Options{NumCtx: 1 << 20}); err == nil {
		t.Error("a context that the model does not have")
	}
	first, err := openBytes(t, func() []byte { m := newTiny(); m.set("tokenizer.ggml.add_bos_token", false); return m.bytes() }())
	if err != nil {
		t.Fatal(err)
	}
	if f := probed(t, first, "a", "b")[0]; !strings.Contains(f.Reason, "nothing comes before") {
		t.Errorf("a first token has the probability of %+v", f)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Probe(ended, ofFrance, []string{" Paris"}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// TestProbeOfUselessWeights: logits without numbers give reasons, equal ones a
// tie of all tokens.
func TestProbeOfUselessWeights(t *testing.T) {
	spoiled := func(fill float32) *LLM {
		m := newTiny()
		data := m.tensor("output.weight").data
		for i := 0; i < len(data); i += 4 {
			bits := f32bits(fill)
			data[i], data[i+1], data[i+2], data[i+3] = byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24)
		}
		l, err := openBytes(t, m.bytes())
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if f := probed(t, spoiled(3e38), "c", " a")[0]; !strings.Contains(f.Reason, "not finite") || len(f.Steps) != 0 {
		t.Errorf("overflow: %+v", f)
	}
	f := probed(t, spoiled(0), "c", " a")[0]
	if lo, _ := f.Bits(); math.Abs(lo-math.Log2(10)) > 1e-9 || f.Steps[0].Rank != 1 || f.Steps[0].Top[0].ID != 0 {
		t.Errorf("ten equal tokens: %v bits, %+v", lo, f)
	}
}

// TestCandidatesAreCutRightly: cutting changes neither the choice nor a figure
// of the text that is chosen.
func TestCandidatesAreCutRightly(t *testing.T) {
	set := queries.Builtin()
	for _, name := range Names() {
		l := open(t, name)
		steps, all := 0, 0
		for _, q := range set.Queries[:60] {
			texts := spaced(set.Candidates(q))
			whole := probed(t, l, q.Prompt, texts...)
			reply, err := probingOf(t, l, q.Prompt).look(t.Context(), eval.ProbeRequest{Choices: texts})
			if err != nil {
				t.Fatal(err)
			}
			some := reply.Choices
			a, b := likelihood.Choose(whole[0], whole[1:]), likelihood.Choose(some[0], some[1:])
			if a != b || a.Score.Status != metrics.Scored {
				t.Errorf("%s, %s: %+v, of all texts %+v", name, q.ID, b, a)
			}
			for i := range whole {
				steps, all = steps+len(some[i].Steps), all+len(whole[i].Steps)
				if some[i].Exact() && some[i].PerByte() != whole[i].PerByte() {
					t.Errorf("%s, %s, %q: %v bits per byte, not %v", name, q.ID, texts[i], some[i].PerByte(), whole[i].PerByte())
				}
			}
		}
		t.Logf("%s: %d of %d tokens were looked at", name, steps, all)
		if 2*steps > all {
			t.Errorf("%s: %d of %d tokens were looked at", name, steps, all)
		}
	}
}

func TestHighest(t *testing.T) {
	logits := []float32{1, 5, 3, 5, 2, 3, 0}
	for n, want := range map[int][]int32{1: {1}, 2: {1, 3}, 3: {1, 3, 2}, 4: {1, 3, 2, 5}} {
		if got := highest(logits, n); !slices.Equal(got, want) {
			t.Errorf("the %d highest are %v, want %v", n, got, want)
		}
	}
	if got := highest(logits[:2], 5); !slices.Equal(got, []int32{1, 0}) {
		t.Errorf("%v", got)
	}
}

// TestDiverge: of a model and itself it is 0, and of two models it is not.
func TestDiverge(t *testing.T) {
	at := func(name string) *probing { return probingOf(t, open(t, name), ofFrance) }
	teacher, student := at("mini-teacher"), at("mini-student")
	c := teacher.continuation(" Paris, which is the largest city")
	reply := c.ids[len(teacher.prompt):]
	same, why := at("mini-teacher").against(t, teacher, reply)
	if why != "" || len(same) != len(reply) {
		t.Fatalf("%d of %d positions, %s", len(same), len(reply), why)
	}
	for _, d := range same {
		if d.KLD != 0 || !d.SameTop1 || d.DeltaP != 0 {
			t.Errorf("a model and itself: %+v", d)
		}
	}
	other, why := student.against(t, teacher, reply)
	if why != "" || len(other) != len(reply) {
		t.Fatal(len(other), why)
	}
	sum := 0.0
	for _, d := range other {
		sum += d.KLD
	}
	if sum == 0 {
		t.Error("the student is the teacher")
	}
	tiny, err := openBytes(t, newTiny().bytes())
	if err != nil {
		t.Fatal(err)
	}
	if _, why := probingOf(t, tiny, "c").against(t, teacher, reply); !strings.Contains(why, "vocabulary") {
		t.Errorf("another vocabulary: %q", why)
	}
	long := make([]int32, 1000)
	if d, why := student.against(t, teacher, long); why != "" || len(d)+len(student.prompt) != student.limit+1 {
		t.Errorf("%d positions past the context, %s", len(d), why)
	}
}
