package reports

import (
	"slices"
	"strings"

	"github.com/disteval/disteval/emissions/audit"
	"github.com/disteval/disteval/emissions/grid"
)

// publishedTable is the table that the comparison of October 2024 printed
// (200 queries, CodeCarbon, Melbourne), and the row that its authors published
// for their earlier student.
var publishedTable = []struct {
	PublishedRow
	hub string // the repository of its weights
}{
	{PublishedRow{Model: "LLaMA-2-7B-HF", DurationS: 18215.61, EmissionsKg: 1.84e-01, EM: 0.715, Cosine: 0.7257, Rouge: 0.0821}, "meta-llama/Llama-2-7b-hf"},
	{PublishedRow{Model: "baby-llama-58m", DurationS: 57.20, EmissionsKg: 2.73e-06, EM: 0.025, Cosine: 0.6556, Rouge: 0.0097}, "timinar/baby-llama-58m"},
	{PublishedRow{Model: "DistilLlama", DurationS: 77.12, EmissionsKg: 7.79e-04, EM: 0.02, Cosine: 0.6623, Rouge: 0.0115}, "HenryHHHH/DistilLlama"},
	{PublishedRow{Model: "DistilLlamaV1", DurationS: 78.46, EmissionsKg: 8.49e-04, EM: 0.065, Cosine: 0.6776, Rouge: 0.0135}, "HenryHHHH/DistilLlamaV1"},
}

// publishedTeacher begins the names that the table's teacher has in Ollama's
// library.
const publishedTeacher = "llama2:7b"

// published lists the rows whose weights a model of this run states as its
// source, whatever the model is called. The teacher is many people's: its row
// is shown beside another one only.
func published(models []Model) []PublishedRow {
	var out []PublishedRow
	students := false
	for at, row := range publishedTable {
		for i, m := range models {
			teacher := at == 0 && strings.HasPrefix(strings.ToLower(m.Model.Model), publishedTeacher)
			if teacher || strings.EqualFold(hubOf(m.Model.Source), row.hub) {
				row.Ours = i
				out = append(out, row.PublishedRow)
				students = students || at > 0
			}
		}
	}
	if !students {
		return nil
	}
	return out
}

// hubOf is the repository OWNER/NAME that a source names, without revision.
func hubOf(source string) string {
	repository, _, _ := strings.Cut(strings.TrimPrefix(source, "hf://"), "@")
	return strings.Trim(repository, "/")
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
