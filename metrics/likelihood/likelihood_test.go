package likelihood

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/disteval/disteval/metrics"
)

// bits makes a known step of that many bits and rank.
func bits(b float64, rank int) Step {
	return Step{Logprob: -b * math.Ln2, Known: true, Rank: rank}
}

// beyond makes a step that has at least so many bits.
func beyond(b float64) Step {
	return Step{Logprob: -b * math.Ln2, Rank: 21, Text: "x", Top: make([]Alternative, 20)}
}

func form(text string, steps ...Step) Form {
	return Form{Text: text, Bytes: len(text) + 1, Steps: steps}
}

func cut(text string, steps ...Step) Form {
	f := form(text, steps...)
	f.Cut = true
	return f
}

func lost(text string, steps ...Step) Form {
	f := form(text, steps...)
	f.Reason = "the server ended"
	return f
}

func TestScore(t *testing.T) {
	const no = -1
	for _, c := range []struct {
		name       string
		forms      []Form
		bits       float64 // no: Unscored
		bound      metrics.Bound
		perByte    float64
		form, rank int
		rankBound  metrics.Bound
		top        [3]float64
		reason     string
	}{
		{"one exact", []Form{form("abc", bits(3, 4), bits(1, 1))}, 4, "", 1, 0, 4, "", [3]float64{0, 1, 1}, ""},
		{"the better of two", []Form{form("abc", bits(9, 30)), form("a", bits(4, 7))}, 4, "", 2, 1, 7, "", [3]float64{0, 0, 1}, ""},
		{"certain", []Form{form("abc", bits(0, 1))}, 0, "", 0, 0, 1, "", [3]float64{1, 1, 1}, ""},
		{"a bound", []Form{form("abc", bits(3, 2), beyond(5))}, 8, metrics.AtLeast, 2, 0, 2, "", [3]float64{0, 1, 1}, "not among the 20"},
		{"a bound above leaves it exact", []Form{form("abc", bits(8, 2)), form("a", beyond(8))}, 8, "", 2, 0, 2, "", [3]float64{0, 1, 1}, ""},
		{"a bound below", []Form{form("abc", bits(9, 2)), form("a", beyond(8))}, 8, metrics.AtLeast, 9.0 / 4, 1, 2, "", [3]float64{0, 1, 1}, "a: token 1"},
		{"the smallest bound", []Form{form("abc", beyond(10)), form("a", beyond(8))}, 8, metrics.AtLeast, 2.5, 1, 21, metrics.AtLeast, [3]float64{0, 0, 0}, "a: token 1"},
		{"lost", []Form{lost("abc", bits(3, 2))}, no, "", no, no, 2, "", [3]float64{0, 1, 1}, "abc: the server ended"},
		{"lost at once", []Form{lost("abc")}, no, "", no, no, 0, "", [3]float64{no, no, no}, "abc: the server ended"},
		{"lost beside exact", []Form{form("abc", bits(3, 2)), lost("a", bits(2, 9))}, 3, metrics.AtMost, 1.5, 0, 2, "", [3]float64{0, 1, 1}, "a: the server ended"},
		{"lost too late to matter", []Form{form("abc", bits(3, 2)), lost("a", bits(4, 9))}, 3, "", 0.75, 0, 2, "", [3]float64{0, 1, 1}, ""},
		{"lost beside a bound", []Form{form("abc", beyond(8)), lost("a")}, no, "", no, no, 0, "", [3]float64{no, no, no}, "a: the server ended"},
		{"lost beside the first", []Form{form("abc", bits(1, 1)), lost("a")}, 1, metrics.AtMost, 0.5, 0, 1, "", [3]float64{1, 1, 1}, "a: the server ended"},
		{"rank at most", []Form{form("abc", bits(1, 3)), lost("a")}, 1, metrics.AtMost, 0.5, 0, 3, metrics.AtMost, [3]float64{no, 1, 1}, ""},
		{"a long name is cut", []Form{lost(strings.Repeat("é", 1000))}, no, "", no, no, 0, "", [3]float64{no, no, no}, strings.Repeat("é", longestName-1) + "…: the server ended"},
		{"nothing asked", nil, no, "", no, no, 0, "", [3]float64{no, no, no}, "no answer"},
	} {
		a := Score(c.forms)
		check := func(what string, s metrics.Score, want float64, bound metrics.Bound) {
			t.Helper()
			if want == no {
				if s.Status != metrics.Unscored || s.Value != 0 || s.Reason == "" {
					t.Errorf("%s: %s %+v, want it Unscored", c.name, what, s)
				}
				return
			}
			if s.Status != metrics.Scored || math.Abs(s.Value-want) > 1e-12 || s.Bound != bound || (s.Reason == "") != (bound == "") {
				t.Errorf("%s: %s %+v, want %v %s", c.name, what, s, want, bound)
			}
		}
		check("bits", a.Bits, c.bits, c.bound)
		check("per byte", a.PerByte, c.perByte, c.bound)
		for i, want := range c.top {
			check([]string{"top1", "top5", "top20"}[i], a.Top[i], want, "")
		}
		if a.Form != c.form || a.Rank != c.rank || a.RankBound != c.rankBound || !strings.Contains(a.Bits.Reason, c.reason) {
			t.Errorf("%s: form %d, rank %d %s, %q", c.name, a.Form, a.Rank, a.RankBound, a.Bits.Reason)
		}
		if scores := a.Scores(); len(scores) != 5 || scores[0] != a.Bits || scores[4].Metric != metrics.AnswerTop20 {
			t.Errorf("%s: %+v", c.name, scores)
		}
	}
}

// TestBoundsNeverContradict hides what lies beyond a model's alternatives, and
// loses forms, at random: what is left never contradicts the exact figures.
func TestBoundsNeverContradict(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	var exact, bounded int
	for range 20_000 {
		whole, part := randomForms(random)
		a, b := Score(whole), Score(part)
		for i, s := range b.Scores() {
			full := a.Scores()[i]
			switch {
			case s.Status == metrics.Unscored:
			case s.Bound == metrics.AtLeast && s.Value > full.Value+1e-9, s.Bound == metrics.AtMost && s.Value < full.Value-1e-9:
				t.Fatalf("%+v contradicts %+v\n%+v\n%+v", s, full, whole, part)
			case s.Bound == metrics.Exact && math.Abs(s.Value-full.Value) > 1e-9:
				t.Fatalf("%+v is not %+v\n%+v\n%+v", s, full, whole, part)
			case s.Bound == metrics.Exact:
				exact++
			default:
				bounded++
			}
		}
		if b.Rank > 0 && (b.RankBound == metrics.Exact && b.Rank != a.Rank || b.RankBound == metrics.AtLeast && b.Rank > a.Rank || b.RankBound == metrics.AtMost && b.Rank < a.Rank) {
			t.Fatalf("rank %d %s, is %d", b.Rank, b.RankBound, a.Rank)
		}
	}
	if exact < 10_000 || bounded < 5_000 {
		t.Errorf("%d exact and %d bounded figures", exact, bounded)
	}
}

func randomForms(random *rand.Rand) (whole, part []Form) {
	for range 1 + random.IntN(3) {
		f := Form{Text: "f", Bytes: 1 + random.IntN(9)}
		g := f
		for range 1 + random.IntN(3) {
			s := bits(10*random.Float64(), 1+random.IntN(40))
			f.Steps = append(f.Steps, s)
			if n := len(g.Steps); g.Reason != "" || n > 0 && !g.Steps[n-1].Known {
				continue
			}
			switch {
			case random.IntN(8) == 0:
				g.Reason = "lost"
			case s.Rank > 20:
				s.Known, s.Rank, s.Logprob = false, 21, s.Logprob*random.Float64()
				g.Steps = append(g.Steps, s)
			default:
				g.Steps = append(g.Steps, s)
			}
		}
		whole, part = append(whole, f), append(part, g)
	}
	return whole, part
}

func TestChoose(t *testing.T) {
	right := form("abc", bits(4, 1))
	for _, c := range []struct {
		name   string
		others []Form
		score  float64
		chosen string
	}{
		{"right", []Form{form("abcd", bits(6, 1)), form("b", bits(3, 1))}, 1, "abc"},
		{"wrong", []Form{form("abcd", bits(4, 1)), form("b", bits(3, 1))}, 0, "abcd"},
		{"a tie", []Form{form("a", bits(2, 1))}, 0, ""},
		{"a tie of others below", []Form{form("a", bits(1, 1)), form("b", bits(1, 1))}, 0, ""},
		{"a tie of others above", []Form{form("a", bits(3, 1)), form("b", bits(3, 1))}, 1, "abc"},
		{"cut where it has more already", []Form{cut("a", bits(2.1, 1)), form("b", bits(3, 1))}, 1, "abc"},
		{"a tie undone", []Form{form("a", bits(2, 1)), form("b", bits(1, 1))}, 0, "b"},
		{"a tie of rounded sums", []Form{form("abcde", bits(2, 1), bits(2, 1), bits(2*(1+1e-15), 1))}, 0, ""},
	} {
		got := Choose(right, c.others)
		if got.Score.Status != metrics.Scored || got.Score.Value != c.score || got.Chosen != c.chosen || got.Chance() != 1/float64(len(c.others)+1) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	for reason, others := range map[string][]Form{
		"fewer than two candidates":                            nil,
		"needs every candidate exactly; b: the server ended":   {form("a", bits(3, 1)), lost("b")},
		"needs every candidate exactly; b: token 1, \"x\", is": {form("a", bits(3, 1)), form("b", beyond(9))},
	} {
		if got := Choose(right, others); got.Score.Status != metrics.Unscored || !strings.HasPrefix(got.Score.Reason, reason) || got.Chosen != "" {
			t.Errorf("%+v, want %q", got, reason)
		}
	}
}

func TestCheck(t *testing.T) {
	top := func(ps ...float64) (out []Alternative) {
		for _, p := range ps {
			out = append(out, Alternative{Logprob: math.Log(p)})
		}
		return out
	}
	for _, c := range []struct {
		top  []Alternative
		want string
	}{
		{top(0.6, 0.3), ""}, {top(0.5, 0.5), ""}, {top(1, 1e-30), ""},
		{nil, "no alternatives"}, {top(0.3, 0.6), "more probable than the one before"}, {top(0.9, 0.2), "sum to"},
		{top(1.5), "above 0"}, {top(0), "-Inf"}, {top(math.NaN()), "NaN"},
	} {
		if err := Check(c.top); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.top, err, c.want)
		}
	}
}

// TestBeyond: a token that is not among the alternatives is at most as probable
// as the last, and as what they leave.
func TestBeyond(t *testing.T) {
	top := func(ps ...float64) (out []Alternative) {
		for _, p := range ps {
			out = append(out, Alternative{Logprob: math.Log(p)})
		}
		return out
	}
	for _, c := range []struct {
		top  []Alternative
		most float64
		rank int
	}{
		{top(0.5, 0.1), 0.1, 3}, {top(0.6, 0.39), 0.01, 3}, {top(0.5, 0.5), rounding, 1},
		{top(0.25, 0.25, 0.25), 0.25, 1}, {top(0.5, 0.2, 0.2), 0.1, 2}, {top(0.9), 0.1, 2},
	} {
		s := Beyond(c.top)
		if p := math.Exp(s.Logprob); s.Known || p < c.most-1e-12 || p > c.most+2*rounding || s.Rank != c.rank {
			t.Errorf("%v: probability %v, rank %d; want %v, %d", c.top, p, s.Rank, c.most, c.rank)
		}
	}
}

func TestExactNeedsNumbers(t *testing.T) {
	if f := form("a", Step{Logprob: math.Inf(-1), Known: true}); f.Exact() {
		t.Error("an infinite surprise passes for a figure")
	}
	if lo, hi := (Form{}).Bits(); lo != 0 || !math.IsInf(hi, 1) {
		t.Errorf("%v, %v of a form that nobody looked at", lo, hi)
	}
}
