package scoring

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/vector"
	"github.com/disteval/disteval/queries"
)

func score(t *testing.T, pair metrics.Pair) (Result, map[string]metrics.Score) {
	t.Helper()
	r, err := New(Config{}).Score(t.Context(), pair)
	if err != nil {
		t.Fatal(err)
	}
	return r, byName(r.Scores)
}

func byName(scores []metrics.Score) map[string]metrics.Score {
	m := map[string]metrics.Score{}
	for _, s := range scores {
		m[s.Metric] = s
	}
	return m
}

// TestWorkedExamples are those of the published model card, and what they
// teach: the keyword may be there and the reply wrong all the same.
func TestWorkedExamples(t *testing.T) {
	for _, test := range []struct {
		name          string
		keyword, text string
		em            float64
		cosine, f1    [2]float64
	}{
		{"Lyon", "Paris", "The capital of France is located in the southern province of Lyon, France. It is the largest city in France. A major part of the French capital is in the southern city of Paris.", 1, [2]float64{0.2, 0.9}, [2]float64{0.01, 0.1}},
		{"Kahuna", "Mount Everest", "The tallest mountain in the world is Mount Everest, which is located in the northwest corner of the village of Kahuna", 1, [2]float64{0.2, 0.9}, [2]float64{0.1, 0.3}},
		{"Paris", "Paris", "The capital of France is Paris.", 1, [2]float64{0.5, 1}, [2]float64{0.28, 0.29}},
		{"canine", "The dog chased the cat.", "A canine pursued a feline.", 0, [2]float64{0.4, 1}, [2]float64{0, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, s := score(t, metrics.Pair{Reference: test.keyword, Keyword: test.keyword, Text: test.text})
			if s[metrics.EM].Value != test.em {
				t.Errorf("em %v, want %v", s[metrics.EM].Value, test.em)
			}
			for name, want := range map[string][2]float64{metrics.Cosine: test.cosine, metrics.RougeLF1: test.f1} {
				if got := s[name].Value; got < want[0] || got > want[1] {
					t.Errorf("%s %v, want %v", name, got, want)
				}
			}
		})
	}
}

func TestEveryMetricInOrder(t *testing.T) {
	r, _ := score(t, metrics.Pair{})
	for i, m := range metrics.All() {
		if r.Scores[i].Metric != m.Name {
			t.Errorf("score %d is %s, want %s", i, r.Scores[i].Metric, m.Name)
		}
	}
	if len(r.Scores) != len(metrics.All()) {
		t.Errorf("%d scores", len(r.Scores))
	}
}

func TestUnscored(t *testing.T) {
	for _, test := range []struct {
		pair   metrics.Pair
		metric string
		reason string
	}{
		{metrics.Pair{Reference: "...", Keyword: "...", Text: "Paris"}, metrics.EM, "the keyword holds no letter or digit"},
		{metrics.Pair{Reference: "...", Keyword: "...", Text: "Paris"}, metrics.Cosine, "the reference has no words"},
		{metrics.Pair{Reference: "", Keyword: "", Text: "Paris"}, metrics.EMSubstring, "the keyword is empty"},
		{metrics.Pair{Reference: "1969", Keyword: "1969", Text: "Paris"}, metrics.Cosine, "the reference has no vector for any word (1969)"},
		{metrics.Pair{Reference: "Paris", Keyword: "Paris", Text: "in 1 2 3 4 5 6 7"}, metrics.Cosine, "the text has no vector for any word (1, 2, 3, 4, 5 and 2 more)"},
		{metrics.Pair{Reference: "The Who", Keyword: "The Who", Text: "The Who"}, metrics.CosineBest, "the reference has only stop words"},
		{metrics.Pair{Reference: "Paris", Keyword: "Paris", Text: ""}, metrics.CosineBest, "the text has no words"},
		{metrics.Pair{Reference: "Paris", Keyword: "Paris", Text: "Paris"}, metrics.CosineLift, LiftReason},
	} {
		_, s := score(t, test.pair)
		if got := s[test.metric]; got.Status != metrics.Unscored || got.Reason != test.reason || got.Value != 0 {
			t.Errorf("%+v: %+v, want %q", test.pair, got, test.reason)
		}
	}
	_, s := score(t, metrics.Pair{Reference: "...", Keyword: "...", Text: "Paris"})
	if got := s[metrics.RougeLF1]; got.Status != metrics.Scored || got.Value != 0 {
		t.Errorf("ROUGE of nothing: %+v, want 0", got)
	}
}

func TestFlags(t *testing.T) {
	for text, want := range map[string][]string{
		"Paris": nil, "not Paris": {FlagNegated}, "Parisian": {FlagEMDisagree}, "": nil,
	} {
		if r, _ := score(t, metrics.Pair{Reference: "Paris", Keyword: "Paris", Text: text}); !slices.Equal(r.Flags, want) {
			t.Errorf("%q: flags %q, want %q", text, r.Flags, want)
		}
	}
}

func TestText(t *testing.T) {
	with := Config{IncludePrompt: true}
	for _, test := range [][3]string{
		{"France is", " Paris", "France is Paris"}, {"France is", "Paris", "France is Paris"},
		{"France is ", "Paris", "France is Paris"}, {"France is", ".", "France is."}, {"", "Paris", "Paris"}, {"France is", "", "France is"},
	} {
		if got := with.Text(test[0], test[1]); got != test[2] {
			t.Errorf("%q + %q = %q, want %q", test[0], test[1], got, test[2])
		}
		if got := (Config{}).Text(test[0], test[1]); got != test[1] {
			t.Errorf("without the prompt: %q", got)
		}
	}
}

func TestFloor(t *testing.T) {
	var floor vector.Floor
	s := New(Config{})
	pairs := []metrics.Pair{{Reference: "Paris", Text: "London"}, {Reference: "1969", Text: "London"}, {Reference: "oxygen", Text: "helium"}}
	if err := s.ScoreAll(t.Context(), pairs, func(_ int, r Result) error { r.AddTo(&floor); return nil }); err != nil {
		t.Fatal(err)
	}
	_, a := score(t, metrics.Pair{Reference: "Paris", Text: "helium"})
	_, b := score(t, metrics.Pair{Reference: "oxygen", Text: "London"})
	want := (a[metrics.Cosine].Value + b[metrics.Cosine].Value) / 2
	if got, ok := floor.Value(); !ok || math.Abs(got-want) > 1e-12 {
		t.Errorf("floor %v, %v; want %v", got, ok, want)
	}
}

// server is an embedding server whose vectors are counts of letters.
type server struct {
	asked   map[string]int
	batches int
	spoil   func(texts []string, vectors [][]float32) [][]float32
	refuse  error // to embed "in Paris"
}

func (s *server) Name() string { return "letters" }

func (s *server) Embed(_ context.Context, texts []string) ([][]float32, error) {
	s.batches++
	var vectors [][]float32
	for _, text := range texts {
		if text == "in Paris" && s.refuse != nil {
			return nil, s.refuse
		}
		s.asked[text]++
		v := make([]float32, 27)
		v[26] = 0.1
		for _, c := range strings.ToLower(text) {
			if 'a' <= c && c <= 'z' {
				v[c-'a']++
			}
		}
		vectors = append(vectors, v)
	}
	if s.spoil != nil {
		vectors = s.spoil(texts, vectors)
	}
	return vectors, nil
}

func TestServed(t *testing.T) {
	e := &server{asked: map[string]int{}}
	s := New(Config{Embedder: e})
	var pairs []metrics.Pair
	for i := range 200 {
		pairs = append(pairs, metrics.Pair{Reference: "New York", Text: fmt.Sprintf("it is New York, number %d", i%150)})
	}
	pairs = append(pairs, metrics.Pair{Reference: "...", Text: "x"}, metrics.Pair{Reference: "x", Text: " "})
	var results []Result
	if err := s.ScoreAll(t.Context(), pairs, func(_ int, r Result) error { results = append(results, r); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := (len(e.asked)-len(apart)+batchSize-1)/batchSize + 1; e.batches != want {
		t.Errorf("%d requests for %d texts, want %d", e.batches, len(e.asked), want)
	}
	for text, n := range e.asked {
		if n != 1 {
			t.Errorf("%q was asked for %d times", text, n)
		}
	}
	r := results[7]
	if got := pairs[7].Text[r.BestStart:r.BestEnd]; got != "New York" || byName(r.Scores)[metrics.CosineBest].Value != 1 {
		t.Errorf("best window %q, %+v", got, r.Scores)
	}
	if c := byName(r.Scores)[metrics.Cosine]; c.Status != metrics.Scored || c.Value <= 0 || c.Value >= 1 {
		t.Errorf("cosine %+v", c)
	}
	for i, want := range []string{"the reference has no words", "the text has no words"} {
		if got := byName(results[200+i].Scores)[metrics.Cosine]; got.Reason != want {
			t.Errorf("%+v, want %q", got, want)
		}
	}
}

// TestServedWithoutAVector: a text that the server has no vector of costs the
// cosines that hang on it, with the reason, and nothing else.
func TestServedWithoutAVector(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	bad := func(spoil func([]float32) []float32) func([]string, [][]float32) [][]float32 {
		return func(texts []string, v [][]float32) [][]float32 {
			if i := slices.Index(texts, "in Paris"); i >= 0 {
				v[i] = spoil(v[i])
			}
			return v
		}
	}
	for name, test := range map[string]struct {
		spoil  func([]string, [][]float32) [][]float32
		refuse error
		want   string
	}{
		"NaN":       {bad(func(v []float32) []float32 { v[3] = nan; return v }), nil, "component 3 is NaN"},
		"infinite":  {bad(func(v []float32) []float32 { v[0] = inf; return v }), nil, "component 0 is +Inf"},
		"zero":      {bad(func(v []float32) []float32 { clear(v); return v }), nil, "all 27 components are 0"},
		"dimension": {bad(func(v []float32) []float32 { return v[:5] }), nil, "5 components, want 27"},
		"empty":     {bad(func([]float32) []float32 { return nil }), nil, "0 components, want 27"},
		"none": {func(texts []string, v [][]float32) [][]float32 {
			if slices.Contains(texts, "in Paris") {
				return v[:len(v)-1]
			}
			return v
		}, nil, "0 vectors for 1 texts"},
		"refused": {nil, &eval.Failure{Kind: eval.FailStatus, Message: "HTTP 500: NaN"}, "HTTP 500: NaN"},
	} {
		e := &server{asked: map[string]int{}, spoil: test.spoil, refuse: test.refuse}
		s := New(Config{Embedder: e})
		var got []Result
		pairs := []metrics.Pair{{Reference: "Lyon", Keyword: "Paris", Text: "in Paris"}, {Reference: "Lyon", Text: "in Lyon"}}
		if err := s.ScoreAll(t.Context(), pairs, func(_ int, r Result) error { got = append(got, r); return nil }); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		first, second := byName(got[0].Scores), byName(got[1].Scores)
		for _, metric := range []string{metrics.Cosine, metrics.CosineBest, metrics.CosineLift} {
			if f := first[metric]; f.Status != metrics.Unscored || f.Reason != "letters has no vector of the text: "+test.want {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if first[metrics.EM].Value != 1 || second[metrics.Cosine].Status != metrics.Scored || second[metrics.CosineBest].Value != 1 {
			t.Errorf("%s: the rest is %+v, %+v", name, first[metrics.EM], second[metrics.Cosine])
		}
	}
}

// TestServedOneTooFew: a server that leaves a vector out when it is asked for
// several is asked for each.
func TestServedOneTooFew(t *testing.T) {
	e := &server{asked: map[string]int{}, spoil: func(texts []string, v [][]float32) [][]float32 {
		if len(v) > 2 {
			return v[:len(v)-1]
		}
		return v
	}}
	r, err := New(Config{Embedder: e}).Score(t.Context(), metrics.Pair{Reference: "Lyon", Text: "it is in Lyon"})
	if err != nil || byName(r.Scores)[metrics.CosineBest].Value != 1 {
		t.Errorf("%+v, %v", r.Scores, err)
	}
}

// TestServedIsAnError where no text can be told from another, or none asked for.
func TestServedIsAnError(t *testing.T) {
	constant := func(_ []string, v [][]float32) [][]float32 {
		for i := range v {
			v[i] = []float32{1, 1, 1}
		}
		return v
	}
	for name, e := range map[string]*server{
		"get the same vector": {spoil: constant},
		"1 vectors":           {spoil: func(_ []string, v [][]float32) [][]float32 { return v[:1] }},
		"gone":                {refuse: &eval.Failure{Kind: eval.FailRefused, Message: "gone"}},
	} {
		e.asked = map[string]int{}
		if _, err := New(Config{Embedder: e}).Score(t.Context(), metrics.Pair{Reference: "Lyon", Text: "in Paris"}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestServedLongText scores a text of more windows than are asked for at once.
func TestServedLongText(t *testing.T) {
	e := &server{asked: map[string]int{}}
	long := strings.Repeat("a b c d e f g ", 3*windowsAtOnce/7) + "Lyon"
	r, err := New(Config{Embedder: e}).Score(t.Context(), metrics.Pair{Reference: "Lyon", Text: long})
	if err != nil || long[r.BestStart:r.BestEnd] != "Lyon" {
		t.Errorf("window %d to %d, %v", r.BestStart, r.BestEnd, err)
	}
}

func TestCallbackErrorStops(t *testing.T) {
	stop := errors.New("stop")
	calls := 0
	err := New(Config{}).ScoreAll(t.Context(), make([]metrics.Pair, 3), func(int, Result) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestHugeTexts(t *testing.T) {
	for _, text := range []string{strings.Repeat("a", 1<<20), strings.Repeat(" ", 10_000_000), strings.Repeat("\u200f", 1<<20), strings.Repeat("\u0301", 1<<20), strings.Repeat("a ", 1<<20)} {
		if _, err := New(Config{}).Score(t.Context(), metrics.Pair{Reference: "Mount Everest", Keyword: "Paris", Text: text}); err != nil {
			t.Error(err)
		}
	}
}

func FuzzScore(f *testing.F) {
	for _, s := range []string{"", "Paris", "not Paris's \xff\x00", "\u0301\u200f...", "U.S. 1,000.5 C++", "The Who", "1969"} {
		f.Add(s, "The capital of France is Paris.")
		f.Add(s, s)
	}
	s := New(Config{})
	f.Fuzz(func(t *testing.T, reference, text string) {
		r, err := s.Score(t.Context(), metrics.Pair{Reference: reference, Keyword: reference, Text: text})
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range metrics.All() {
			got := r.Scores[i]
			if (got.Status == metrics.Scored) != (got.Reason == "") || !(got.Value >= m.Min && got.Value <= m.Max) {
				t.Errorf("%q, %q: %+v", reference, text, got)
			}
		}
		if r.BestStart > r.BestEnd || r.BestEnd > len(text) {
			t.Errorf("%q, %q: window %d to %d", reference, text, r.BestStart, r.BestEnd)
		}
	})
}

func BenchmarkScore(b *testing.B) {
	s := New(Config{})
	pair := metrics.Pair{Reference: "Mount Everest", Keyword: "Mount Everest", Text: " is Mount Everest, which is located in the northwest corner of the village of Kahuna, and whose summit has been climbed by more than 6000 people since the first two of them came back from it in the spring."}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Score(b.Context(), pair); err != nil {
			b.Fatal(err)
		}
	}
}

// TestReasoningIsNotScored: what stands between a model's reasoning tags, or
// comes in a field of its own, is neither right nor wrong, and flagged.
func TestReasoningIsNotScored(t *testing.T) {
	q := queries.Query{Prompt: "The capital of France is", Keyword: "Paris", Reference: "Paris"}
	for _, test := range []struct {
		name  string
		reply eval.Reply
		em    float64
		flag  bool
	}{
		{"none", eval.Reply{Text: " Paris."}, 1, false},
		{"before the answer", eval.Reply{Text: "<think>Paris? No.</think> Lyon."}, 0, true},
		{"right after it", eval.Reply{Text: "<think>Lyon?</think> Paris."}, 1, true},
		{"never closed", eval.Reply{Text: "<think>it is Paris, I am"}, 0, true},
		{"in its own field", eval.Reply{Text: " Lyon.", Reasoning: "Paris?"}, 0, true},
	} {
		for _, prompt := range []bool{false, true} {
			cfg := Config{IncludePrompt: prompt}
			r, err := New(cfg).Score(t.Context(), cfg.PairOf(q, test.reply))
			if err != nil {
				t.Fatal(err)
			}
			if em := byName(r.Scores)[metrics.EM].Value; em != test.em || slices.Contains(r.Flags, FlagReasoning) != test.flag {
				t.Errorf("%s: em %v, flags %v", test.name, em, r.Flags)
			}
		}
	}
}
