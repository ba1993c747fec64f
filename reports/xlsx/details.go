package xlsx

import (
	"strings"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
)

// comparisons writes every model against the reference, what quantisations keep,
// and the published table beside this run where names match.
func (b *workbook) comparisons(r reports.Report) error {
	type C = reports.Comparison
	blocks := []block{table("", []field[C]{
		col("Metric", text, func(c C) any { return c.Title }),
		col("Model", text, func(c C) any { return c.Model }),
		col("Reference", text, func(c C) any { return c.Reference }),
		col("Pairs", count, func(c C) any { return c.N }),
		col("Difference of means", score, func(c C) any { return compared(c.Delta() != nil, c.Metric, c.Difference) }).ruled(signed),
		col("Difference 95 % low", score, func(c C) any { return compared(c.HasInterval, c.Metric, c.Lo) }),
		col("Difference 95 % high", score, func(c C) any { return compared(c.HasInterval, c.Metric, c.Hi) }),
		col("p", chance, func(c C) any { return given(c.N > 0, c.P) }),
		col("p, Holm-corrected", chance, func(c C) any { return value(c.PHolm) }).ruled(smallP),
		col("Pairs won", count, func(c C) any { return c.Wins }),
		col("Pairs lost", count, func(c C) any { return c.Losses }),
		col("Pairs tied", count, func(c C) any { return c.Ties }),
		col("Test", text, func(c C) any { return c.Test }),
		col("Interval", text, func(c C) any { return optional(c.Method) }),
		col("Warnings", text, func(c C) any { return optional(strings.Join(c.Warnings, "; ")) }),
	}, r.Comparisons)}
	blocks = append(blocks, ladders(r.Ladders)...)
	if len(r.Published) > 0 {
		blocks = append(blocks, published(r))
	}
	return b.write("Comparisons", blocks, nil)
}

// compared is a figure of a comparison, where it exists.
func compared(exists bool, metric string, v float64) any {
	if given(exists, v) == nil {
		return nil
	}
	return measured{metric, v}
}

func published(r reports.Report) block {
	type P = reports.PublishedRow
	ours := func(of func(reports.Model) any) func(P) any {
		return func(p P) any { return of(r.Models[p.Ours]) }
	}
	mean := func(metric string) func(P) any { return ours(metricFields(metric)[0].of) }
	return table("Published figures beside this run's", []field[P]{
		col("Model", text, func(p P) any { return p.Model }),
		col("Duration published (s)", seconds, func(p P) any { return finite(p.DurationS) }),
		col("Duration here (s)", seconds, ours(func(m reports.Model) any { return value(m.DurationS) })),
		col("kg CO2e published", general, func(p P) any { return finite(p.EmissionsKg) }),
		col("kg CO2e here", general, ours(func(m reports.Model) any { return value(m.EmissionsKg) })),
		col("EM published", share, func(p P) any { return finite(p.EM) }),
		col("EM here", share, mean(headline[0])),
		col("Cosine published", score, func(p P) any { return finite(p.Cosine) }),
		col("Cosine here", score, mean(headline[1])),
		col("ROUGE published", score, func(p P) any { return finite(p.Rouge) }),
		col("ROUGE-L F1 here", score, mean(headline[2])),
	}, r.Published)
}

// categories writes em by category and model.
func (b *workbook) categories(r reports.Report) error {
	type C = reports.Category
	fields := []field[C]{
		col("Category", text, func(c C) any { return c.Name }),
		col("Queries", count, func(c C) any { return c.N }),
	}
	for i, m := range r.Models {
		fields = append(fields, col(m.Model.Name+" EM", share, func(c C) any { return value(c.EM[i]) }).ruled(upToOne))
	}
	return b.write("Categories", []block{table("", fields, r.Categories)}, func(s *sheet) error {
		return s.categoryChart(len(r.Categories), len(r.Models))
	})
}

// energy writes what each model's answering took, and what was read to know.
func (b *workbook) energy(r reports.Report) error {
	blocks := []block{table("", energyFields(), r.Models)}
	if z := zones(r.Models); len(z.rows) > 0 {
		blocks = append(blocks, z)
	}
	if g := gaps(r.Models); len(g.rows) > 0 {
		blocks = append(blocks, g)
	}
	return b.write("Energy", blocks, nil)
}

func energyFields() []field[reports.Model] {
	type M = reports.Model
	return []field[M]{
		col("Model", text, func(m M) any { return m.Model.Name }),
		col("Quality", text, func(m M) any { return string(m.Energy.Quality) }),
		col("Method", text, func(m M) any { return optional(m.Energy.Method) }),
		col("Duration (s)", seconds, func(m M) any { return value(m.DurationS) }),
		col("Energy (Wh)", general, func(m M) any { return value(m.Energy.Wh) }),
		col("Lower bound (Wh)", general, func(m M) any { return value(m.Energy.LowWh) }),
		col("Upper bound (Wh)", general, func(m M) any { return value(m.Energy.HighWh) }),
		col("Measured (Wh)", general, func(m M) any { return value(m.Energy.MeasuredWh) }),
		col("Measured share", share, func(m M) any { return value(m.Energy.MeasuredShare) }),
		col("Wh per 1,000 queries", general, func(m M) any { return value(m.Energy.WhPer1000) }),
		col("J per correct reply", general, func(m M) any { return value(m.Energy.JPerCorrect) }),
		col("J per completion token", general, func(m M) any { return value(m.Energy.JPerToken) }),
		col("Mean power (W)", general, func(m M) any { return value(m.Energy.MeanW) }),
		col("Above idle (Wh)", general, func(m M) any { return value(m.Energy.AboveIdleWh) }),
		col("Server's share of busy CPU time", share, func(m M) any { return value(m.Energy.ServerShare) }),
		col("Server's share (Wh)", general, func(m M) any { return value(m.Energy.ServerWh) }),
		col("kg CO2e", general, func(m M) any { return value(m.EmissionsKg) }),
		col("g CO2e per 1,000 queries", general, func(m M) any { return value(m.GPer1000) }),
		col("Reason", text, func(m M) any { return optional(m.Energy.Reason) }),
		col("Warnings", text, func(m M) any { return optional(strings.Join(m.Energy.Warnings, "; ")) }),
	}
}

// owned is something that belongs to a model.
type owned[T any] struct {
	model string
	it    T
}

func zones(models []reports.Model) block {
	type Z = owned[emissions.Zone]
	var all []Z
	for _, m := range models {
		for _, z := range m.Energy.Zones {
			all = append(all, Z{m.Model.Name, z})
		}
	}
	return table("Zones that were read", []field[Z]{
		col("Model", text, func(z Z) any { return z.model }),
		col("Zone", text, func(z Z) any { return z.it.Name }),
		col("Part of the sum", text, func(z Z) any { return yesNo(z.it.Counted) }),
		col("Energy (Wh)", general, func(z Z) any { return z.it.Energy.WattHours() }),
		col("Note", text, func(z Z) any { return optional(z.it.Note) }),
	}, all)
}

func gaps(models []reports.Model) block {
	type G = owned[emissions.Gap]
	var all []G
	for _, m := range models {
		for _, g := range m.Energy.Gaps {
			all = append(all, G{m.Model.Name, g})
		}
	}
	return table("Failed reads", []field[G]{
		col("Model", text, func(g G) any { return g.model }),
		col("Zone", text, func(g G) any { return g.it.Zone }),
		col("From (UTC)", instant, func(g G) any { return g.it.Start }),
		col("To (UTC)", instant, func(g G) any { return g.it.End }),
		col("Reason", text, func(g G) any { return g.it.Reason }),
	}, all)
}

func yesNo(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

// provenance writes where the numbers come from.
func (b *workbook) provenance(r reports.Report) error {
	type fact struct {
		what  string
		value any
	}
	host := r.Host
	facts := []fact{
		{"Run", r.RunID}, {"Folder", r.Dir}, {"Created (UTC)", r.Created}, {"disteval", r.ToolVersion},
		{"Status", string(r.Status)}, {"Plan hash", r.PlanHash},
		{"Query set", r.Queries.Name}, {"Query set version", optional(r.Queries.Version)},
		{"Queries", r.Queries.N}, {"Query set SHA-256", r.Queries.SHA256},
		{"Host", host.Hostname}, {"Operating system", host.OS + "/" + host.Arch}, {"CPU", host.CPUModel},
		{"Logical CPUs", host.CPUs}, {"Memory (GiB)", finite(host.MemoryGB)}, {"Host fingerprint", host.Fingerprint()},
	}
	if f := r.Factor; f != nil {
		facts = append(facts, fact{"Carbon factor (g CO2e per kWh)", finite(f.GPerKWh)},
			fact{"Carbon factor of", optional(strings.TrimSpace(f.Country + " " + f.ISO3))},
			fact{"Carbon factor's year", yearOf(f.Year)}, fact{"Carbon factor's source", f.Source})
	}
	facts = append(facts, fact{"Power usage effectiveness", finite(r.PUE)})
	if s := r.Scoring; s != nil {
		facts = append(facts, fact{"Scored (UTC)", s.Created}, fact{"Embedding", s.Scoring.Embedding},
			fact{"Prompt is part of the scored text", yesNo(s.Scoring.IncludePrompt)})
	}
	blocks := []block{
		table("", []field[fact]{
			col("What", text, func(f fact) any { return f.what }),
			col("Value", exact, func(f fact) any { return f.value }),
		}, facts),
		table("Covered by the plan hash", []field[eval.Fact]{
			col("What", text, func(f eval.Fact) any { return f.Name }),
			col("Value", text, func(f eval.Fact) any { return f.Value }),
		}, r.Plan.Facts()),
	}
	if len(r.Machines) > 0 {
		blocks = append(blocks, machines(r.Machines))
	}
	return b.write("Provenance", blocks, nil)
}

// seat is one model on one host.
type seat struct {
	host, kind string
	reports.Seat
}

// machines lists what every host answered, by model.
func machines(all []reports.Machine) block {
	var rows []seat
	for _, m := range all {
		for _, s := range m.Seats {
			rows = append(rows, seat{m.Name, m.Fingerprint, s})
		}
	}
	return table("Machines", []field[seat]{
		col("Host", text, func(s seat) any { return s.host }),
		col("Kind", text, func(s seat) any { return optional(s.kind) }),
		col("Model", text, func(s seat) any { return s.Model }),
		col("Replies", exact, func(s seat) any { return s.Replies }),
		col("Failed", exact, func(s seat) any { return s.Failures }),
		col("Busy (s)", exact, func(s seat) any { return value(s.BusyS) }),
		col("Wall (s)", exact, func(s seat) any { return value(s.WallS) }),
		col("Latency p50 (ms)", exact, func(s seat) any { return value(s.LatencyMS.P50) }),
		col("Latency p95 (ms)", exact, func(s seat) any { return value(s.LatencyMS.P95) }),
		col("Energy (Wh)", exact, func(s seat) any { return value(s.EnergyWh) }),
		col("Energy is", text, func(s seat) any { return string(s.Quality) }),
	}, rows)
}

func yearOf(y int) any {
	if y == 0 {
		return nil
	}
	return y
}
