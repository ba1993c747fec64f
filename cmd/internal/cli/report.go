package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/files"
	"github.com/disteval/disteval/reports/text"
)

func newReportCmd(a *app) *cobra.Command {
	var names, without []string
	var dir string
	cmd := &cobra.Command{
		Use:   "report RUN...",
		Short: "Write a stored run's reports again; several runs as a trend",
		Long: `Builds the report of a stored run from its replies and writes it. With several
runs it also writes trend.html, which compares them; of two runs it says what
changed: newly wrong and newly right queries with both texts, and every metric's
paired difference, as gate --paired has it.

--country or DISTEVAL_COUNTRY computes the emissions with another country's factor.`,
		Example: `  disteval report runs/20260102-150405-1a2b3c
  disteval report runs/* --format html --out trend
  disteval report runs/20260102-150405-1a2b3c --country FRA --format md,json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return eval.BadInput(errors.New("report: RUN is missing"), "name a run's folder, such as runs/<id>")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			formats := files.Default()
			if cmd.Flags().Changed("format") {
				var err error
				if formats, err = files.Named(names); err != nil {
					return err
				}
			}
			return a.reportRuns(cmd.Context(), args, without, formats, dir, cmd.Flags().Changed("out"))
		},
	}
	cmd.Flags().StringSliceVar(&names, "format", nil, files.Names+" (default: the files of a run's folder)")
	withoutHostFlag(cmd, &without)
	cmd.Flags().StringVar(&dir, "out", "", "folder for the files (default: each run's own; for several runs the folder of the first)")
	return cmd
}

func (a *app) reportRuns(ctx context.Context, runs, without []string, formats []files.Format, out string, outGiven bool) error {
	var country *string
	if stated(a.settings.Country) {
		country = &a.settings.Country.Value
	}
	folder := func(r reports.Report) string {
		switch {
		case !outGiven:
			return r.Dir
		case len(runs) > 1:
			return filepath.Join(out, r.RunID)
		}
		return out
	}
	var all []reports.Report
	for _, run := range runs {
		store, err := runstore.Read(ctx, run)
		if err != nil {
			return err
		}
		defer store.Close()
		shown, err := reports.WithoutHosts(store, without)
		if err != nil {
			return err
		}
		r, err := a.current(ctx, shown, country, nil)
		if err != nil {
			return eval.WithHint(fmt.Errorf("report %s: %w", run, err), "")
		}
		if slices.ContainsFunc(all, r.Same) {
			continue // the same run named twice is one
		}
		written, err := files.Write(ctx, r, formats, folder(r))
		if err != nil {
			return eval.WithHint(fmt.Errorf("report %s: %w", run, err), "")
		}
		all = append(all, r)
		fmt.Fprintln(a.out, strings.Join(written, "\n"))
	}
	if len(all) < 2 {
		return nil
	}
	if !outGiven {
		out = all[0].Dir
	}
	return a.trend(ctx, all, filepath.Join(out, "trend.html"))
}

// trend writes the page of several runs; of two it also says what changed.
func (a *app) trend(ctx context.Context, runs []reports.Report, path string) error {
	var changes *reports.Changes
	if len(runs) == 2 {
		c, err := reports.Pair(ctx, runs[0], runs[1])
		if err != nil {
			return err
		}
		if err := text.WriteChanges(a.out, c, a.color(a.out)); err != nil {
			return err
		}
		changes = &c
	}
	if err := files.WriteTrend(ctx, runs, changes, path); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.out, path)
	return err
}

// printTable prints the comparison and where the report lies.
func (a *app) printTable(r reports.Report) error {
	if err := text.WriteTable(a.out, r, a.color(a.out)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "\nreport: %s\n", filepath.Join(r.Dir, "report.html"))
	return err
}
