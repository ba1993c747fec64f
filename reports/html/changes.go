package html

import (
	"context"
	"fmt"
	"io"

	"github.com/disteval/disteval/reports"
)

// changes is what became of the models that two runs share, as the page leads
// with it.
type changes struct {
	reports.Changes
	Rows []modelChanges
}

// modelChanges is one model's part.
type modelChanges struct {
	Name, Counts string
	Scores       table
	Lists        []changedQueries
}

// changedQueries are the queries that are newly wrong, or newly right.
type changedQueries struct {
	Title string
	More  string // how many are left out; empty: none
	Table table
}

// Bounds of what the page quotes.
const (
	mostChanged  = 500 // queries of a list
	longestQuote = 600 // characters of a text
)

// WritePair writes the page of two runs: what changed first, then the trend.
func WritePair(ctx context.Context, w io.Writer, rs []reports.Report, c reports.Changes) error {
	p := trendPage(rs)
	p.Changes = newChanges(c)
	return writePage(ctx, w, p)
}

func newChanges(c reports.Changes) *changes {
	out := &changes{Changes: c}
	for _, m := range c.Models {
		row := modelChanges{Name: m.Model, Counts: m.Counts()}
		for _, s := range m.Scores {
			if s.N > 0 {
				row.Scores.Head = s.Columns()
				row.Scores.Rows = append(row.Scores.Rows, s.Cells())
			}
		}
		for _, list := range []struct {
			title   string
			changes []reports.Change
		}{{"newly wrong", m.NewlyWrong}, {"newly right", m.NewlyRight}} {
			if len(list.changes) > 0 {
				row.Lists = append(row.Lists, changedList(list.title, list.changes))
			}
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

func changedList(title string, all []reports.Change) changedQueries {
	out := changedQueries{Title: fmt.Sprintf("%d %s", len(all), title), Table: table{Head: []string{"Query", "Prompt", "Keyword", "Before", "Now"}}}
	for _, c := range all[:min(len(all), mostChanged)] {
		out.Table.Rows = append(out.Table.Rows, []string{c.Query, reports.Clip(c.Prompt, longestQuote), c.Keyword,
			reports.Clip(c.Before, longestQuote), reports.Clip(c.Reply, longestQuote)})
	}
	if more := len(all) - mostChanged; more > 0 {
		out.More = fmt.Sprintf("%d more are left out here; the replies.jsonl of both runs have them.", more)
	}
	return out
}
