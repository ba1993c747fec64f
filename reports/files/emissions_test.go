package files

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
)

func TestEmissionsAreInert(t *testing.T) {
	var out strings.Builder
	r := reports.Report{Models: []reports.Model{{Model: eval.Model{Name: "=HYPERLINK(1)\x1b[31m"}}}}
	if err := writeEmissions(t.Context(), &out, r); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := rows[1][slices.Index(rows[0], "experiment_id")]; got != `'=HYPERLINK(1)\x1b[31m` {
		t.Errorf("the model is called %q", got)
	}
}
