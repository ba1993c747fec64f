package gate_test

import (
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/gate"
)

// TestPublishedExample wants the example for the published table to pass the
// table and to fail each of its models once it is dead, in every metric.
func TestPublishedExample(t *testing.T) {
	e, err := gate.Load("../../expected.yaml")
	if err != nil {
		t.Fatal(err)
	}
	set := queries.Builtin()
	if e.Queries.SHA256 != set.SHA256() || e.Queries.N != len(set.Queries) {
		t.Errorf("the example is of %+v, the program's own set is %s", e.Queries, set.SHA256())
	}
	type row struct{ em, cosine, rouge float64 }
	table := map[string]row{"LLaMA-2-7B": {0.715, 0.7257, 0.0821}, "baby-llama-58m": {0.025, 0.6556, 0.0097}, "DistilLlama": {0.02, 0.6623, 0.0115}}
	judge := func(rows map[string]row) reports.Judgement {
		r := reports.Report{RunID: "r", Status: reports.Complete, Replies: listed(nil), Scoring: &eval.ScoringRecord{ID: 1},
			Queries: reports.QuerySet{N: e.Queries.N, SHA256: e.Queries.SHA256}}
		for name, x := range rows {
			mean := func(metric string, v float64) reports.Metric {
				return reports.Metric{Name: metric, Summary: stat.Summary{N: e.Queries.N, Mean: v}}
			}
			r.Models = append(r.Models, reports.Model{Model: eval.Model{Name: name}, Replies: e.Queries.N,
				Metrics: []reports.Metric{mean(metrics.EM, x.em), mean(metrics.Cosine, x.cosine), mean(metrics.RougeLF1, x.rouge)}})
		}
		return checked(t, r, e, gate.Options{})
	}
	if v := judge(table); v.Status() != reports.Pass {
		t.Errorf("the published table came to %s: %s", v.Status(), reasons(v))
	}
	for name := range table {
		rows := make(map[string]row)
		for other, x := range table {
			rows[other] = x
		}
		rows[name] = row{}
		if v := judge(rows); v.Status() != reports.Regression || v.Count(reports.Regression) != 3 {
			t.Errorf("with %s dead it came to %s with %d regressions, want one for each metric: %s", name, v.Status(), v.Count(reports.Regression), reasons(v))
		}
	}
}
