package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/grid"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/html"
	"github.com/disteval/disteval/reports/junit"
	"github.com/disteval/disteval/reports/text"
	"github.com/disteval/disteval/reports/xlsx"
)

// report builds the report and writes it in the formats wanted to dir.
func (a *app) report(ctx context.Context, run eval.Run, country *string, formats []format, dir string) (reports.Report, error) {
	e := run.Record().Plan.Emissions
	if country != nil {
		e.Country, e.CarbonIntensity, e.CarbonSource = *country, 0, ""
	}
	f, err := factor(e)
	if err != nil {
		return reports.Report{}, err
	}
	r, err := reports.Build(ctx, run, reports.Options{Factor: f, PUE: e.PUE})
	if err != nil {
		return r, err
	}
	return r, writeFormats(ctx, r, formats, dir)
}

// fewReplies is how many replies a report may have for two of its files to be
// written at once; beyond that memory counts more than time.
const fewReplies = 10_000

func writeFormats(ctx context.Context, r reports.Report, formats []format, dir string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	if r.Plan.Requests() > fewReplies {
		g.SetLimit(1)
	}
	for _, f := range formats {
		g.Go(func() error {
			if err := writeAtomic(filepath.Join(dir, f.file), func(w io.Writer) error { return f.write(ctx, w, r) }); err != nil {
				return fmt.Errorf("write %s: %w", f.file, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// factor is the carbon factor that the plan asks for; nil where it names none.
func factor(e eval.Emissions) (*emissions.CarbonFactor, error) {
	if e.CarbonIntensity > 0 {
		return &emissions.CarbonFactor{GPerKWh: e.CarbonIntensity, Source: e.CarbonSource}, nil
	}
	if e.Country == "" {
		return nil, nil
	}
	f, err := grid.Lookup(e.Country)
	if err != nil {
		return nil, eval.BadInput(err, "set emissions.country (or --country) to an ISO code such as AUS, or state carbon_intensity_g_per_kwh with its source")
	}
	return &f, nil
}

// format is one file that a report can be written as.
type format struct {
	name, file string
	write      func(context.Context, io.Writer, reports.Report) error
}

var allFormats = []format{ // the slowest first
	{"xlsx", "report.xlsx", xlsx.Write},
	{"json", "summary.json", func(_ context.Context, w io.Writer, r reports.Report) error { return text.WriteSummaryJSON(w, r) }},
	{"jsonl", "replies.jsonl", text.WriteRepliesJSONL},
	{"md", "summary.md", func(_ context.Context, w io.Writer, r reports.Report) error { return text.WriteMarkdown(w, r, nil) }},
	{"html", "report.html", func(_ context.Context, w io.Writer, r reports.Report) error { return html.Write(w, r) }},
	{"emissions", "emissions.csv", writeEmissionsCSV},
	{"csv", "replies.csv", text.WriteCSV},
	{"junit", "junit.xml", func(ctx context.Context, w io.Writer, r reports.Report) error { return junit.Write(ctx, w, r, nil) }},
}

// defaultFormats are the files of every run's folder.
var defaultFormats = allFormats[:6]

func formatsNamed(names []string) ([]format, error) {
	var out []format
	for _, name := range names {
		i := slices.IndexFunc(allFormats, func(f format) bool { return f.name == name })
		if i < 0 {
			return nil, eval.BadInput(fmt.Errorf("format %q is not one of html, xlsx, md, json, jsonl, csv, junit, emissions", name), "")
		}
		out = append(out, allFormats[i])
	}
	return out, nil
}

// writeAtomic writes a file beside path and renames it there, so that nobody
// ever sees half of it.
func writeAtomic(path string, write func(io.Writer) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	b := bufio.NewWriterSize(f, 64<<10)
	if err := write(b); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(b.Flush(), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
