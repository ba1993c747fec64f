package html

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/opts"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
)

// mostLines is how many zones a chart draws, one a colour; the table has all.
const mostLines = colors

// parts are what the shading tells apart, with the name and colour of each.
var parts = map[eval.PhaseName]struct{ name, color string }{
	eval.PhaseLoad:   {"loading", "var(--c3)"},
	eval.PhaseWarmup: {"warm-up", "var(--c3)"},
	eval.PhaseUnload: {"unloading", "var(--c3)"},
	eval.PhaseAnswer: {"answering", "var(--c2)"},
	eval.PhaseProbe:  {"probing", "var(--c4)"},
	reports.Idle:     {"idle", "var(--muted)"},
}

// powerCharts are the power over time of each machine.
func powerCharts(r reports.Report) []figure {
	var out []figure
	for i, p := range r.Power {
		out = append(out, *powerChart("power-"+strconv.Itoa(i), p))
	}
	return out
}

func powerChart(id string, p reports.Power) *figure {
	f := &figure{ID: id, Title: "Power over time", Height: 380, Note: powerNote(p), Table: powerTable(p)}
	if p.Place != "" {
		f.Title += " at " + p.Place
	}
	chart := charts.NewLine()
	for i, z := range p.Zones[:min(mostLines, len(p.Zones))] {
		style := opts.LineStyle{Color: color(i), Width: 2}
		if z.Estimated {
			style.Type = "dashed"
		}
		options := []charts.SeriesOpts{painted(i), charts.WithLineStyleOpts(style), charts.WithLineChartOpts(opts.LineChart{Symbol: "none", Step: "start"})}
		if i == 0 {
			options = append(options, shaded(p))
		}
		chart.AddSeries(zoneName(z), powerLine(p, z), options...)
	}
	chart.SetGlobalOptions(valueAxis("metered time (s)"), charts.WithYAxisOpts(opts.YAxis{Type: "value", Name: "W", Min: 0}),
		charts.WithTooltipOpts(opts.Tooltip{Trigger: "axis"}))
	chart.XAxisList[0].Max = p.Ends[len(p.Ends)-1]
	f.option = chart.JSON()
	return f
}

// powerLine draws each step from its begin to its end. What is not known is a
// gap: a point without a place, since ECharts draws a step from any other.
func powerLine(p reports.Power, z reports.PowerZone) []opts.LineData {
	var line []opts.LineData
	begin, drawn := 0.0, false
	for step, end := range p.Ends {
		w := z.W[step]
		switch {
		case w == nil && drawn:
			line = append(line, opts.LineData{Value: []any{"-", "-"}})
		case w != nil && !drawn:
			line = append(line, opts.LineData{Value: []any{begin, *w}})
		}
		if drawn = w != nil; drawn {
			line = append(line, opts.LineData{Value: []any{end, *w}})
		}
		begin = end
	}
	return line
}

// shaded marks what went on, and where a session begins.
func shaded(p reports.Power) charts.SeriesOpts {
	last := p.Ends[len(p.Ends)-1]
	var areas, lines []any
	for _, part := range p.Parts {
		look := parts[part.Name]
		area := map[string]any{"xAxis": part.Start, "itemStyle": map[string]any{"color": look.color, "opacity": 0.14}, "label": map[string]any{"show": false}}
		if part.End-part.Start >= last/12 { // narrower, its name covers its neighbours
			area["name"] = look.name
			area["label"] = map[string]any{"color": "var(--muted)", "fontSize": 11}
		}
		areas = append(areas, []any{area, map[string]any{"xAxis": part.End}})
	}
	for i, s := range p.Sessions {
		if i > 0 {
			lines = append(lines, map[string]any{"xAxis": s.Start, "name": "resumed"})
		}
	}
	return charts.WithSeriesOpts(func(s *charts.SingleSeries) {
		s.MarkAreas = &opts.MarkAreas{Data: areas}
		if len(lines) > 0 {
			s.MarkLines = &opts.MarkLines{Data: lines, MarkLineStyle: opts.MarkLineStyle{Symbol: []string{"none", "none"},
				Label: &opts.Label{Formatter: "{b}", Color: "var(--ink)"}, LineStyle: &opts.LineStyle{Color: "var(--ink)", Type: "dashed"}}}
		}
	})
}

func zoneName(z reports.PowerZone) string {
	name := reports.Clip(reports.Visible(z.Name), 40)
	if z.Estimated {
		name += ", estimated"
	}
	if !z.Counted {
		name += " (not in the sum)"
	}
	return name
}

// powerNote says how the chart is read and what was left out.
func powerNote(p reports.Power) string {
	notes := []string{"Mean power of every zone, step by step. The shading tells what went on; a gap in a line is a time in which its zone was not read."}
	for _, z := range p.Zones {
		if z.Estimated {
			notes = append(notes, "Dashed zones are estimated.")
			break
		}
	}
	if n := len(p.Sessions); n > 1 {
		notes = append(notes, fmt.Sprintf("The run was resumed: between its %d sessions the clock stands still.", n))
	}
	if p.Kept > len(p.Ends) {
		notes = append(notes, fmt.Sprintf("The %d steps of the record are joined to %d.", p.Kept, len(p.Ends)))
	}
	if n := len(p.Zones) - mostLines; n > 0 {
		notes = append(notes, fmt.Sprintf("%d more zones are in the table alone.", n))
	}
	if p.Left > 0 {
		notes = append(notes, fmt.Sprintf("The record left out %d zones.", p.Left))
	}
	return strings.Join(notes, " ")
}

func powerTable(p reports.Power) table {
	t := table{Head: []string{"Zone", "Model", "While", "Time (s)", "Mean (W)", "Highest step (W)", "Not read (s)"}}
	for _, f := range p.Figures() {
		t.Rows = append(t.Rows, []string{zoneName(f.Zone), orNone(f.Model), parts[f.Part].name, reports.Seconds(&f.Seconds),
			reports.Significant(f.MeanW, 4), reports.Significant(f.PeakW, 4), reports.Seconds(&f.UnknownS)})
	}
	return t
}

// PartSwatch is one colour of the shading.
type PartSwatch struct{ Class, Name string }

// PowerKey explains the shading.
func (page) PowerKey() []PartSwatch {
	return []PartSwatch{{"c2", "answering"}, {"c3", "loading, warm-up and unloading"}, {"c4", "probing"}, {"rest", "idle"}}
}
