package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/disteval/disteval/queries"
)

// writeQueryTable writes a line per query: its ID, what it is and its answers.
func writeQueryTable(w io.Writer, s queries.Set) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tCATEGORY\tDIFFICULTY\tPROMPT\tKEYWORD\tALIASES")
	for _, q := range s.Queries {
		row := []string{q.ID, cmp.Or(q.Category, "-"), cmp.Or(q.Difficulty, "-"), q.Prompt, q.Keyword, cmp.Or(strings.Join(q.Aliases, " | "), "-")}
		for i, cell := range row {
			row[i] = inert(cell)
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write table of queries: %w", err)
	}
	return nil
}

// writeFindings writes a line per finding, in the form that editors jump to,
// and under it the set's own reason where it explains the finding.
func writeFindings(w io.Writer, fs []queries.Finding) error {
	for _, f := range fs {
		line := inert(fmt.Sprintf("%s: %s: %s [%s]", place(f), f.Severity, f.Message, f.Rule)) + "\n"
		if f.Explained != "" {
			line += "    explained: " + inert(f.Explained) + "\n"
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
