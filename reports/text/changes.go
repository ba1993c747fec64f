package text

import (
	"fmt"
	"io"
	"strings"

	"github.com/disteval/disteval/reports"
)

// WriteChanges writes for the terminal what became of the models that two runs
// share: what differs between the runs, and by model every metric's paired
// difference and the queries that are newly wrong and newly right.
func WriteChanges(w io.Writer, c reports.Changes, color bool) error {
	var b strings.Builder
	paint := painter(color)
	fmt.Fprintf(&b, "%s\n", paint.bold("what changed from run "+reports.Line(c.Before)+" to run "+reports.Line(c.After)))
	for _, d := range c.Differences {
		fmt.Fprintf(&b, "  %s\n", reports.Line(d))
	}
	if len(c.Differences) == 0 {
		b.WriteString("  nothing that decides answers: options, digests, versions, host and scoring are the same\n")
	}
	if len(c.Others) > 0 {
		fmt.Fprintf(&b, "  only in one of the runs: %s\n", reports.Line(strings.Join(c.Others, ", ")))
	}
	if c.Unpaired != "" {
		fmt.Fprintf(&b, "  no figure is compared: %s\n", reports.Line(c.Unpaired))
	}
	for _, m := range c.Models {
		fmt.Fprintf(&b, "\n%s: %s\n", paint.bold(reports.Line(m.Model)), m.Counts())
		writeScores(&b, paint, m)
		bothTexts(&b, "newly wrong", m.NewlyWrong)
		bothTexts(&b, "newly right", m.NewlyRight)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeScores writes the metrics that have pairs.
func writeScores(b *strings.Builder, paint painter, m reports.ModelChanges) {
	g := grid{left: map[int]bool{7: true}}
	for _, c := range m.Scores {
		if c.N == 0 {
			continue
		}
		if g.rows == nil {
			g.add(c.Columns()...)
		}
		g.add(c.Cells()...)
	}
	g.write(b, paint)
}

// bothTexts lists queries with the reply before and now.
func bothTexts(b *strings.Builder, what string, changes []reports.Change) {
	if len(changes) == 0 {
		return
	}
	fmt.Fprintf(b, "  %d %s:\n", len(changes), what)
	for _, c := range changes[:min(mostChanges, len(changes))] {
		fmt.Fprintf(b, "    %s  %s (keyword %s)\n      before: %s\n      now:    %s\n", reports.Line(c.Query), reports.Line(reports.Clip(c.Prompt, 60)),
			reports.Line(c.Keyword), reports.Line(reports.Clip(c.Before, 80)), reports.Line(reports.Clip(c.Reply, 80)))
	}
	if more := andMore(len(changes), mostChanges); more != "" {
		b.WriteString("    " + more + "\n")
	}
}
