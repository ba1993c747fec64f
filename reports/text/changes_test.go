package text

import (
	"strings"
	"testing"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/reports"
)

// TestWriteChanges shows both texts of what changed, and nothing that acts on
// a terminal or a build service.
func TestWriteChanges(t *testing.T) {
	p := 0.04
	m := reports.ModelChanges{Paired: reports.Paired{Model: "student"}, Asked: 200}
	m.N = 199
	m.NewlyWrong = []reports.Change{{Query: "geo", Prompt: "The capital of France is", Keyword: "Paris", Before: " Paris.", Reply: " Rome\x1b[31m\n::error::x"}}
	m.Scores = []reports.MetricChange{
		{Metric: metrics.EM, Title: "EM", Before: 0.5, After: 0.4, PHolm: &p, Real: true, Comparison: stat.Comparison{N: 199, P: 0.02, Difference: -0.1, Lo: -0.18, Hi: -0.01, HasInterval: true}},
		{Metric: metrics.AnswerBits, Title: "Answer bits", Before: 9, After: 8, PHolm: &p, Real: true, Comparison: stat.Comparison{N: 199, P: 0.02, Test: "sign-exact", Wins: 3, Losses: 30}},
		{Metric: metrics.RougeLF1, Title: "ROUGE-L F1"},
	}
	c := reports.Changes{Before: "one", After: "two", Others: []string{"gone"}, Differences: []string{"model student digest: was x, now y"}, Models: []reports.ModelChanges{m}}
	var b strings.Builder
	if err := WriteChanges(&b, c, false); err != nil {
		t.Fatal(err)
	}
	const want = `what changed from run one to run two
  model student digest: was x, now y
  only in one of the runs: gone

student: 1 newly wrong, 0 newly right of 199 queries; 1 of the 200 asked are not asked alike, answered and scored in both runs
Metric       Queries  Before    Now        Difference [95 %]      p  corrected
EM               199   0.500  0.400  -0.100 [-0.180, -0.010]  0.020      0.040  worse
Answer bits      199     9.0    8.0                        —  0.020      0.040  better
  1 newly wrong:
    geo  The capital of France is (keyword Paris)
      before:  Paris.
      now:     Rome\x1b[31m\n::error::x
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
