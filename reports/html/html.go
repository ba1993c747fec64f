// Package html writes a report as one page that opens offline.
//
// Policy: the page asks nobody for anything and runs one script of ours,
// named by its hash in a strict Content-Security-Policy. All that comes from
// models, servers or files is data: escaped by html/template, or JSON in a
// block that no browser executes, shown by textContent. No arithmetic but
// rounding. Replies are streamed; of very many the page holds compressed pieces,
// as many as fit, so that neither it nor memory grows with the run.
package html

import (
	"bufio"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
	"sync"

	"github.com/disteval/disteval/reports"
)

//go:embed *.gohtml app.css app.js charts.js rows.js few.js many.js
var sources embed.FS

// templates are parsed once, when the first page is written.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(functions).ParseFS(sources, "*.gohtml"))
})

// functions are what the templates call: escapes of what could mislead a
// reader, which html/template leaves alone, and a model's colour.
var functions = template.FuncMap{
	"swatch":  func(i int) int { return i % colors },
	"visible": reports.Visible,
}

// Write writes the page of one run.
func Write(ctx context.Context, w io.Writer, r reports.Report) error {
	return write(ctx, w, r, nil, embeddedLibrary())
}

// WriteTrend writes the page of several runs: what changed from each to the
// next, and the whole report of the latest. A single run gets its own page.
func WriteTrend(ctx context.Context, w io.Writer, rs []reports.Report) error {
	if len(rs) == 0 {
		return errors.New("write HTML report: no run given; name at least one run's folder")
	}
	return writePage(ctx, w, trendPage(rs))
}

// trendPage is the page of runs, the latest one's report beneath.
func trendPage(rs []reports.Report) page {
	rs = slices.Clone(rs)
	slices.SortStableFunc(rs, func(a, b reports.Report) int { return a.Created.Compare(b.Created) })
	latest := rs[len(rs)-1]
	if len(rs) == 1 {
		rs = nil
	}
	return newPage(latest, rs, embeddedLibrary())
}

func write(ctx context.Context, w io.Writer, r reports.Report, trend []reports.Report, lib library) error {
	return writePage(ctx, w, newPage(r, trend, lib))
}

// writePage streams the page: everything about the run, its replies, the script.
func writePage(ctx context.Context, w io.Writer, p page) error {
	r, out := p.Report, bufio.NewWriterSize(w, 1<<16)
	if err := templates().ExecuteTemplate(out, "head", p); err != nil {
		return fmt.Errorf("write HTML report of run %s: %w", r.RunID, err)
	}
	if err := writeCharts(out, p.figures()); err != nil {
		return fmt.Errorf("write charts of run %s: %w", r.RunID, err)
	}
	if err := p.writeReplies(ctx, out); err != nil {
		return fmt.Errorf("write replies of run %s: %w", r.RunID, err)
	}
	if p.ECInline() {
		if err := p.lib.write(out); err != nil {
			return fmt.Errorf("write HTML report of run %s: %w", r.RunID, err)
		}
	}
	if err := templates().ExecuteTemplate(out, "tail", p); err != nil {
		return fmt.Errorf("write HTML report of run %s: %w", r.RunID, err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write HTML report of run %s: %w", r.RunID, err)
	}
	return nil
}

// writeReplies writes the replies in the way that suits their number.
func (p page) writeReplies(ctx context.Context, out *bufio.Writer) error {
	if p.Many {
		return writeMany(ctx, out, p.Report, repliesBytes)
	}
	return writeReplies(ctx, out, p.Report)
}
