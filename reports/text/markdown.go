package text

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// folded is how many changed queries of a model Markdown lists; the counts
// tell how many there are.
const folded = 50

// WriteMarkdown writes summary.md, made for a pull request: the headlines, the
// models in a table, the comparisons and warnings and, where the run was
// judged, the checks with what turned wrong folded below.
func WriteMarkdown(_ context.Context, w io.Writer, r reports.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## disteval: %s on %d queries of %s\n", plural(len(r.Models), "model"), r.Queries.N, code(r.Queries.Name))
	if r.Status != reports.Complete {
		b.WriteString("\n**The run is partial: not every query has an outcome.**\n")
	}
	if r.Judgement != nil {
		writeGate(&b, *r.Judgement)
	}
	bullets(&b, "", r.Headlines)
	writeModels(&b, r)
	writeComparisons(&b, r.Comparisons)
	writeMachines(&b, r)
	writeReviews(&b, r.Reviews)
	bullets(&b, "### Warnings", warnings(r))
	fmt.Fprintf(&b, "\nRun %s, plan %s, queries %s (sha256 %s), disteval %s.\n",
		code(r.RunID), code(short(r.PlanHash)), code(r.Queries.Label()), code(r.Queries.SHA256), code(r.ToolVersion))
	_, err := io.WriteString(w, b.String())
	return err
}

func writeModels(b *strings.Builder, r reports.Report) {
	b.WriteString("\n| Model | EM [95 %] | Cosine | ROUGE-L F1 | Seconds | Tokens/s | Wh | kgCO2e | Energy | Failed |\n")
	b.WriteString("|---|---:|---:|---:|---:|---:|---:|---:|---|---:|\n")
	for _, m := range r.Models {
		cells(b, code(m.Model.Name), meanInterval(m.Metric(metrics.EM)), m.Metric(metrics.Cosine).MeanText(),
			m.Metric(metrics.RougeLF1).MeanText(), reports.Seconds(m.DurationS), reports.PerSecond(m.TokensPerS),
			reports.Wh(m.Energy.Wh), reports.KgCO2e(m.EmissionsKg), prose(energyMark(m.Energy)), failed(m))
	}
}

func writeComparisons(b *strings.Builder, comparisons []reports.Comparison) {
	if len(comparisons) == 0 {
		return
	}
	b.WriteString("\n<details><summary>Comparisons with the reference on the same queries</summary>\n\n")
	b.WriteString("| Metric | Model | Reference | n | Difference [95 %] | p | p (Holm) | Test |\n|---|---|---|---:|---:|---:|---:|---|\n")
	for _, c := range comparisons {
		difference, p := reports.None, reports.None
		if c.N > 0 {
			digits := reports.Decimals(c.Metric)
			difference, p = reports.Signed(&c.Difference, digits), reports.PValue(&c.P)
			if c.HasInterval {
				difference += " " + reports.Interval(&c.Lo, &c.Hi, digits)
			}
		}
		cells(b, prose(c.Title), code(c.Model), code(c.Reference), fmt.Sprint(c.N), difference, escapeMarkdown(p),
			escapeMarkdown(reports.PValue(c.PHolm)), prose(c.Test))
	}
	b.WriteString("\n</details>\n")
}

func writeGate(b *strings.Builder, j reports.Judgement) {
	fmt.Fprintf(b, "\n### Gate: %s\n\n%s\n", j.Status(), prose(gateSentence(j)))
	if j.Count(reports.Pass) < len(j.Checks) {
		b.WriteString("\n| Model | Check | Expected | Got | Outcome | Why |\n|---|---|---|---|---|---|\n")
	}
	for _, c := range j.Checks {
		if c.Outcome != reports.Pass {
			cells(b, code(c.Model), code(checkName(c)), prose(c.Expected), prose(c.Got), "**"+string(c.Outcome)+"**", prose(c.Reason))
		}
	}
	for _, p := range j.Paired {
		fmt.Fprintf(b, "\n%s: %s\n", code(p.Model), prose(pairedSentence(p)))
		writeChanges(b, "newly wrong", p.NewlyWrong)
		writeChanges(b, "newly right", p.NewlyRight)
	}
}

func writeChanges(b *strings.Builder, what string, changes []reports.Change) {
	if len(changes) == 0 {
		return
	}
	fmt.Fprintf(b, "\n<details><summary>%d %s</summary>\n\n| Query | Prompt | Keyword | Reply |\n|---|---|---|---|\n", len(changes), what)
	for _, c := range changes[:min(folded, len(changes))] {
		cells(b, code(c.Query), code(clip(c.Prompt)), code(c.Keyword), code(clip(c.Reply)))
	}
	if len(changes) > folded {
		fmt.Fprintf(b, "\nThe first %d are shown.\n", folded)
	}
	b.WriteString("\n</details>\n")
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
	for _, t := range texts {
		b.WriteString("- " + prose(t) + "\n")
	}
}

// code shows untrusted text as code. In a <code> element no mention, issue
// number or address becomes a link, and entities are text, never structure.
func code(s string) string {
	if s == "" {
		return ""
	}
	return "<code>" + escapeMarkdown(reports.Visible(s)) + "</code>"
}

// prose shows text that may hold names or messages from elsewhere. An empty
// comment after @ and # keeps them from calling people and issues.
func prose(s string) string {
	s = escapeMarkdown(reports.Line(s))
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

func clip(s string) string { return reports.Clip(s, 300) }

func short(hash string) string { return hash[:min(12, len(hash))] }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
