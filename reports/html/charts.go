package html

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/opts"
	"github.com/go-echarts/go-echarts/v2/types"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// Names of the drawing functions in charts.js that custom series use.
const (
	drawInterval types.FuncStr = "interval" // [x, row, low, high, i, n]: a point with its interval in row, the i-th of n
	drawCross    types.FuncStr = "cross"    // [x, y, xLow, xHigh, yLow, yHigh]: a point with both intervals
	drawBin      types.FuncStr = "bin"      // [from, to, count]: a histogram's bar
	drawWhisker  types.FuncStr = "whisker"  // [column, y, low, high, i, n]: as interval, upright
)

// writeCharts writes every chart's option as a data block.
func writeCharts(out *bufio.Writer, all []figure) error {
	for _, f := range all {
		option, err := json.Marshal(f.option) // escapes <, > and &
		if err != nil {
			return fmt.Errorf("encode chart %s: %w", f.ID, err)
		}
		fmt.Fprintf(out, "<script type=\"application/json\" id=\"option-%s\">%s</script>\n", f.ID, appendEscaped(nil, option))
	}
	return nil
}

// colors is how many colours models have; after that they repeat.
const colors = 8

// color is the i-th model's; charts.js resolves it by the page's style.
func color(i int) string { return "var(--c" + strconv.Itoa(i%colors) + ")" }

// painted gives a series a model's colour.
func painted(i int) charts.SeriesOpts {
	return charts.WithItemStyleOpts(opts.ItemStyle{Color: color(i)})
}

// drawn makes a custom series: the function that draws it, and which values
// of an item lie along which axis.
func drawn(by types.FuncStr, x, y []int) charts.SeriesOpts {
	return charts.WithSeriesOpts(func(s *charts.SingleSeries) {
		s.RenderItem = by
		s.Encode = &opts.Encode{X: x, Y: y}
	})
}

func valueAxis(name string) charts.GlobalOpts {
	return charts.WithXAxisOpts(opts.XAxis{Type: "value", Name: name, NameLocation: "middle", NameGap: 28})
}

// rows is a vertical axis of names, the first on top.
func rows(names []string) charts.GlobalOpts {
	return charts.WithYAxisOpts(opts.YAxis{Type: "category", Data: names, Inverse: opts.Bool(true)})
}

func visibles(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = reports.Clip(reports.Visible(name), 40)
	}
	return out
}

// ends are an interval's, or twice the point where there is none.
func ends(m reports.Metric) (lo, hi float64) {
	if !m.HasInterval {
		return m.Mean, m.Mean
	}
	return m.Lo, m.Hi
}

func tip(name string, m reports.Metric) string {
	return fmt.Sprintf("%s\n%s %s, 95 %% interval %s, n = %d", name, m.Title, m.MeanText(), m.IntervalText(), m.N)
}

// scoreChart shows every metric of every model with its interval.
func scoreChart(r reports.Report) *figure {
	names := visibles(modelNames(r))
	shares := slices.DeleteFunc(slices.Clone(metrics.All()), func(m metrics.Metric) bool { return m.Max != 1 || m.Better != metrics.Higher })
	chart := charts.NewCustom()
	f := &figure{ID: "scores", Title: "Scores", Height: 70 + len(shares)*(18+14*len(names)),
		Note:  "The mean with its 95 % interval of each metric that is at most 1, a colour per model. Points further right are better.",
		Table: table{Head: []string{"Metric", "Model", "Mean", "95 % interval", "n"}}}
	titles := make([]string, len(shares))
	for i, model := range r.Models {
		var data []opts.CustomData
		for at, metric := range shares {
			titles[at] = metric.Title
			if m := model.Metric(metric.Name); m.Value() != nil {
				lo, hi := ends(m)
				data = append(data, opts.CustomData{Name: tip(names[i], m), Value: []float64{m.Mean, float64(at), lo, hi, float64(i), float64(len(names))}})
			}
		}
		chart.AddSeries(names[i], data, painted(i), drawn(drawInterval, []int{0, 2, 3}, []int{1}))
	}
	for _, metric := range metrics.All() {
		for i, model := range r.Models {
			m := model.Metric(metric.Name)
			f.Table.Rows = append(f.Table.Rows, []string{metric.Title, names[i], m.MeanText(), m.IntervalText(), strconv.Itoa(m.N)})
		}
	}
	chart.SetGlobalOptions(valueAxis("mean"), rows(titles))
	chart.YAxisList[0].SplitArea = &opts.SplitArea{Show: opts.Bool(true)}
	f.option = chart.JSON()
	return f
}

// categoryChart is em by category and model; nil where nothing was scored.
func categoryChart(r reports.Report) *figure {
	if len(r.Categories) == 0 {
		return nil
	}
	models := visibles(modelNames(r))
	f := &figure{ID: "categories", Title: "EM by category", Height: 90 + 30*len(r.Categories),
		Note:  "The share of replies that hold the keyword, in each category of queries (its number of queries in brackets). An empty cell has nothing scored. Choose a cell to see its replies.",
		Table: table{Head: append([]string{"Category", "Queries"}, models...)}}
	var data []opts.HeatMapData
	var names []string
	for y, c := range r.Categories {
		name := reports.Clip(reports.Visible(c.Name), 40)
		names = append(names, fmt.Sprintf("%s (%d)", name, c.N))
		cells := []string{name, strconv.Itoa(c.N)}
		for x, em := range c.EM {
			text := reports.Fixed(em, reports.Decimals(metrics.EM))
			cells = append(cells, text)
			if em != nil && x < len(models) {
				data = append(data, opts.HeatMapData{Name: fmt.Sprintf("%s\n%s: EM %s of %d queries", models[x], name, text, c.N), Value: []any{x, y, *em, text, c.Name}})
			}
		}
		f.Table.Rows = append(f.Table.Rows, cells)
	}
	if len(data) == 0 {
		return nil
	}
	chart := charts.NewHeatMap()
	chart.AddSeries("EM", data)
	chart.SetGlobalOptions(rows(names),
		charts.WithXAxisOpts(opts.XAxis{Type: "category", Data: models, Position: "top"}),
		charts.WithVisualMapOpts(opts.VisualMap{Show: opts.Bool(false), Min: 0, Max: 1, Dimension: "2"}))
	f.option = chart.JSON()
	return f
}

// floorChart is each model's cosine beside its floor.
func floorChart(r reports.Report) *figure {
	names := visibles(modelNames(r))
	chart := charts.NewCustom()
	f := &figure{ID: "floor", Title: "Cosine and its floor", Height: 90 + 44*len(names),
		Note: "The bar is the mean cosine with its 95 % interval; the diamond is the floor, the mean cosine of the same replies with the references of other queries. " +
			"What lies below the floor is merely English; the lift is how far the cosine stands above it on the way to 1.",
		Table: table{Head: []string{"Model", "Cosine", "95 % interval", "Floor", "Lift"}}}
	var floors []opts.ScatterData
	for i, model := range r.Models {
		m := model.Metric(metrics.Cosine)
		f.Table.Rows = append(f.Table.Rows, []string{names[i], m.MeanText(), m.IntervalText(),
			reports.Fixed(model.Floor, 4), model.Metric(metrics.CosineLift).MeanText()})
		if m.Value() == nil {
			continue
		}
		lo, hi := ends(m)
		chart.AddSeries(names[i], []opts.CustomData{{Name: tip(names[i], m), Value: []float64{m.Mean, float64(i), lo, hi, 0, 1}}},
			painted(i), drawn(drawInterval, []int{0, 2, 3}, []int{1}))
		if model.Floor != nil {
			floors = append(floors, opts.ScatterData{Name: names[i] + "\nfloor " + reports.Fixed(model.Floor, 4), Value: []float64{*model.Floor, float64(i)}, Symbol: "diamond", SymbolSize: 14})
		}
	}
	if len(chart.MultiSeries) == 0 {
		return nil
	}
	scatter := charts.NewScatter()
	scatter.AddSeries("floor", floors, charts.WithItemStyleOpts(opts.ItemStyle{Color: "var(--muted)"}))
	chart.Overlap(scatter)
	chart.SetGlobalOptions(valueAxis("cosine"), rows(names))
	f.option = chart.JSON()
	return f
}
