package html

import (
	"fmt"
	"strconv"

	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/opts"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

func cosineHistograms(r reports.Report) []figure {
	return histograms(r, "cosine", "cosine", 3, func(m reports.Model) *reports.Histogram { return m.Histograms.Cosine })
}

func latencyHistograms(r reports.Report) []figure {
	return histograms(r, "latency", "latency in ms", 1, func(m reports.Model) *reports.Histogram { return m.Histograms.LatencyMS })
}

// histograms draws one chart per model, since models' bins differ in width.
func histograms(r reports.Report, id, axis string, decimals int, of func(reports.Model) *reports.Histogram) []figure {
	var out []figure
	for i, m := range r.Models {
		h := of(m)
		if h == nil {
			continue
		}
		name := reports.Clip(reports.Visible(m.Model.Name), 40)
		f := figure{ID: id + "-" + strconv.Itoa(i), Title: name, Height: 190,
			Note:  "Number of replies by " + axis + ".",
			Table: table{Head: []string{"From", "To", "Replies"}}}
		var data []opts.CustomData
		for bin, count := range h.Counts {
			from, to := h.Low+float64(bin)*h.Width, h.Low+float64(bin+1)*h.Width
			low, high := reports.Fixed(&from, decimals), reports.Fixed(&to, decimals)
			data = append(data, opts.CustomData{Name: fmt.Sprintf("%s to %s\n%d replies", low, high, count), Value: []float64{from, to, float64(count)}})
			f.Table.Rows = append(f.Table.Rows, []string{low, high, strconv.Itoa(count)})
		}
		chart := charts.NewCustom()
		chart.AddSeries(name, data, painted(i), drawn(drawBin, []int{0, 1}, []int{2}))
		chart.SetGlobalOptions(
			charts.WithXAxisOpts(opts.XAxis{Type: "value", Name: axis, NameLocation: "middle", NameGap: 26, Scale: opts.Bool(true)}),
			charts.WithYAxisOpts(opts.YAxis{Type: "value", Name: "replies", MinInterval: 1}))
		f.option = chart.JSON()
		out = append(out, f)
	}
	return out
}

// energyChart is the energy of the replies summed up over time.
func energyChart(r reports.Report) *figure {
	chart := charts.NewLine()
	f := &figure{ID: "energy-over-time", Title: "Energy over time", Height: 320,
		Note:  "The energy of each model's replies, summed up from its first question on. A straight line is constant power.",
		Table: table{Head: []string{"Model", "After (s)", "Energy"}}}
	for i, m := range r.Models {
		if len(m.Energy.OverTime) == 0 {
			continue
		}
		name := reports.Clip(reports.Visible(m.Model.Name), 40)
		var data []opts.LineData
		for _, p := range m.Energy.OverTime {
			after, wh := reports.Seconds(&p.Seconds), reports.WattHours(&p.Wh)
			data = append(data, opts.LineData{Name: fmt.Sprintf("%s\n%s after %s s", name, wh, after), Value: []float64{p.Seconds, p.Wh}})
			f.Table.Rows = append(f.Table.Rows, []string{name, after, wh})
		}
		chart.AddSeries(name, data, painted(i), charts.WithLineStyleOpts(opts.LineStyle{Color: color(i), Width: 2}),
			charts.WithLineChartOpts(opts.LineChart{Symbol: "circle", SymbolSize: 4}))
	}
	if len(chart.MultiSeries) == 0 {
		return nil
	}
	chart.SetGlobalOptions(valueAxis("seconds"), charts.WithYAxisOpts(opts.YAxis{Type: "value", Name: "Wh"}))
	f.option = chart.JSON()
	return f
}

// pairedChart is McNemar's table of em: what each model gets right that the
// reference gets wrong, and the reverse.
func pairedChart(r reports.Report) *figure {
	f := &figure{ID: "paired", Title: "Wins and losses against the reference", Open: true,
		Table: table{Head: []string{"Model", "Queries", "Both right", "Only the model right", "Only the reference right", "Both wrong", "p (exact McNemar)", "p (Holm)"}}}
	var names []string
	var wins, same, losses []opts.BarData
	for _, c := range r.Comparisons {
		if c.Metric != metrics.EM || c.N == 0 {
			continue
		}
		name := reports.Clip(reports.Visible(c.Model), 40)
		f.Note = "EM on the same queries, against " + reports.Visible(c.Reference) + ". Only the queries on which the two differ bear on the test."
		names = append(names, name)
		bar := func(count int, what string) opts.BarData {
			return opts.BarData{Name: fmt.Sprintf("%s\n%s: %d of %d queries", name, what, count, c.N), Value: count}
		}
		wins = append(wins, bar(c.Wins, "only the model right"))
		same = append(same, bar(c.Ties, "same outcome"))
		losses = append(losses, bar(c.Losses, "only the reference right"))
		right, wrong := reports.None, reports.None
		if c.Same != nil {
			right, wrong = strconv.Itoa(c.Same.Right), strconv.Itoa(c.Same.Wrong)
		}
		f.Table.Rows = append(f.Table.Rows, []string{name, strconv.Itoa(c.N), right, strconv.Itoa(c.Wins),
			strconv.Itoa(c.Losses), wrong, reports.PValue(&c.P), reports.PValue(c.PHolm)})
	}
	if len(names) == 0 {
		return nil
	}
	f.Height = 100 + 44*len(names)
	chart := charts.NewBar()
	for _, s := range []struct {
		name, color string
		data        []opts.BarData
	}{{"only the model right", "var(--good)", wins}, {"same outcome", "var(--even)", same}, {"only the reference right", "var(--bad)", losses}} {
		chart.AddSeries(s.name, s.data, charts.WithBarChartOpts(opts.BarChart{Stack: "em", BarWidth: "22"}),
			charts.WithItemStyleOpts(opts.ItemStyle{Color: s.color}))
	}
	chart.SetGlobalOptions(valueAxis("queries"), rows(names))
	f.option = chart.JSON()
	return f
}
