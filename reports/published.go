package reports

import (
	"slices"
	"strings"

	"github.com/disteval/disteval/emissions/audit"
	"github.com/disteval/disteval/emissions/grid"
)

// publishedTable is the table that the comparison of October 2024 printed:
// 200 queries, CodeCarbon, Melbourne.
var publishedTable = []PublishedRow{
	{Model: "LLaMA-2-7B-HF", DurationS: 18215.61, EmissionsKg: 1.84e-01, EM: 0.715, Cosine: 0.7257, Rouge: 0.0821},
	{Model: "baby-llama-58m", DurationS: 57.20, EmissionsKg: 2.73e-06, EM: 0.025, Cosine: 0.6556, Rouge: 0.0097},
	{Model: "DistilLlama", DurationS: 77.12, EmissionsKg: 7.79e-04, EM: 0.02, Cosine: 0.6623, Rouge: 0.0115},
}

// published lists the rows whose model this run has too, by name without
// regard to case and to the suffix -HF.
func published(models []Model) []PublishedRow {
	plain := func(s string) string { return strings.TrimSuffix(strings.ToLower(s), "-hf") }
	var out []PublishedRow
	for _, row := range publishedTable {
		for i, m := range models {
			if plain(m.Model.Name) == plain(row.Model) {
				row.Ours = i
				out = append(out, row)
			}
		}
	}
	return out
}

// audited says what the audit finds in the published rows that stand beside
// this run, and which of this run's own figures cannot be.
func audited(r Report) ([]string, error) {
	factors := audit.Factors(grid.All())
	var out []string
	if len(r.Published) > 0 {
		rows, err := audit.Parse(audit.Published(), grid.Lookup)
		if err != nil {
			return nil, err
		}
		for _, f := range audit.Analyse(rows, factors).Findings {
			if slices.ContainsFunc(r.Published, func(p PublishedRow) bool { return p.Model == f.Row.Name }) {
				out = append(out, said("published", f)...)
			}
		}
	}
	for _, f := range audit.Analyse(auditRows(r), factors).Findings {
		out = append(out, said("this run", f)...)
	}
	return out, nil
}

func said(where string, f audit.Finding) []string {
	var out []string
	for _, s := range f.Sentences() {
		out = append(out, where+", "+f.Row.Name+": "+s)
	}
	return out
}

// auditRows are this run's durations and emissions. They are exact, so that
// two models of equal power do not pass for one assumed constant.
func auditRows(r Report) []audit.Row {
	exact := func(v float64) audit.Printed { return audit.Printed{Text: Exact(v), Value: v} }
	var rows []audit.Row
	for _, m := range r.Models {
		if m.DurationS == nil || *m.DurationS <= 0 || m.EmissionsKg == nil || m.Energy.Wh == nil {
			continue
		}
		kwh := exact(*m.Energy.Wh / 1000)
		rows = append(rows, audit.Row{Name: m.Model.Name, Duration: exact(*m.DurationS), Emissions: exact(*m.EmissionsKg),
			EnergyKWh: &kwh, Country: r.Factor.ISO3})
	}
	return rows
}
