package gate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/gate"
)

// TestPairedHasTheReportsFigures holds gate --paired against the report of the
// same two runs.
func TestPairedHasTheReportsFigures(t *testing.T) {
	base := run(144, nil)
	base.RunID = "run-0"
	now := run(150, func(rs []eval.ScoredReply) {
		for i := range rs[:9] {
			turn(&rs[i], false)
		}
	})
	v := checked(t, now, parsed(t, expectations("{metrics: {em: {min: 0.1}}}")), gate.Options{Baseline: &base})
	changes, err := reports.Pair(t.Context(), base, now)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v.Paired[0], changes.Models[0].Paired); diff != "" || v.Paired[0].N != queryCount {
		t.Errorf("the gate's -, the report's +:\n%s", diff)
	}
}
