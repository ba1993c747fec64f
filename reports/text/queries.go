package text

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

// WriteQueries writes a line per query: its ID, what it is and its answers.
func WriteQueries(w io.Writer, s queries.Set) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tCATEGORY\tDIFFICULTY\tPROMPT\tKEYWORD\tALIASES")
	for _, q := range s.Queries {
		row := []string{q.ID, cmp.Or(q.Category, "-"), cmp.Or(q.Difficulty, "-"), q.Prompt, q.Keyword, cmp.Or(strings.Join(q.Aliases, " | "), "-")}
		for i, cell := range row {
			row[i] = reports.Line(cell)
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write table of queries: %w", err)
	}
	return nil
}

// WriteFindings writes a line per finding, in the form that editors jump to,
// and under it the set's own reason where it explains the finding.
func WriteFindings(w io.Writer, fs []queries.Finding) error {
	for _, f := range fs {
		line := reports.Line(fmt.Sprintf("%s: %s: %s [%s]", place(f), f.Severity, f.Message, f.Rule)) + "\n"
		if f.Explained != "" {
			line += "    explained: " + reports.Line(f.Explained) + "\n"
		}
		if _, err := io.WriteString(w, line); err != nil {
			return fmt.Errorf("write findings: %w", err)
		}
	}
	return nil
}

// place is file:line, as far as they are known.
func place(f queries.Finding) string {
	file := cmp.Or(f.File, "queries")
	if f.Line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, f.Line)
}
