package xlsx

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/reports"
)

func TestLadderShown(t *testing.T) {
	r := sample(6)
	em := reports.Metric{Summary: stat.Summary{N: 5, Mean: 0.7, Lo: 0.6, Hi: 0.8, HasInterval: true}}
	r.Ladders = []reports.Ladder{{Base: "big", Sentences: []string{"big q8_0 keeps 96 % of the answers of big."}, Rungs: []reports.Rung{
		{Model: "big", Kind: "F16", SizeBytes: 2_000_000, SizeShare: ptr(1.0), EM: em, SizeFront: true},
		{Model: "big q8_0", Kind: "q8_0", SizeBytes: 1_000_000, SizeShare: ptr(0.5), EM: em, SizeFront: true,
			Flips: &reports.Flips{N: 5, Kept: ptr(0.96), RightToWrong: 2, WrongToRight: 1, P: 0.00001}},
	}}}
	f, _ := written(t, r)
	rows, err := f.GetRows("Comparisons")
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(rows, func(row []string) bool { return len(row) > 0 && row[0] == "Quantisations of big" })
	if at < 0 {
		t.Fatalf("no table of quantisations: %q", rows)
	}
	for i, want := range [][]string{
		{"big", "F16", "2.00", "1.000", "0.700", "0.600", "0.800", "", "", "", "", "", "", "", "", "", "", "", "yes", "no"},
		{"big q8_0", "q8_0", "1.00", "0.500", "0.700", "0.600", "0.800", "", "", "", "", "", "0.960", "2", "1", "1.0E-05", "", "", "yes", "no"},
		{"big q8_0 keeps 96 % of the answers of big."},
	} {
		if d := cmp.Diff(want, rows[at+2+i]); d != "" {
			t.Errorf("row %d, -want +got:\n%s", i, d)
		}
	}
}
