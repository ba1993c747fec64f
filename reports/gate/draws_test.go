package gate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/gate"
)

// drawn is a run of one model that asks ten queries five times: of query i the
// first right[i] samples are right, all others read alike. change may spoil the
// replies before the figures are computed from them.
func drawn(right [10]int, change func([]eval.ScoredReply)) reports.Report {
	r := run(0, nil)
	r.Plan.Samples, r.Queries.N = 5, 10
	var replies []eval.ScoredReply
	for q, n := range right {
		for s := range 5 {
			one := reply(q, s < n)
			one.Reply.Sample = s
			replies = append(replies, one)
		}
	}
	if change != nil {
		change(replies)
	}
	m := &r.Models[0]
	m.Replies, m.Failures = 0, 0
	var means []float64
	anyRight, alike := 0.0, 0.0
	for q := range 10 {
		sum, n := 0.0, 0.0
		texts := map[string]bool{}
		for _, s := range replies[5*q : 5*q+5] {
			if s.Reply.Failure != nil {
				m.Failures++
				continue
			}
			m.Replies++
			n++
			sum += *metrics.Find(s.Scores, metrics.EM).Number()
			texts[s.Reply.Text] = true
		}
		means = append(means, sum/n)
		if sum > 0 {
			anyRight += 0.1
		}
		if len(texts) == 1 {
			alike += 0.1
		}
	}
	for i := range m.Metrics {
		if m.Metrics[i].Name == metrics.EM {
			m.Metrics[i].Summary, m.Metrics[i].Any = stat.MeanBootstrap(means, 1), &anyRight
		}
	}
	m.IdenticalTexts = &alike
	r.Replies = listed(replies)
	return r
}

const ofSamples = `version: 1
queries: {sha256: %s}
models:
  student:
    failures: {max: 5}
    %s
`

// TestSamples judges shares of queries. Six have some sample right, of five all
// samples are one text.
func TestSamples(t *testing.T) {
	six := [10]int{5, 4, 3, 2, 1, 5, 0, 0, 0, 0} // 6 any right; alike: 2 of 5 and 4 of 0
	failing := func(at ...int) func([]eval.ScoredReply) {
		return func(rs []eval.ScoredReply) {
			for _, i := range at {
				fail(&rs[i])
			}
		}
	}
	for name, tt := range map[string]struct {
		limit  string
		change func([]eval.ScoredReply)
		want   reports.Outcome
		reason string
	}{
		"any, met":                       {"em_any: {samples: 5, min: 0.6}", nil, reports.Pass, ""},
		"any, missed":                    {"em_any: {samples: 5, min: 0.61}", nil, reports.Regression, "95 % interval 0.313 to 0.832"},
		"any, better":                    {"em_any: {samples: 5, expected: 0.5, tolerance: 0.05}", nil, reports.Pass, "improved em_any"},
		"any, of other samples":          {"em_any: {samples: 3, min: 0.6}", nil, reports.Inconclusive, "asks every query 5 times, and this is of 3 samples"},
		"any, could be met":              {"em_any: {samples: 5, min: 0.65}", failing(30), reports.Inconclusive, "samples of 1 queries failed): it lies between 0.6 and 0.7"},
		"any, could not be met":          {"em_any: {samples: 5, min: 0.75}", failing(30), reports.Regression, ""},
		"any, a failure beside a right":  {"em_any: {samples: 5, min: 0.6}", failing(4), reports.Pass, ""},
		"any, only by a dump":            {"em_any: {samples: 5, min: 0.65}", func(rs []eval.ScoredReply) { dump(&rs[30]) }, reports.Inconclusive, "on 1 queries only dumps of answers are right"},
		"alike, met":                     {"identical_texts: {samples: 5, min: 0.6}", nil, reports.Pass, ""},
		"alike, missed":                  {"identical_texts: {samples: 5, min: 0.99}", nil, reports.Regression, "95 % interval"},
		"alike, a failure":               {"identical_texts: {samples: 5, min: 0.6}", failing(0), reports.Inconclusive, "it lies between 0.5 and 0.6"},
		"alike, a failure of a mixed":    {"identical_texts: {samples: 5, min: 0.6}", failing(5), reports.Pass, ""},
		"em, failures weigh as samples":  {"metrics: {em: {min: 0.4}}", failing(30), reports.Pass, ""},
		"em, failures that could matter": {"metrics: {em: {min: 0.41}}", failing(30), reports.Inconclusive, "between 0.4 and 0.42"},
	} {
		v := checked(t, drawn(six, tt.change), parsed(t, fmt.Sprintf(ofSamples, hash, tt.limit)), gate.Options{})
		if v.Status() != tt.want || !strings.Contains(reasons(v), tt.reason) {
			t.Errorf("%s: %s, want %s: %s", name, v.Status(), tt.want, reasons(v))
		}
	}
	once := checked(t, run(150, nil), parsed(t, fmt.Sprintf(ofSamples, hash, "em_any: {samples: 5, min: 0.6}")), gate.Options{})
	if once.Status() != reports.Inconclusive {
		t.Errorf("a run of one sample: %s", reasons(once))
	}
}

// TestBlessSamples: what stands in the file is renewed, with the number of the
// samples, and a query is right where all its samples are.
func TestBlessSamples(t *testing.T) {
	six := [10]int{5, 4, 3, 2, 1, 5, 0, 0, 0, 0}
	existing := fmt.Sprintf(ofSamples, hash, "em_any: {samples: 3, expected: 0.2, tolerance: 0.1}\n    identical_texts: {samples: 3, min: 0.9}")
	out, _ := blessed(t, drawn(six, nil), existing, gate.BlessOptions{Right: true})
	for _, want := range []string{"em_any: {samples: 5, expected: 0.6", "tolerance: 0.1}", "identical_texts: {samples: 5, min: 0.9}", "- q000\n      - q005\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	none := [10]int{}
	out, _ = blessed(t, drawn(none, nil), out, gate.BlessOptions{})
	if !strings.Contains(out, "# em_any: 0 is the worst") || strings.Contains(out, "em_any: {") {
		t.Errorf("at the worst:\n%s", out)
	}
	again, _ := blessed(t, drawn(none, nil), out, gate.BlessOptions{})
	if again != out {
		t.Errorf("blessed twice:\n%s", again)
	}
	if out, _ = blessed(t, drawn(six, nil), out, gate.BlessOptions{}); !strings.Contains(out, "em_any: {samples: 5, expected: 0.6") || strings.Contains(out, "worst") {
		t.Errorf("better again:\n%s", out)
	}
}

func TestParseSamples(t *testing.T) {
	for limit, want := range map[string]string{
		"em_any: {min: 0.5}":                         `key "samples" is missing`,
		"em_any: {samples: 1, min: 0.5}":             "expected a whole number from 2 on",
		"em_any: {samples: 5, min: 1.5}":             "em_any lies in [0, 1]",
		"identical_texts: {samples: 5, min: 0}":      "never fails",
		"metrics: {em: {samples: 5, expected: 0.5}}": "samples",
	} {
		if _, err := gate.Parse([]byte(fmt.Sprintf(ofSamples, hash, limit)), "e.yaml"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", limit, err)
		}
	}
}
