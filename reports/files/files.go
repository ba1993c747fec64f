// Package files says which files a report is written as, and writes them.
//
// Policy: run.db is the record of a run. What else lies in the run's folder is
// derived from it and can be deleted; only judgement.json needs the expected
// file to be made again. Nobody ever sees half of a file: it is written beside
// its place and renamed.
package files

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/html"
	"github.com/disteval/disteval/reports/junit"
	"github.com/disteval/disteval/reports/text"
	"github.com/disteval/disteval/reports/xlsx"
)

// Format is one file that a report can be written as.
type Format struct {
	Name   string // that people ask for it by; two files may share one
	File   string
	write  func(context.Context, io.Writer, reports.Report) error
	judged bool // there is such a file only where there is a judgement
}

// JUnit has a file for each of its two contents.
var all = []Format{ // the slowest first
	{Name: "xlsx", File: "report.xlsx", write: xlsx.Write},
	{Name: "json", File: "summary.json", write: text.WriteSummaryJSON},
	{Name: "jsonl", File: "replies.jsonl", write: text.WriteRepliesJSONL},
	{Name: "md", File: "summary.md", write: text.WriteMarkdown},
	{Name: "html", File: "report.html", write: html.Write},
	{Name: "emissions", File: "emissions.csv", write: writeEmissions},
	{Name: "csv", File: "replies.csv", write: text.WriteCSV},
	{Name: "junit", File: "junit-replies.xml", write: junit.WriteReplies},
	{Name: "junit", File: "junit.xml", write: junit.Write, judged: true},
	{Name: "judgement", File: judgementFile, write: writeJudgement, judged: true},
}

// Default are the files of every run's folder.
func Default() []Format { return named("xlsx", "json", "jsonl", "md", "html", "emissions") }

// Judged are the files that a judgement is kept in and shown by.
func Judged() []Format {
	return slices.DeleteFunc(slices.Clone(all), func(f Format) bool { return !f.judged && !slices.Contains([]string{"md", "json", "html"}, f.Name) })
}

// Names are the names of all formats that people ask for.
const Names = "html, xlsx, md, json, jsonl, csv, junit, emissions"

// Named returns the formats of these names.
func Named(names []string) ([]Format, error) {
	for _, name := range names {
		if !slices.Contains(strings.Split(Names, ", "), name) {
			return nil, eval.BadInput(fmt.Errorf("format %q is not one of %s", name, Names), "")
		}
	}
	return named(names...), nil
}

func named(names ...string) (out []Format) {
	for _, name := range names {
		for _, f := range all {
			if f.Name == name {
				out = append(out, f)
			}
		}
	}
	return out
}

// Build computes the report of a run, with the judgement that is kept beside
// it. country is an ISO code in place of the plan's; nil leaves the plan's.
func Build(ctx context.Context, run eval.Run, country *string) (reports.Report, error) {
	return build(ctx, run, country, nil)
}

// build is Build, which tells each of every outcome on the way.
func build(ctx context.Context, run eval.Run, country *string, each func(eval.ScoredReply)) (reports.Report, error) {
	e := run.Record().Plan.Emissions
	if country != nil {
		e.Country, e.CarbonIntensity, e.CarbonSource = *country, 0, ""
	}
	factor, err := e.Factor()
	if err != nil {
		return reports.Report{}, err
	}
	r, err := reports.Build(ctx, run, reports.Options{Factor: factor, PUE: e.PUE, Each: each})
	if err != nil {
		return reports.Report{}, err
	}
	return withJudgement(r), nil
}

// Write writes a report in these formats to dir, each file once, and returns
// the paths of what it wrote. It writes two files at once, unless the report has
// more replies than it keeps: memory then counts more than time.
func Write(ctx context.Context, r reports.Report, formats []Format, dir string) (written []string, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	if r.RepliesOf != nil {
		g.SetLimit(1)
	}
	for _, f := range formats {
		path := filepath.Join(dir, f.File)
		if f.judged && r.Judgement == nil || slices.Contains(written, path) {
			continue
		}
		written = append(written, path)
		g.Go(func() error {
			return writing(path, Atomic(path, func(w io.Writer) error { return f.write(ctx, w, r) }))
		})
	}
	return written, g.Wait()
}

// WriteTrend writes the page of several runs; that of two leads with what
// changed between them.
func WriteTrend(ctx context.Context, runs []reports.Report, changes *reports.Changes, path string) error {
	return writing(path, Atomic(path, func(w io.Writer) error {
		if changes != nil {
			return html.WritePair(ctx, w, runs, *changes)
		}
		return html.WriteTrend(ctx, w, runs)
	}))
}

func writing(path string, err error) error {
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
