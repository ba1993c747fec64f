package gate

import (
	"math"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/reports"
)

// TestBoundedBits: of answer_bits fewer are better, and a mean that is only a
// bound is judged where every value that it allows is judged alike.
func TestBoundedBits(t *testing.T) {
	at := func(x float64) *float64 { return &x }
	for _, c := range []struct {
		bound Bound
		mean  float64
		known metrics.Bound
		want  reports.Outcome
	}{
		{Bound{Expected: at(20), Tolerance: 1}, 20.5, "", reports.Pass},
		{Bound{Expected: at(20), Tolerance: 1}, 22, "", reports.Regression},
		{Bound{Expected: at(20), Tolerance: 1}, 18, "", reports.Improved},
		{Bound{Expected: at(20), Tolerance: 1}, 22, metrics.AtLeast, reports.Regression},
		{Bound{Expected: at(20), Tolerance: 1}, 20, metrics.AtLeast, reports.Inconclusive},
		{Bound{Expected: at(20), Tolerance: 1}, 18, metrics.AtLeast, reports.Inconclusive},
		{Bound{Expected: at(20), Tolerance: 1}, 18, metrics.AtMost, reports.Improved},
		{Bound{Max: at(20)}, 21, metrics.AtLeast, reports.Regression},
		{Bound{Max: at(20)}, 19, metrics.AtLeast, reports.Inconclusive},
		{Bound{Max: at(20)}, 19, metrics.AtMost, reports.Pass},
		{Bound{Min: at(20)}, 21, metrics.AtLeast, reports.Pass},
	} {
		c.bound.Measure = metrics.AnswerBits
		m := reports.Model{Model: eval.Model{Name: "m"}, Replies: 10, Metrics: []reports.Metric{
			{Name: metrics.AnswerBits, Summary: stat.Summary{N: 10, Mean: c.mean}, Bound: c.known, BoundedN: 3}}}
		check := checker{}
		check.bound(c.bound, m)
		got := check.judgement.Checks[0]
		if got.Outcome != c.want || (got.Outcome == reports.Inconclusive) != strings.Contains(got.Reason, "3 of 10 values are only bounds") {
			t.Errorf("%s of %v %s: %+v, want %s", c.bound, c.mean, c.known, got, c.want)
		}
		if c.known == metrics.AtLeast && !strings.HasPrefix(got.Got, "at least ") {
			t.Errorf("got %q", got.Got)
		}
	}
}

func TestToleranceOfBits(t *testing.T) {
	m := reports.Model{Metrics: []reports.Metric{{Name: metrics.AnswerBits, Summary: stat.Summary{N: 1, Mean: 20}}, {Name: metrics.AnswerBitsPerByte, Summary: stat.Summary{N: 1}}}}
	for metric, want := range map[string]string{metrics.EM: DefaultTolerance, metrics.AnswerBits: DefaultBitsTolerance, metrics.AnswerBitsPerByte: DefaultTolerance} {
		if got := toleranceOf(metric, m); got != want {
			t.Errorf("%s: %s, want %s", metric, got, want)
		}
	}
	if _, hi := measureRange(metrics.AnswerBits); !math.IsInf(hi, 1) {
		t.Error("bits have a highest value")
	}
}
