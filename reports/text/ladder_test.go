package text

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/reports"
)

// TestLadder: Markdown and JSON show what each step keeps; names are inert.
func TestLadder(t *testing.T) {
	kept, share := 0.98, 0.29
	em := reports.Metric{Name: "em", Title: "EM", Summary: stat.Summary{N: 200, Mean: 0.74}}
	r := reports.Report{Ladders: []reports.Ladder{{Base: "s|x", Sentences: []string{"q keeps 98 % of the answers."}, Rungs: []reports.Rung{
		{Model: "s|x", Kind: "F16", SizeBytes: 117e6, EM: em, SizeFront: true},
		{Model: "s|x q4_K_M", Kind: "q4_K_M", SizeBytes: 34e6, SizeShare: &share, EM: em, SizeFront: true,
			Flips: &reports.Flips{N: 200, Kept: &kept, RightToWrong: 3, WrongToRight: 1, P: 0.625}},
	}}}}
	var b bytes.Buffer
	if err := WriteMarkdown(t.Context(), &b, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"### Quantisations of <code>s&#124;x</code>", "| 34 MB | 29 % |", "| 3 | 1 | 0.625 |", "- q keeps 98 % of the answers."} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &b)
		}
	}
	b.Reset()
	if err := WriteSummaryJSON(t.Context(), &b, r); err != nil {
		t.Fatal(err)
	}
	var s struct {
		Ladders []struct {
			Base  string
			Steps []struct {
				Kind  string
				Size  *int64   `json:"size_bytes"`
				Kept  *float64 `json:"kept"`
				Lost  *int     `json:"right_to_wrong"`
				Front bool     `json:"size_front"`
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	if l := s.Ladders; len(l) != 1 || len(l[0].Steps) != 2 || l[0].Steps[0].Kept != nil || *l[0].Steps[1].Kept != kept || *l[0].Steps[1].Lost != 3 || *l[0].Steps[1].Size != 34e6 || !l[0].Steps[1].Front {
		t.Errorf("%+v", s)
	}
}
