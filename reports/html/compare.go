package html

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/reports"
)

// group is a titled part of the comparison table.
type group struct {
	Title string
	Rows  []row
}

// row is one figure of every model.
type row struct {
	Title, Unit string
	Cells       []cell
}

// cell is one figure of one model.
type cell struct {
	Main   string
	Sub    string // interval or bounds
	Note   string // against the reference
	Class  string // better, worse or even: how Note stands
	Model  string // with Filter: a link to the replies behind the figure
	Filter string // such as outcome=right
}

// Link leads to the replies behind the figure.
func (c cell) Link() string {
	return "#" + c.Filter + "&model=" + strings.ReplaceAll(url.QueryEscape(c.Model), "+", "%20")
}

// comparison is the table of every figure by model.
func comparison(r reports.Report) []group {
	return []group{
		{"Quality", qualityRows(r)},
		{"Outcomes", outcomeRows(r)},
		{"Time", timeRows(r)},
		{"Energy and emissions", energyRows(r)},
	}
}

func rowOf(r reports.Report, title, unit string, of func(reports.Model) cell) row {
	out := row{Title: title, Unit: unit}
	for _, m := range r.Models {
		out.Cells = append(out.Cells, of(m))
	}
	return out
}

func qualityRows(r reports.Report) []row {
	var rows []row
	for _, metric := range metrics.All() {
		rows = append(rows, rowOf(r, metric.Title, "", func(m reports.Model) cell { return metricCell(r, m, metric) }))
	}
	return rows
}

func metricCell(r reports.Report, m reports.Model, metric metrics.Metric) cell {
	x := m.Metric(metric.Name)
	c := cell{Main: x.MeanText(), Sub: x.IntervalText()}
	if c.Sub == reports.None {
		c.Sub = ""
	}
	if x.BoundedN > 0 {
		c.Sub += fmt.Sprintf(" %d are bounds", x.BoundedN)
	}
	if x.N != m.Replies {
		c.Sub += fmt.Sprintf(" n = %d", x.N)
	}
	if x.Chance != nil {
		c.Sub += " by chance " + reports.Fixed(x.Chance, reports.Decimals(x.Name))
	}
	if metric.Name == metrics.EM && x.N > 0 {
		c.Model, c.Filter = m.Model.Name, "outcome=right"
	}
	if d, ok := comparisonOf(r, metric.Name, m.Model.Name); ok && d.N > 0 {
		c.Note, c.Class = differenceText(d), standing(d)
	}
	return c
}

func comparisonOf(r reports.Report, metric, model string) (reports.Comparison, bool) {
	for _, c := range r.Comparisons {
		if c.Metric == metric && c.Model == model {
			return c, true
		}
	}
	return reports.Comparison{}, false
}

func differenceText(c reports.Comparison) string {
	s := reports.Signed(c.Delta(), reports.Decimals(c.Metric))
	if c.Delta() == nil {
		s = fmt.Sprintf("%d higher, %d lower, %d open", c.Wins, c.Losses, c.Undecided)
	}
	if c.HasInterval {
		s += " " + reports.Interval(&c.Lo, &c.Hi, reports.Decimals(c.Metric))
	}
	return s + ", p " + equals(reports.PValue(&c.P)) + ", corrected " + equals(reports.PValue(c.PHolm))
}

// equals puts the sign before a p-value that does not bring its own.
func equals(p string) string {
	if p != "" && p[0] == '<' {
		return p
	}
	return "= " + p
}

// standing says whether a difference is told from noise, and which way.
func standing(c reports.Comparison) string {
	m, _ := metrics.Named(c.Metric)
	direction := c.Difference
	if c.Delta() == nil {
		direction = float64(c.Wins - c.Losses)
	}
	switch {
	case c.PHolm == nil || *c.PHolm >= 1-stat.Confidence:
		return "even"
	case (direction < 0) == (m.Better == metrics.Lower):
		return "better"
	}
	return "worse"
}

func outcomeRows(r reports.Report) []row {
	count := func(title string, of func(reports.Model) int, filter string) row {
		return rowOf(r, title, "", func(m reports.Model) cell {
			c := cell{Main: strconv.Itoa(of(m))}
			if filter != "" && of(m) > 0 {
				c.Model, c.Filter = m.Model.Name, filter
			}
			return c
		})
	}
	return []row{
		count("Replies", func(m reports.Model) int { return m.Replies }, ""),
		count("Failures", func(m reports.Model) int { return m.Failures }, "outcome=failed"),
		count("Without an outcome", func(m reports.Model) int { return m.Missing }, ""),
		count("Cut by length", func(m reports.Model) int { return m.Lengths.ByLength }, ""),
		count("Empty", func(m reports.Model) int { return m.Lengths.Empty }, ""),
		count("Keyword negated", func(m reports.Model) int { return m.Negated }, "flag=negated"),
		count("EM and substring disagree", func(m reports.Model) int { return m.Disagree }, "flag=em_disagrees"),
	}
}

func threeDigits(x *float64) string { return reports.Significant(x, 3) }

func timeRows(r reports.Report) []row {
	plain := func(title, unit string, text func(*float64) string, of func(reports.Model) *float64) row {
		return rowOf(r, title, unit, func(m reports.Model) cell { return cell{Main: text(of(m))} })
	}
	return []row{
		plain("Duration", "s", reports.Seconds, func(m reports.Model) *float64 { return m.DurationS }),
		plain("per answered query", "s", threeDigits, func(m reports.Model) *float64 { return m.SecondsPerReply }),
		plain("Tokens per reply", "", threeDigits, func(m reports.Model) *float64 { return m.Lengths.MeanTokens }),
		plain("Characters per reply", "", threeDigits, func(m reports.Model) *float64 { return m.Lengths.MeanChars }),
		plain("Tokens per second", "1/s", reports.PerSecond, func(m reports.Model) *float64 { return m.TokensPerS }),
		plain("Latency, median", "ms", reports.PerSecond, func(m reports.Model) *float64 { return m.LatencyMS.P50 }),
		plain("Latency, 95th percentile", "ms", reports.PerSecond, func(m reports.Model) *float64 { return m.LatencyMS.P95 }),
		plain("Latency, 99th percentile", "ms", reports.PerSecond, func(m reports.Model) *float64 { return m.LatencyMS.P99 }),
		plain("Load", "s", reports.Seconds, func(m reports.Model) *float64 { return m.LoadS }),
		plain("Warm-up", "s", reports.Seconds, func(m reports.Model) *float64 { return m.WarmupS }),
		plain("Unload", "s", reports.Seconds, func(m reports.Model) *float64 { return m.UnloadS }),
	}
}

func energyRows(r reports.Report) []row {
	with := func(title, unit string, of func(reports.Model) *float64) row {
		return rowOf(r, title, "", func(m reports.Model) cell { return cell{Main: reports.SI(of(m), unit)} })
	}
	return []row{
		rowOf(r, "Energy", "", energyCell),
		with("per 1,000 queries", "Wh", func(m reports.Model) *float64 { return m.Energy.WhPer1000 }),
		with("per right reply", "Wh", func(m reports.Model) *float64 { return m.Energy.WhPerCorrect }),
		with("per token", "J", func(m reports.Model) *float64 { return m.Energy.JPerToken }),
		with("Mean power", "W", func(m reports.Model) *float64 { return m.Energy.MeanW }),
		with("Energy above idle", "Wh", func(m reports.Model) *float64 { return m.Energy.AboveIdleWh }),
		rowOf(r, "Server's share of CPU time", "", func(m reports.Model) cell {
			return cell{Main: reports.Percent(m.Energy.ServerShare, 1)}
		}),
		with("Energy by that share", "Wh", func(m reports.Model) *float64 { return m.Energy.ServerWh }),
		rowOf(r, "Emissions", "CO2e", func(m reports.Model) cell { return cell{Main: reports.CO2e(m.EmissionsKg)} }),
		rowOf(r, "per 1,000 queries", "CO2e", func(m reports.Model) cell { return cell{Main: reports.SI(m.GPer1000, "g")} }),
	}
}

// energyCell states how a model's energy is known, its bounds where it is not
// measured, and why where it does not exist.
func energyCell(m reports.Model) cell {
	e := m.Energy
	c := cell{Main: reports.WattHours(e.Wh), Note: e.How()}
	if e.Reason != "" {
		c.Note += ": " + e.Reason
	}
	if e.LowWh != nil && e.HighWh != nil && e.Quality != emissions.Measured {
		c.Sub = "[" + reports.WattHours(e.LowWh) + ", " + reports.WattHours(e.HighWh) + "]"
	}
	return c
}

// comparableEnergy tells whether the energies of all models that have one
// were obtained alike, so that ranking them makes sense.
func comparableEnergy(r reports.Report) bool {
	var first *emissions.Quality
	var method string
	for _, m := range r.Models {
		switch {
		case m.Energy.Wh == nil:
		case first == nil:
			first, method = &m.Energy.Quality, m.Energy.Method
		case *first != m.Energy.Quality || method != m.Energy.Method:
			return false
		}
	}
	return true
}
