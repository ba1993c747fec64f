package xlsx

import (
	"cmp"
	"slices"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/reports"
)

// headline are the metrics that stand first and have a chart.
var headline = []string{metrics.EM, metrics.Cosine, metrics.RougeLF1}

// field is one column of a table with a row per item.
type field[T any] struct {
	column
	of func(T) any
}

// table makes a block of items, one row each.
func table[T any](title string, fields []field[T], items []T) block {
	b := block{title: title}
	for _, f := range fields {
		b.cols = append(b.cols, f.column)
	}
	for _, it := range items {
		row := make([]any, len(fields))
		for i, f := range fields {
			row[i] = f.of(it)
		}
		b.rows = append(b.rows, row)
	}
	return b
}

// col makes a field.
func col[T any](head string, k kind, of func(T) any) field[T] {
	return field[T]{column{head: head, kind: k}, of}
}

// ruled is f, coloured by r.
func (f field[T]) ruled(r rule) field[T] {
	f.rule = r
	return f
}

// summary writes a row per model, the headlines, warnings and agreement.
func (b *workbook) summary(r reports.Report) error {
	fields := summaryFields(r)
	blocks := []block{table("", fields, r.Models)}
	for _, part := range []struct {
		title string
		lines []string
	}{
		{"In short", r.Headlines},
		{"Warnings", r.Warnings},
		{"Plausibility audit", r.Audit},
	} {
		if len(part.lines) > 0 {
			blocks = append(blocks, block{title: part.title, lines: part.lines})
		}
	}
	if r.Reviews != nil {
		blocks = append(blocks, agreement(*r.Reviews)...)
	}
	return b.write("Summary", blocks, func(s *sheet) error {
		if len(r.Models) == 0 {
			return nil
		}
		return s.summaryCharts(r, blocks[0])
	})
}

func summaryFields(r reports.Report) []field[reports.Model] {
	type M = reports.Model
	fields := []field[M]{
		col("Model", text, func(m M) any { return m.Model.Name }),
		col("Role", text, func(m M) any { return string(m.Model.Role) }),
		col("Replies", count, func(m M) any { return m.Replies }),
		col("Failures", count, func(m M) any { return m.Failures }).ruled(positive),
		col("Missing", count, func(m M) any { return m.Missing }).ruled(positive),
	}
	order := metricNames(r)
	for _, name := range order[:min(len(order), len(headline))] {
		fields = append(fields, metricFields(name)...)
	}
	fields = append(fields,
		col("Duration (s)", seconds, func(m M) any { return value(m.DurationS) }),
		col("Seconds per answered query", general, func(m M) any { return value(m.SecondsPerReply) }),
		col("Completion tokens per reply", rate, func(m M) any { return value(m.Lengths.MeanTokens) }),
		col("Characters per reply", rate, func(m M) any { return value(m.Lengths.MeanChars) }),
		col("Replies cut by length", count, func(m M) any { return m.Lengths.ByLength }),
		col("Empty replies", count, func(m M) any { return m.Lengths.Empty }).ruled(positive),
		col("Completion tokens per second", rate, func(m M) any { return value(m.TokensPerS) }),
		col("Latency p50 (ms)", rate, func(m M) any { return value(m.LatencyMS.P50) }),
		col("Latency p95 (ms)", rate, func(m M) any { return value(m.LatencyMS.P95) }),
		col("Latency p99 (ms)", rate, func(m M) any { return value(m.LatencyMS.P99) }),
		col("Energy quality", text, func(m M) any { return string(m.Energy.Quality) }),
		col("Energy measured (share)", general, func(m M) any { return value(m.Energy.MeasuredShare) }),
		col("Wh per 1,000 queries", general, func(m M) any { return value(m.Energy.WhPer1000) }),
		col("kg CO2e", general, func(m M) any { return value(m.EmissionsKg) }),
		col("g CO2e per 1,000 queries", general, func(m M) any { return value(m.GPer1000) }),
	)
	for _, name := range order[min(len(order), len(headline)):] {
		fields = append(fields, metricFields(name)...)
	}
	return append(fields,
		col("EM by chance", share, func(m M) any { return value(m.Metric(metrics.EM).Chance) }),
		col("Cosine floor", score, func(m M) any { return value(m.Floor) }),
		col("Replies flagged negated", count, func(m M) any { return m.Negated }),
		col("Replies on which EM and EM substring differ", count, func(m M) any { return m.Disagree }),
		col("Load (s)", seconds, func(m M) any { return value(m.LoadS) }),
		col("Warm-up (s)", seconds, func(m M) any { return value(m.WarmupS) }),
		col("Unload (s)", seconds, func(m M) any { return value(m.UnloadS) }),
		col("Prompt tokens", count, func(m M) any { return orEmpty(m.Tokens.PromptTokens) }),
		col("Completion tokens", count, func(m M) any { return orEmpty(m.Tokens.CompletionTokens) }),
		col("Stopped because", text, func(m M) any { return optional(m.GaveUp) }),
	)
}

// metricNames lists the report's metrics, the headline first.
func metricNames(r reports.Report) []string {
	if len(r.Models) == 0 {
		return nil
	}
	var names []string
	for _, m := range r.Models[0].Metrics {
		names = append(names, m.Name)
	}
	rank := func(name string) int {
		if i := slices.Index(headline, name); i >= 0 {
			return i
		}
		return len(headline)
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return names
}

// metricFields are a metric's mean, the ends of its interval, and n.
func metricFields(name string) []field[reports.Model] {
	type M = reports.Model
	from := func(of func(stat.Summary) any) func(M) any {
		return func(m M) any { return of(m.Metric(name).Summary) }
	}
	t := titleOf(name)
	fields := []field[M]{
		col(t, kindOf(name), from(func(s stat.Summary) any { return given(s.N > 0, s.Mean) })).ruled(ruleOf(name)),
		col(t+" 95 % low", kindOf(name), from(func(s stat.Summary) any { return given(s.HasInterval, s.Lo) })),
		col(t+" 95 % high", kindOf(name), from(func(s stat.Summary) any { return given(s.HasInterval, s.Hi) })),
		col(t+" n", count, from(func(s stat.Summary) any { return s.N })),
	}
	if slices.ContainsFunc(metrics.Likelihood(), func(m metrics.Metric) bool { return m.Name == name }) {
		fields = append(fields,
			col(t+" is", text, func(m M) any { return optional(boundName[m.Metric(name).Bound]) }),
			col(t+" values that are bounds", count, func(m M) any { return m.Metric(name).BoundedN }))
	}
	if name == metrics.Choice {
		fields = append(fields, col("Choice by chance", share, func(m M) any { return value(m.Metric(name).Chance) }))
	}
	return fields
}

func titleOf(metric string) string {
	m, ok := metrics.Named(metric)
	if !ok {
		return metric
	}
	return m.Title
}

// ruleOf colours a metric by its range; without ends there is no scale.
func ruleOf(metric string) rule {
	m, _ := metrics.Named(metric)
	switch {
	case m.Max != 1 || m.Better != metrics.Higher:
		return noRule
	case m.Min < 0:
		return cosine
	}
	return upToOne
}

// agreement shows how people agree with em and with each other.
func agreement(r reports.ReviewSummary) []block {
	type A = reports.ReviewAgreement
	fields := []field[A]{
		col("Rater", text, func(a A) any { return a.A }),
		col("Other rater", text, func(a A) any { return a.B }),
		col("Replies that both rated", count, func(a A) any { return a.N }),
		col("Rated alike (share)", share, func(a A) any { return given(a.N > 0, a.Observed) }),
		col("Cohen's kappa", share, func(a A) any { return given(a.HasKappa, a.Kappa) }),
		col("Kappa 95 % low", share, func(a A) any { return given(a.HasInterval, a.Lo) }),
		col("Kappa 95 % high", share, func(a A) any { return given(a.HasInterval, a.Hi) }),
	}
	var out []block
	if len(r.WithEM) > 0 {
		out = append(out, table("Agreement of reviewers with EM", fields, r.WithEM))
	}
	if len(r.Between) > 0 {
		out = append(out, table("Agreement between reviewers", fields, r.Between))
	}
	return out
}

// orEmpty leaves a cell without a number empty.
func orEmpty(n *int) any {
	if n == nil {
		return nil
	}
	return *n
}

// optional is s, or nothing where it is empty.
func optional(s string) any {
	if s == "" {
		return nil
	}
	return s
}
