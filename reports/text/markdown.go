package text

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// How many items of a list are shown; after them stands how many more there
// are.
const (
	mostChanges  = 50  // queries of a model that changed
	mostChecks   = 100 // checks that did not pass
	mostBullets  = 100
	mostCompared = 300
)

// mostMarkdown is how many bytes summary.md has at most: GitHub shows a step's
// summary up to 1 MiB.
const mostMarkdown = 900_000

// mostText is how many characters of one text a summary shows.
const mostText = 500

// leftOut ends a summary that is not whole.
const leftOut = "\nWhat did not fit here is left out; report.html has it.\n"

// WriteMarkdown writes summary.md, made for a pull request: the headlines, the
// models in a table, the comparisons and warnings and, where the run was
// judged, the checks with what turned wrong folded below.
func WriteMarkdown(_ context.Context, w io.Writer, r reports.Report) error {
	_, err := io.WriteString(w, Summary(r, mostMarkdown))
	return err
}

// Summary is WriteMarkdown's text in at most so many bytes. Up to half of them
// are for the judgement, whose lists say how many more there are; any other part
// that does not fit is left out whole, and that is said. Where not even that can
// be said it is empty.
func Summary(r reports.Report, most int) string {
	most = min(most, mostMarkdown)
	if most < len(leftOut) {
		return ""
	}
	var all strings.Builder
	whole := true
	for _, part := range []func(*strings.Builder){
		func(b *strings.Builder) { writeTitle(b, r) },
		func(b *strings.Builder) { writeGate(b, r.Judgement, most/2) },
		func(b *strings.Builder) { bullets(b, "", r.Headlines) },
		func(b *strings.Builder) { writeModels(b, r) },
		func(b *strings.Builder) { writeProbabilities(b, r) },
		func(b *strings.Builder) { writeLadders(b, r.Ladders) },
		func(b *strings.Builder) { writeComparisons(b, r.Comparisons) },
		func(b *strings.Builder) { writeMachines(b, r) },
		func(b *strings.Builder) { writeReviews(b, r.Reviews) },
		func(b *strings.Builder) { bullets(b, "### Warnings", warnings(r)) },
		func(b *strings.Builder) { writeOrigin(b, r) },
	} {
		var b strings.Builder
		if part(&b); all.Len()+b.Len()+len(leftOut) > most {
			whole = false
			continue
		}
		all.WriteString(b.String())
	}
	if !whole {
		all.WriteString(leftOut)
	}
	return all.String()
}

func writeTitle(b *strings.Builder, r reports.Report) {
	fmt.Fprintf(b, "## disteval: %s on %d queries of %s\n", plural(len(r.Models), "model"), r.Queries.N, code(r.Queries.Name))
	if r.Status != reports.Complete {
		b.WriteString("\n**The run is partial: not every query has an outcome.**\n")
	}
}

func writeOrigin(b *strings.Builder, r reports.Report) {
	fmt.Fprintf(b, "\nRun %s, plan %s, queries %s (sha256 %s), disteval %s.\n",
		code(r.RunID), code(short(r.PlanHash)), code(r.Queries.Label()), code(r.Queries.SHA256), code(r.ToolVersion))
}

// andMore tells how many items of a list are not shown; empty where all are.
func andMore(all, most int) string {
	if all <= most {
		return ""
	}
	return fmt.Sprintf("and %d more", all-most)
}

// belowTable writes how many rows of a table are not shown.
func belowTable(b *strings.Builder, all, most int) {
	if more := andMore(all, most); more != "" {
		fmt.Fprintf(b, "\n%s\n", more)
	}
}

func writeModels(b *strings.Builder, r reports.Report) {
	b.WriteString("\n| Model | EM [95 %] | EM by chance | Cosine | ROUGE-L F1 | Seconds | Tokens/s | Energy | CO2e | The energy is | Tokens a reply | Cut by length | Empty | Failed |\n")
	b.WriteString("|---|---:|---:|---:|---:|---:|---:|---:|---:|---|---:|---:|---:|---:|\n")
	for _, m := range r.Models {
		cells(b, code(m.Model.Name), meanInterval(m.Metric(metrics.EM)), reports.Fixed(m.Metric(metrics.EM).Chance, reports.Decimals(metrics.EM)),
			m.Metric(metrics.Cosine).MeanText(), m.Metric(metrics.RougeLF1).MeanText(), reports.Seconds(m.DurationS), reports.PerSecond(m.TokensPerS),
			reports.WattHours(m.Energy.Wh), reports.CO2e(m.EmissionsKg), prose(energyMark(m)),
			reports.Significant(m.Lengths.MeanTokens, 3), fmt.Sprint(m.Lengths.ByLength), fmt.Sprint(m.Lengths.Empty), failed(m))
	}
}

func writeComparisons(b *strings.Builder, comparisons []reports.Comparison) {
	if len(comparisons) == 0 {
		return
	}
	b.WriteString("\n<details><summary>Comparisons with the reference on the same queries</summary>\n\n")
	b.WriteString("| Metric | Model | Reference | n | Difference [95 %] | p | p (Holm) | Test |\n|---|---|---|---:|---:|---:|---:|---|\n")
	for _, c := range comparisons[:min(mostCompared, len(comparisons))] {
		difference, p := reports.None, reports.None
		if c.N > 0 {
			digits := reports.Decimals(c.Metric)
			difference, p = reports.Signed(c.Delta(), digits), reports.PValue(&c.P)
			if c.HasInterval {
				difference += " " + reports.Interval(&c.Lo, &c.Hi, digits)
			}
		}
		cells(b, prose(c.Title), code(c.Model), code(c.Reference), fmt.Sprint(c.N), difference, escapeMarkdown(p),
			escapeMarkdown(reports.PValue(c.PHolm)), prose(c.Test))
	}
	belowTable(b, len(comparisons), mostCompared)
	b.WriteString("\nEach interval is of one comparison; p (Holm) is corrected for their number, so that an interval may leave out 0 where it is not below 0.05.\n")
	b.WriteString("\n</details>\n")
}

// writeGate writes the judgement: as many rows of its tables as fit into most
// bytes.
func writeGate(b *strings.Builder, j *reports.Judgement, most int) {
	if j == nil {
		return
	}
	fmt.Fprintf(b, "\n### Gate: %s\n\n%s\n", j.Status(), prose(j.Counts()))
	if j.Count(reports.Pass) < len(j.Checks) {
		b.WriteString("\n| Model | Check | Expected | Got | Outcome | Why |\n|---|---|---|---|---|---|\n")
	}
	told := slices.DeleteFunc(slices.Clone(j.Checks), func(c reports.Check) bool { return c.Outcome == reports.Pass })
	rows(b, len(told), mostChecks, most, func(i int) []string {
		c := told[i]
		return []string{code(c.Model), code(checkName(c)), prose(c.Expected), prose(c.Got), "**" + string(c.Outcome) + "**", prose(c.Reason)}
	})
	for _, p := range j.Paired {
		fmt.Fprintf(b, "\n%s: %s\n", code(p.Model), prose(pairedSentence(p)))
		writeChanges(b, "newly wrong", p.NewlyWrong, most)
		writeChanges(b, "newly right", p.NewlyRight, most)
	}
}

func writeChanges(b *strings.Builder, what string, changes []reports.Change, most int) {
	if len(changes) == 0 {
		return
	}
	fmt.Fprintf(b, "\n<details><summary>%d %s</summary>\n\n| Query | Prompt | Keyword | Reply |\n|---|---|---|---|\n", len(changes), what)
	rows(b, len(changes), mostChanges, most, func(i int) []string {
		c := changes[i]
		return []string{code(c.Query), code(c.Prompt), code(c.Keyword), code(c.Reply)}
	})
	b.WriteString("\n</details>\n")
}

// rows writes the first of n rows, at most so many and only while the text
// stays within bytes, and below them how many more there are.
func rows(b *strings.Builder, n, most, bytes int, row func(int) []string) {
	shown := 0
	for ; shown < min(n, most); shown++ {
		var line strings.Builder
		if cells(&line, row(shown)...); b.Len()+line.Len() > bytes {
			break
		}
		b.WriteString(line.String())
	}
	belowTable(b, n, shown)
}

func cells(b *strings.Builder, row ...string) {
	b.WriteString("| " + strings.Join(row, " | ") + " |\n")
}

func bullets(b *strings.Builder, head string, texts []string) {
	if len(texts) == 0 {
		return
	}
	if head != "" {
		b.WriteString("\n" + head + "\n")
	}
	b.WriteString("\n")
	for _, t := range texts[:min(mostBullets, len(texts))] {
		b.WriteString("- " + prose(t) + "\n")
	}
	if more := andMore(len(texts), mostBullets); more != "" {
		b.WriteString("- " + more + "\n")
	}
}

// code shows untrusted text as code. In a <code> element no mention, issue
// number or address becomes a link, and entities are text, never structure.
func code(s string) string {
	if s == "" {
		return ""
	}
	return "<code>" + escapeMarkdown(reports.Visible(clip(s))) + "</code>"
}

// Prose makes text from outside inert in Markdown.
func Prose(s string) string { return prose(s) }

// prose shows text that may hold names or messages from elsewhere. An empty
// comment after @ and # keeps them from calling people and issues.
func prose(s string) string {
	s = escapeMarkdown(reports.Line(clip(s)))
	return strings.NewReplacer("&#64;", "&#64;<!-- -->", "&#35;", "&#35;<!-- -->").Replace(s)
}

// escapeMarkdown turns every character that can mean something to Markdown
// or HTML into an entity; "www." would become a link by itself, and a colon
// can make one unless a blank follows.
func escapeMarkdown(s string) string { return markdownEscapes.Replace(s) }

var markdownEscapes = func() *strings.Replacer {
	pairs := []string{"www.", "www&#46;", "WWW.", "WWW&#46;", ": ", ": "}
	for _, r := range "&<>|`*_[]!~:@#\\$" {
		pairs = append(pairs, string(r), fmt.Sprintf("&#%d;", r))
	}
	return strings.NewReplacer(pairs...)
}()

func clip(s string) string { return reports.Clip(s, mostText) }

func short(hash string) string { return hash[:min(12, len(hash))] }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
