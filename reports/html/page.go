package html

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// page is what the templates show.
type page struct {
	reports.Report
	lib  library
	own  own
	Many bool // the replies are too many to stand in the page as they are

	Compare     []group // the comparison table
	Scores      []figure
	Tradeoffs   []figure
	Heat        []figure
	Cosines     []figure
	Latencies   []figure
	OverTime    []figure
	PowerCharts []figure
	Verdict     *verdict // nil where nobody judged
	Paired      []figure
	Floor       []figure
	Bits        []figure
	BothWrong   table
	Silent      table
	Distance    table // fidelity
	Origin      []fact
	Settings    table // what differs between models
	FailTable   table
	ReviewRows  table
	MachineRows table
	Trend       *trend   // nil for a single run
	Changes     *changes // nil but for two runs
}

// fact is one line of a list.
type fact struct{ Name, Value string }

// table is plain text in rows; the first cell of a row names it.
type table struct {
	Head []string
	Rows [][]string
}

// figure is a chart with its text alternative.
type figure struct {
	ID     string
	Title  string
	Note   string // what it shows and how to read it
	Height int    // CSS pixels
	Table  table
	Open   bool           // the table is shown from the start
	option map[string]any // of ECharts
}

func newPage(r reports.Report, runs []reports.Report, lib library) page {
	many := tooMany(r)
	p := page{Report: r, lib: lib, own: ownOf(many), Many: many,
		Compare:     comparison(r),
		Scores:      figures(scoreChart(r)),
		Tradeoffs:   append(figures(energyTradeoff(r), timeTradeoff(r)), ladderFigures(r)...),
		Heat:        figures(categoryChart(r)),
		Cosines:     cosineHistograms(r),
		Latencies:   latencyHistograms(r),
		OverTime:    figures(energyChart(r)),
		PowerCharts: powerCharts(r),
		Verdict:     newVerdict(r.Judgement),
		Paired:      figures(pairedChart(r)),
		Floor:       figures(floorChart(r)),
		Bits:        append(bitsCharts(r), figures(rankChart(r))...),
		BothWrong:   bothWrong(r),
		Silent:      silent(r),
		Distance:    fidelityTable(r),
		Origin:      origin(r),
		Settings:    settings(r),
		FailTable:   failures(r),
		ReviewRows:  reviews(r.Reviews),
		MachineRows: machines(r.Machines),
	}
	if len(runs) > 1 {
		p.Trend = newTrend(runs)
	}
	return p
}

// tooMany reports whether a page cannot hold the replies as they are.
func tooMany(r reports.Report) bool {
	n := 0
	for _, m := range r.Models {
		n += m.Replies + m.Failures
	}
	return n > fewReplies
}

// figures keeps the charts that have something to show.
func figures(all ...*figure) []figure {
	var out []figure
	for _, f := range all {
		if f != nil {
			out = append(out, *f)
		}
	}
	return out
}

// figures are all charts of the page in its order.
func (p page) figures() []figure {
	all := slices.Concat(p.Scores, p.Tradeoffs, p.Heat, p.Cosines, p.Latencies, p.OverTime, p.PowerCharts, p.Paired, p.Bits, p.Floor)
	if p.Trend != nil {
		all = append(all, p.Trend.Charts...)
	}
	return all
}

// Failed tells whether any model has failures, missing replies or gave up.
func (p page) Failed() bool {
	return slices.ContainsFunc(p.Models, func(m reports.Model) bool {
		return m.Failures > 0 || m.Missing > 0 || m.GaveUp != ""
	})
}

// Prompted tells whether prompt and reply were scored together.
func (p page) Prompted() bool { return p.Scoring != nil && p.Scoring.Scoring.IncludePrompt }

func (p page) When() string { return stamp(p.Created) }

func stamp(t time.Time) string {
	if t.IsZero() {
		return reports.None
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// origin lists where the run's numbers come from.
func origin(r reports.Report) []fact {
	facts := []fact{
		{"Run", r.RunID},
		{"Created", stamp(r.Created)},
		{"disteval", r.ToolVersion},
		{"Plan hash", r.PlanHash},
		{"Models file", r.Plan.Source},
		{"Queries", fmt.Sprintf("%s, %d, sha256 %s", r.Queries.Label(), r.Queries.N, r.Queries.SHA256)},
		{"Requests in flight", strconv.Itoa(r.Plan.Parallel)},
		{"Host", fmt.Sprintf("%s, %s/%s, %s, %d logical CPUs, %s GiB memory",
			r.Host.Hostname, r.Host.OS, r.Host.Arch, r.Host.CPUModel, r.Host.CPUs, reports.Fixed(&r.Host.MemoryGB, 1))},
		{"Scoring", scoringText(r.Scoring)},
		{"Energy method asked for", r.Plan.Emissions.Method},
		{"Carbon factor", factorText(r.Factor)},
		{"PUE", reports.Exact(r.PUE)},
	}
	for i := range facts {
		if strings.TrimSpace(facts[i].Value) == "" {
			facts[i].Value = reports.None
		}
	}
	return facts
}

func scoringText(s *eval.ScoringRecord) string {
	if s == nil {
		return "not scored yet"
	}
	scored := "the reply alone"
	if s.Scoring.IncludePrompt {
		scored = "prompt + reply"
	}
	return fmt.Sprintf("number %d of %s: %s, embedding %s", s.ID, stamp(s.Created), scored, s.Scoring.Embedding)
}

func factorText(f *emissions.CarbonFactor) string {
	if f == nil {
		return "none: no country or carbon intensity was given, so no CO2e is stated"
	}
	where := f.Country
	if where == "" {
		where = f.ISO3
	}
	text := reports.Exact(f.GPerKWh) + " gCO2e/kWh"
	for _, part := range []string{where, yearText(f.Year), f.Source} {
		if part != "" {
			text += ", " + part
		}
	}
	return text
}

func yearText(year int) string {
	if year == 0 {
		return ""
	}
	return strconv.Itoa(year)
}

// settings is each model's identity and options, a column per model.
func settings(r reports.Report) table {
	rows := []struct {
		name string
		of   func(reports.Model) string
	}{
		{"Role", func(m reports.Model) string { return string(m.Model.Role) }},
		{"Provider", func(m reports.Model) string { return providerText(m.Model) }},
		{"Model", func(m reports.Model) string { return m.Model.Model }},
		{"Digest", func(m reports.Model) string { return m.Model.Digest }},
		{"Source", func(m reports.Model) string { return m.Model.Source }},
		{"Parameters", func(m reports.Model) string { return m.Model.Parameters + " " + m.Model.Quantization }},
		{"Server", func(m reports.Model) string { return m.Model.Host }},
		{"Reused", reusedText},
		{"Options", func(m reports.Model) string { return optionsText(m.Model.Generation) }},
		{"Template", func(m reports.Model) string { return m.Model.Template }},
		{"Energy", func(m reports.Model) string { return m.Energy.How() }},
		{"Energy zones", func(m reports.Model) string { return zonesText(m.Energy.Zones) }},
		{"Energy notes", energyNotes},
	}
	t := table{Head: append([]string{""}, modelNames(r)...)}
	for _, row := range rows {
		cells := []string{row.name}
		for _, m := range r.Models {
			value := strings.Trim(row.of(m), " ,")
			if value == "" {
				value = reports.None
			}
			cells = append(cells, value)
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

func reusedText(m reports.Model) string {
	if m.Reused == nil {
		return ""
	}
	return m.Reused.String()
}

// providerText names a provider once: a version may begin with its name.
func providerText(m eval.Model) string {
	if strings.HasPrefix(m.ProviderVersion, m.Provider) {
		return m.ProviderVersion
	}
	return m.Provider + " " + m.ProviderVersion
}

func optionsText(g eval.Generation) string {
	b, err := json.Marshal(g)
	if err != nil {
		return err.Error() // a NaN option: shown, never hidden
	}
	text := strings.NewReplacer(`"`, "", ":", " ", ",", ", ").Replace(string(b))
	return strings.Trim(text, "{}")
}

func zonesText(zones []emissions.Zone) string {
	var parts []string
	for _, z := range zones {
		j := z.Energy.Joules()
		part := z.Name + " " + reports.SI(&j, "J")
		if !z.Counted {
			part += " (not counted)"
		}
		if z.Note != "" {
			part += " (" + z.Note + ")"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}

func energyNotes(m reports.Model) string {
	notes := append([]string{}, m.Energy.Reason)
	for _, g := range m.Energy.Gaps {
		notes = append(notes, fmt.Sprintf("%s not read from %s to %s: %s", g.Zone,
			g.Start.UTC().Format(time.TimeOnly), g.End.UTC().Format(time.TimeOnly), g.Reason))
	}
	notes = append(notes, m.Energy.Warnings...)
	notes = slices.DeleteFunc(notes, func(s string) bool { return s == "" })
	return strings.Join(notes, "; ")
}

// failures counts what has no answer, by model and kind.
func failures(r reports.Report) table {
	t := table{Head: []string{"Model", "Answers", "Failures", "Of which", "Without an outcome", "Given up"}}
	for _, m := range r.Models {
		kinds := make([]string, 0, len(m.FailKinds))
		for kind, n := range m.FailKinds {
			kinds = append(kinds, fmt.Sprintf("%s %d", kind, n))
		}
		slices.Sort(kinds)
		t.Rows = append(t.Rows, []string{m.Model.Name, strconv.Itoa(m.Replies), strconv.Itoa(m.Failures),
			orNone(strings.Join(kinds, ", ")), strconv.Itoa(m.Missing), orNone(m.GaveUp)})
	}
	return t
}

// reviews is how people agree with em and with each other.
func reviews(s *reports.ReviewSummary) table {
	t := table{Head: []string{"Raters", "Replies rated by both", "Rated alike", "Cohen's kappa", "95 % interval"}}
	if s == nil {
		return t
	}
	for _, a := range slices.Concat(s.WithEM, s.Between) {
		t.Rows = append(t.Rows, []string{a.A + " and " + a.B, strconv.Itoa(a.N), a.ObservedText(), a.KappaText(), a.IntervalText()})
	}
	return t
}

func orNone(s string) string {
	if s == "" {
		return reports.None
	}
	return s
}

func modelNames(r reports.Report) []string {
	var names []string
	for _, m := range r.Models {
		names = append(names, m.Model.Name)
	}
	return names
}

// PublishedCells are two lines per published model: theirs and this run's.
func (p page) PublishedCells() [][]string {
	var out [][]string
	for _, row := range p.Published {
		out = append(out, []string{row.Model, "published", reports.Seconds(&row.DurationS), reports.KgCO2e(&row.EmissionsKg),
			reports.Fixed(&row.EM, 3), reports.Fixed(&row.Cosine, 4), reports.Fixed(&row.Rouge, 4)})
		if row.Ours < 0 || row.Ours >= len(p.Models) {
			continue
		}
		m := p.Models[row.Ours]
		out = append(out, []string{m.Model.Name, "this run", reports.Seconds(m.DurationS), reports.KgCO2e(m.EmissionsKg),
			m.Metric(metrics.EM).MeanText(), m.Metric(metrics.Cosine).MeanText(), m.Metric(metrics.RougeLF1).MeanText()})
	}
	return out
}

// machines lists what every host answered, by model.
func machines(all []reports.Machine) table {
	t := table{Head: []string{"Host", "Kind", "Model", "Replies", "Failed", "Busy (s)", "Wall (s)", "Latency p50 (ms)", "p95 (ms)", "Energy (Wh)", "Energy is"}}
	for _, m := range all {
		for _, s := range m.Seats {
			t.Rows = append(t.Rows, []string{m.Name, m.Fingerprint, s.Model, strconv.Itoa(s.Replies), strconv.Itoa(s.Failures), reports.Seconds(s.BusyS), reports.Seconds(s.WallS),
				reports.Fixed(s.LatencyMS.P50, 0), reports.Fixed(s.LatencyMS.P95, 0), reports.Wh(s.EnergyWh), strings.TrimSuffix(string(s.Quality)+": "+s.Reason, ": ")})
		}
	}
	return t
}
