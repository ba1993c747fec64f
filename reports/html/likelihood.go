package html

import (
	"fmt"
	"strconv"

	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/opts"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/reports"
)

// mostScatters bounds the pairs of models that are drawn query by query.
const mostScatters = 3

// bitsCharts draw the bits of the right answer, query by query, of two models
// each: those that are not the reference first, since they are the rivals.
func bitsCharts(r reports.Report) []figure {
	at := make(map[string]int, len(r.Models))
	for i, m := range r.Models {
		at[m.Model.Name] = i
	}
	var first, rest []figure
	for _, pair := range r.Rivals {
		f := bitsChart(r, at[pair.A], at[pair.B])
		if ref := r.Plan.Reference(); ref != nil && (pair.A == ref.Name || pair.B == ref.Name) {
			rest = append(rest, figures(f)...)
		} else {
			first = append(first, figures(f)...)
		}
	}
	all := append(first, rest...)
	return all[:min(len(all), mostScatters)]
}

func bitsChart(r reports.Report, a, b int) *figure {
	names := visibles([]string{r.Models[a].Model.Name, r.Models[b].Model.Name})
	f := &figure{ID: fmt.Sprintf("bits-%d-%d", a, b), Title: "Bits of the right answer: " + names[0] + " and " + names[1], Height: 380,
		Note:  "One point a query. Below the diagonal " + names[1] + " finds the right answer less surprising, above it " + names[0] + "; fewer bits are better. An open point is a bound.",
		Table: table{Head: []string{"Query", names[0], names[1]}}}
	other := make(map[string]reports.Knowledge)
	for _, k := range r.Models[b].Knowledge {
		other[k.Query] = k
	}
	var exact, bounds []opts.ScatterData
	most := 0.0
	for _, x := range r.Models[a].Knowledge {
		y := other[x.Query]
		if x.Bits == nil || y.Bits == nil {
			continue
		}
		most = max(most, *x.Bits, *y.Bits)
		point := opts.ScatterData{Name: fmt.Sprintf("%s\n%s: %s bits\n%s: %s bits", reports.Visible(x.Query), names[0], bitsText(x), names[1], bitsText(y)),
			Value: []float64{*x.Bits, *y.Bits}, SymbolSize: 7}
		if x.Bound == metrics.Exact && y.Bound == metrics.Exact {
			exact = append(exact, point)
		} else {
			point.Symbol = "emptyCircle"
			bounds = append(bounds, point)
		}
		f.Table.Rows = append(f.Table.Rows, []string{x.Query, bitsText(x), bitsText(y)})
	}
	if len(f.Table.Rows) == 0 {
		return nil
	}
	chart := charts.NewScatter()
	chart.AddSeries("queries", append(exact, bounds...), painted(b))
	line := charts.NewLine()
	line.AddSeries("equal", []opts.LineData{{Value: []float64{0, 0}}, {Value: []float64{most, most}}},
		charts.WithLineStyleOpts(opts.LineStyle{Color: "var(--muted)", Type: "dashed", Width: 1.5}),
		charts.WithLineChartOpts(opts.LineChart{Symbol: "none"}), charts.WithItemStyleOpts(opts.ItemStyle{Color: "var(--muted)"}))
	chart.Overlap(line)
	chart.SetGlobalOptions(valueAxis("bits, "+names[0]), charts.WithYAxisOpts(opts.YAxis{Type: "value", Name: "bits, " + names[1]}))
	f.option = chart.JSON()
	return f
}

func bitsText(k reports.Knowledge) string { return reports.BoundText(k.Bits, k.Bound, 1) }

// rankBins are the ends of the bins of ranks, the last one open.
var rankBins = []int{1, 5, 20, 100, 1000}

// rankChart counts how far down the right answer's first token stands.
func rankChart(r reports.Report) *figure {
	head := []string{"1", "2 to 5", "6 to 20", "21 to 100", "101 to 1,000", "beyond"}
	f := &figure{ID: "ranks", Title: "Rank of the right answer's first token", Height: 320,
		Note:  "Number of queries by the rank of the best form's first token among all tokens. A rank of which only a bound is known counts where it is at least.",
		Table: table{Head: append([]string{"Model"}, head...)}}
	chart := charts.NewBar()
	chart.SetXAxis(head)
	known := false
	for i, m := range r.Models {
		counts := make([]int, len(head))
		for _, k := range m.Knowledge {
			if k.Rank == 0 {
				continue
			}
			bin := 0
			for bin < len(rankBins) && k.Rank > rankBins[bin] {
				bin++
			}
			counts[bin]++
			known = true
		}
		name := reports.Clip(reports.Visible(m.Model.Name), 40)
		row := []string{name}
		var data []opts.BarData
		for bin, n := range counts {
			row = append(row, strconv.Itoa(n))
			data = append(data, opts.BarData{Name: fmt.Sprintf("%s\nrank %s: %d queries", name, head[bin], n), Value: n})
		}
		f.Table.Rows = append(f.Table.Rows, row)
		chart.AddSeries(name, data, painted(i))
	}
	if !known {
		return nil
	}
	chart.SetGlobalOptions(charts.WithXAxisOpts(opts.XAxis{Type: "category", Data: head, Name: "rank", NameLocation: "middle", NameGap: 28}),
		charts.WithYAxisOpts(opts.YAxis{Type: "value", Name: "queries", MinInterval: 1}))
	f.option = chart.JSON()
	return f
}

// mostSilent bounds the queries listed.
const mostSilent = 200

// silent lists the queries whose answer a model knows and does not say.
func silent(r reports.Report) table {
	t := table{Head: []string{"Query", "Model", "Prompt", "Keyword", "Bits", "Rank", "Chosen"}}
	for _, m := range r.Models {
		for _, k := range m.Knowledge {
			if !k.Silent() || len(t.Rows) == mostSilent {
				continue
			}
			prompt, keyword := "", ""
			for _, q := range r.Plan.Queries.Queries {
				if q.ID == k.Query {
					prompt, keyword = q.Prompt, q.Keyword
				}
			}
			rank := float64(k.Rank)
			t.Rows = append(t.Rows, []string{k.Query, m.Model.Name, prompt, keyword, bitsText(k), reports.BoundText(&rank, k.RankBound, 0), orNone(k.Chosen)})
		}
	}
	return t
}

// bothWrong compares every two models where em says nothing.
func bothWrong(r reports.Report) table {
	t := table{Head: []string{"Model", "Other", "Queries that both get wrong", "Difference of answer bits [95 %]", "p (Holm)", "Test"}}
	for _, pair := range r.Rivals {
		b := pair.BothWrong
		if b.N == 0 {
			continue
		}
		d := reports.Signed(reports.Comparison{Comparison: b}.Delta(), 1)
		switch {
		case b.HasInterval:
			d += " " + reports.Interval(&b.Lo, &b.Hi, 1)
		case b.Undecided > 0:
			d = fmt.Sprintf("%d higher, %d lower, %d left open by bounds", b.Wins, b.Losses, b.Undecided)
		}
		t.Rows = append(t.Rows, []string{pair.A, pair.B, strconv.Itoa(b.N), d, reports.PValue(pair.PHolm), b.Test})
	}
	return t
}

// fidelityTable is how far each model lies from the reference.
func fidelityTable(r reports.Report) table {
	t := table{Head: []string{"Model", "Reference", "Tokens", "Same most probable token [95 %]", "KLD (nats) [95 %]", "Median, p95, p99, highest", "Δp mean, RMS", "Right to wrong", "Wrong to right", "Why not more"}}
	for _, f := range r.Fidelity {
		lost, won := reports.None, reports.None
		if f.Flips != nil {
			lost, won = strconv.Itoa(f.Flips.RightToWrong), strconv.Itoa(f.Flips.WrongToRight)
		}
		kld := reports.FidelityText(f.KLD, f.KLDBound)
		if f.KLD.HasInterval {
			kld += " " + reports.Interval(&f.KLD.Lo, &f.KLD.Hi, 4)
		}
		t.Rows = append(t.Rows, []string{f.Model, f.Reference, strconv.Itoa(f.Tokens), meanText(f.SameTop1), kld,
			fmt.Sprintf("%s, %s, %s, %s", reports.Fixed(f.KLDAt.P50, 4), reports.Fixed(f.KLDAt.P95, 4), reports.Fixed(f.KLDAt.P99, 4), reports.Fixed(f.KLDAt.Max, 4)),
			reports.FidelityText(f.DeltaP, f.DeltaPBound) + ", " + reports.Fixed(f.DeltaPRMS, 4), lost, won, orNone(f.Reason)})
	}
	return t
}

func meanText(s stat.Summary) string {
	if s.N == 0 {
		return reports.None
	}
	if !s.HasInterval {
		return reports.Fixed(&s.Mean, 3)
	}
	return reports.Fixed(&s.Mean, 3) + " " + reports.Interval(&s.Lo, &s.Hi, 3)
}
