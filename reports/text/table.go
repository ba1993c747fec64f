package text

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// nameWidth keeps the tables within 80 columns.
const nameWidth = 24

// WriteTable writes what a run came to for the terminal: quality, what the
// models know beyond it, time and energy, then what the replies are like, each
// within 80 columns, and below them the headlines and warnings. An energy stands with how it was obtained, and with its bounds
// where it was not measured whole.
func WriteTable(w io.Writer, r reports.Report, color bool) error {
	var b strings.Builder
	paint := painter(color)
	quality := grid{}
	quality.add("Model", "EM [95 %]", "Cosine", "ROUGE-L", "Failed")
	cost := grid{left: map[int]bool{5: true}}
	cost.add("Model", "Seconds", "Tokens/s", "Energy", "CO2e", "The energy is")
	answers := grid{}
	answers.add("Model", "Replies", "Tokens each", "Cut short", "Empty", "EM by chance")
	for _, m := range r.Models {
		name := fit(m.Model.Name, nameWidth)
		quality.add(name, meanInterval(m.Metric(metrics.EM)), m.Metric(metrics.Cosine).MeanText(),
			m.Metric(metrics.RougeLF1).MeanText(), failed(m))
		cost.add(name, reports.Seconds(m.DurationS), reports.PerSecond(m.TokensPerS), reports.WattHours(m.Energy.Wh),
			reports.CO2e(m.EmissionsKg), energyMark(m))
		answers.add(name, fmt.Sprint(m.Replies), reports.Significant(m.Lengths.MeanTokens, 3), fmt.Sprint(m.Lengths.ByLength),
			fmt.Sprint(m.Lengths.Empty), reports.Fixed(m.Metric(metrics.EM).Chance, reports.Decimals(metrics.EM)))
	}
	grids := []grid{quality}
	if rows := probabilities(r); rows != nil {
		grids = append(grids, gridOf(rows))
	}
	for i, g := range append(grids, cost, answers) {
		if i > 0 {
			b.WriteString("\n")
		}
		g.write(&b, paint)
	}
	if r.Status != reports.Complete {
		b.WriteString("\n" + paint.yellow("The run is "+string(r.Status)+": not every query has an outcome.") + "\n")
	}
	lines(&b, "", r.Headlines)
	lines(&b, "", bothWrong(r))
	lines(&b, paint.yellow("! "), warnings(r))
	_, err := io.WriteString(w, b.String())
	return err
}

func lines(b *strings.Builder, mark string, texts []string) {
	if len(texts) > 0 {
		b.WriteString("\n")
	}
	for _, t := range texts {
		b.WriteString(mark + reports.Line(t) + "\n")
	}
}

// warnings are the run's, and what the audit finds.
func warnings(r reports.Report) []string { return slices.Concat(r.Warnings, r.Audit) }

func meanInterval(m reports.Metric) string {
	if m.Value() == nil {
		return reports.None
	}
	return m.MeanText() + " " + m.IntervalText()
}

func failed(m reports.Model) string {
	if m.Missing == 0 {
		return fmt.Sprint(m.Failures)
	}
	return fmt.Sprintf("%d, %d missing", m.Failures, m.Missing)
}

// energyMark says how an energy was obtained.
func energyMark(m reports.Model) string {
	e := m.Energy
	mark := reports.Line(e.How())
	if m.Reused != nil {
		mark += ", reused"
	}
	if e.Wh != nil && e.Quality != emissions.Measured && e.LowWh != nil && e.HighWh != nil {
		mark += ", " + reports.WattHours(e.LowWh) + " to " + reports.WattHours(e.HighWh)
	}
	return mark
}
