package html

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/opts"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// cost is a model's quality against what it takes.
type cost struct {
	model      int
	name       string
	em         reports.Metric
	x, low, hi float64
	text       string // x with unit
}

// timeTradeoff is em against duration.
func timeTradeoff(r reports.Report) *figure {
	var costs []cost
	for i, m := range r.Models {
		if m.DurationS != nil {
			costs = append(costs, cost{i, m.Model.Name, m.Metric(metrics.EM), *m.DurationS, *m.DurationS, *m.DurationS, reports.Seconds(m.DurationS) + " s"})
		}
	}
	return tradeoff(costs, true, figure{ID: "quality-time", Title: "Quality against time",
		Note: "EM against the duration of the answering. Up and to the left is better; the line joins the models that no other one beats in both."},
		"seconds")
}

// energyTradeoff is em against energy, without a front where the energies
// were not obtained alike.
func energyTradeoff(r reports.Report) *figure {
	var costs []cost
	for i, m := range r.Models {
		if e := m.Energy; e.Wh != nil {
			c := cost{i, m.Model.Name, m.Metric(metrics.EM), *e.Wh, *e.Wh, *e.Wh, fmt.Sprintf("%s (%s)", reports.WattHours(e.Wh), e.How())}
			if e.LowWh != nil && e.HighWh != nil {
				c.low, c.hi = *e.LowWh, *e.HighWh
			}
			costs = append(costs, c)
		}
	}
	alike := comparableEnergy(r)
	f := figure{ID: "quality-energy", Title: "Quality against energy",
		Note: "EM against the energy of the answering. Up and to the left is better; the line is the Pareto front: the models that no other one beats in both."}
	if !alike {
		f.Note = "EM against the energy of the answering. The models' energies were not obtained in the same way, so they are not ranked and no Pareto front is drawn."
	}
	return tradeoff(costs, alike, f, "Wh")
}

// tradeoff draws em over a cost. It is nil where no model has both.
func tradeoff(costs []cost, front bool, f figure, unit string) *figure {
	costs = slices.DeleteFunc(costs, func(c cost) bool { return c.em.Value() == nil })
	if len(costs) == 0 {
		return nil
	}
	f.Height = 340
	f.Table.Head = []string{"Model", "EM", "95 % interval", "Cost", "On the front"}
	best := pareto(costs)
	chart := charts.NewCustom()
	for _, c := range costs {
		lo, hi := ends(c.em)
		name := reports.Clip(reports.Visible(c.name), 40)
		chart.AddSeries(name, []opts.CustomData{{Name: tip(name, c.em) + "\n" + c.text, Value: []float64{c.x, c.em.Mean, c.low, c.hi, lo, hi}}},
			painted(c.model), drawn(drawCross, []int{0, 2, 3}, []int{1, 4, 5}))
		f.Table.Rows = append(f.Table.Rows, []string{name, c.em.MeanText(), c.em.IntervalText(), c.text, onFront(front, isIn(best, c))})
	}
	if front && len(costs) > 1 {
		line := charts.NewLine()
		line.AddSeries("front", lineData(best), charts.WithLineStyleOpts(opts.LineStyle{Color: "var(--muted)", Type: "dashed", Width: 1.5}),
			charts.WithLineChartOpts(opts.LineChart{Symbol: "none"}), charts.WithItemStyleOpts(opts.ItemStyle{Color: "var(--muted)"}))
		chart.Overlap(line)
	}
	chart.SetGlobalOptions(
		charts.WithXAxisOpts(opts.XAxis{Type: costScale(costs), Name: unit, NameLocation: "middle", NameGap: 28}),
		charts.WithYAxisOpts(opts.YAxis{Type: "value", Name: "EM", Min: 0}))
	f.option = chart.JSON()
	return &f
}

func isIn(costs []cost, c cost) bool {
	return slices.ContainsFunc(costs, func(o cost) bool { return o.model == c.model })
}

func onFront(ranked, is bool) string {
	switch {
	case !ranked:
		return reports.None
	case is:
		return "yes"
	}
	return "no"
}

// pareto keeps the costs that no other one beats in both dimensions, cheapest
// first.
func pareto(costs []cost) []cost {
	best := slices.DeleteFunc(slices.Clone(costs), func(c cost) bool {
		return slices.ContainsFunc(costs, func(o cost) bool {
			return o.x <= c.x && o.em.Mean >= c.em.Mean && (o.x < c.x || o.em.Mean > c.em.Mean)
		})
	})
	slices.SortFunc(best, func(a, b cost) int { return cmp.Compare(a.x, b.x) })
	return best
}

func lineData(costs []cost) []opts.LineData {
	var data []opts.LineData
	for _, c := range costs {
		data = append(data, opts.LineData{Value: []float64{c.x, c.em.Mean}})
	}
	return data
}

// costScale is logarithmic where costs are far apart and none is zero.
func costScale(costs []cost) string {
	least, most := costs[0].low, costs[0].hi
	for _, c := range costs {
		least, most = min(least, c.low), max(most, c.hi)
	}
	if least > 0 && most > 20*least {
		return "log"
	}
	return "value"
}
