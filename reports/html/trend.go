package html

import (
	"fmt"
	"strconv"

	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/opts"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// trend is how figures went over runs, oldest first.
type trend struct {
	Runs    table
	Mixed   bool // the runs did not all ask the same queries
	Charts  []figure
	Changes []change
}

// change is what differs from one run to the next.
type change struct {
	From, To string
	Causes   []string // plan, digests, program, host, scoring
	Scores   table
}

// measure is one figure of a model to follow over runs.
type measure struct {
	id, title string
	of        func(reports.Model) (point reports.Metric, text string)
}

func newTrend(runs []reports.Report) *trend {
	t := &trend{Runs: table{Head: []string{"Run", "Created", "Status", "Queries", "disteval", "Plan hash"}}}
	for _, r := range runs {
		t.Mixed = t.Mixed || r.Queries.SHA256 != runs[0].Queries.SHA256
		t.Runs.Rows = append(t.Runs.Rows, []string{r.RunID, stamp(r.Created), string(r.Status),
			fmt.Sprintf("%s, %d", r.Queries.Name, r.Queries.N), orNone(r.ToolVersion), orNone(r.PlanHash)})
	}
	for _, m := range measures() {
		t.Charts = append(t.Charts, trendChart(runs, m))
	}
	for i := 1; i < len(runs); i++ {
		t.Changes = append(t.Changes, changeOf(runs[i-1], runs[i]))
	}
	return t
}

// measures are every metric, and time, energy and failures.
func measures() []measure {
	var out []measure
	for _, metric := range metrics.All() {
		out = append(out, measure{metric.Name, metric.Title, func(m reports.Model) (reports.Metric, string) {
			x := m.Metric(metric.Name)
			if x.Value() == nil {
				return x, reports.None
			}
			return x, x.MeanText() + " " + x.IntervalText()
		}})
	}
	return append(out,
		measure{"duration", "Duration (s)", func(m reports.Model) (reports.Metric, string) {
			return single(m.DurationS), reports.Seconds(m.DurationS)
		}},
		measure{"energy", "Energy (Wh)", func(m reports.Model) (reports.Metric, string) {
			text := reports.WattHours(m.Energy.Wh)
			if m.Energy.Wh != nil {
				text += " " + m.Energy.How()
			}
			return single(m.Energy.Wh), text
		}},
		measure{"failures", "Failures", func(m reports.Model) (reports.Metric, string) {
			n := float64(m.Failures)
			return single(&n), strconv.Itoa(m.Failures)
		}})
}

// single is a figure without an interval.
func single(x *float64) reports.Metric {
	var m reports.Metric
	if x != nil {
		m.N, m.Mean = 1, *x
	}
	return m
}

// modelOf finds a run's model by name.
func modelOf(r reports.Report, name string) (reports.Model, bool) {
	for _, m := range r.Models {
		if m.Model.Name == name {
			return m, true
		}
	}
	return reports.Model{}, false
}

// allModels are the names in all runs, by first appearance.
func allModels(runs []reports.Report) []string {
	var names []string
	seen := map[string]bool{}
	for _, r := range runs {
		for _, name := range modelNames(r) {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// trendChart follows one measure of every model over the runs.
func trendChart(runs []reports.Report, m measure) figure {
	names := allModels(runs)
	f := figure{ID: "trend-" + m.id, Title: m.title, Height: 260,
		Table: table{Head: append([]string{"Run"}, visibles(names)...)}}
	chart := charts.NewLine()
	points := charts.NewCustom()
	columns := make([]string, len(runs))
	for at, r := range runs {
		columns[at] = strconv.Itoa(at+1) + "\n" + r.Created.UTC().Format("01-02 15:04")
		f.Table.Rows = append(f.Table.Rows, []string{r.RunID})
	}
	for i, name := range names {
		var line []opts.LineData
		var whiskers []opts.CustomData
		for at, r := range runs {
			model, _ := modelOf(r, name)
			point, text := m.of(model)
			if model.Model.Name == "" || point.Value() == nil {
				line = append(line, opts.LineData{Value: "-"})
				f.Table.Rows[at] = append(f.Table.Rows[at], reports.None)
				continue
			}
			lo, hi := ends(point)
			line = append(line, opts.LineData{Value: point.Mean, Symbol: "none"})
			whiskers = append(whiskers, opts.CustomData{Name: fmt.Sprintf("%s\nrun %s\n%s %s", reports.Visible(name), r.RunID, m.title, text),
				Value: []float64{float64(at), point.Mean, lo, hi, float64(i), float64(len(names))}})
			f.Table.Rows[at] = append(f.Table.Rows[at], text)
		}
		label := reports.Clip(reports.Visible(name), 40)
		chart.AddSeries(label, line, painted(i), charts.WithLineStyleOpts(opts.LineStyle{Color: color(i), Width: 2}))
		points.AddSeries(label, whiskers, painted(i), drawn(drawWhisker, []int{0}, []int{1, 2, 3}))
	}
	chart.Overlap(points)
	chart.SetGlobalOptions(charts.WithXAxisOpts(opts.XAxis{Type: "category", Data: columns}),
		charts.WithYAxisOpts(opts.YAxis{Type: "value", Scale: opts.Bool(true)}))
	f.option = chart.JSON()
	return f
}

// changeOf names what differs between two runs, causes before scores.
func changeOf(a, b reports.Report) change {
	c := change{From: a.RunID, To: b.RunID, Causes: eval.Differences(facts(a), facts(b)),
		Scores: table{Head: []string{"Model", "Figure", "Before", "After"}}}
	for _, name := range allModels([]reports.Report{a, b}) {
		before, was := modelOf(a, name)
		after, is := modelOf(b, name)
		if !was || !is {
			continue // the causes name it
		}
		for _, m := range measures() {
			_, x := m.of(before)
			_, y := m.of(after)
			if x != y {
				c.Scores.Rows = append(c.Scores.Rows, []string{name, m.title, x, y})
			}
		}
	}
	return c
}

// facts are the run's, and what its emissions are computed with.
func facts(r reports.Report) []eval.Fact {
	return append(r.Facts(), eval.Fact{Name: "carbon factor", Value: factorText(r.Factor)})
}
