package html

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/disteval/disteval/reports"
)

// ladderFigures show each ladder of quantisations: em against size.
func ladderFigures(r reports.Report) []figure {
	var all []*figure
	for n, l := range r.Ladders {
		var costs []cost
		for i, g := range l.Rungs {
			if g.SizeBytes > 0 {
				mb := float64(g.SizeBytes) / 1e6
				costs = append(costs, cost{i, g.Model, g.EM, mb, mb, mb, humanize.Bytes(uint64(g.SizeBytes))})
			}
		}
		f := tradeoff(costs, true, figure{ID: fmt.Sprintf("quality-size-%d", n+1), Title: "Quality against size: " + reports.Clip(reports.Visible(l.Base), 40),
			Note: "EM against the size of the model and its quantisations. Up and to the left is better; the line is the Pareto front. " + reports.Visible(strings.Join(l.Sentences, " "))}, "MB")
		all = append(all, f)
	}
	return figures(all...)
}
