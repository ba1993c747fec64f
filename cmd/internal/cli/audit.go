package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/emissions/audit"
	"github.com/disteval/disteval/eval"
)

// auditPublished is the name of the embedded table.
const auditPublished = "published"

func newAuditCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "audit FILE|published",
		Short: "Check whether a table of durations and emissions is physically plausible",
		Long: `Reads a CSV with the columns name, duration_s, emissions_kg and optionally
country, energy_kwh, cpu_tdp_w, ram_gb, or an emissions.csv of CodeCarbon's or
of disteval's own (- is standard input; published is the table of the study
that this program was made to check), and says what power each row implies,
which rows are a constant times the duration, and which cannot be right. Exit
code 3 when a row is implausible.`,
		Args: exactArgs("FILE|published"),
		RunE: func(_ *cobra.Command, args []string) error { return a.audit(args[0]) },
	}
}

func (a *app) audit(name string) error {
	in := a.in
	switch name {
	case auditPublished:
		in = audit.Published()
	case "-":
		name = "standard input"
	default:
		f, err := os.Open(name)
		if err != nil {
			return eval.BadInput(fmt.Errorf("audit: %w", err), "name a CSV file with the columns name,duration_s,emissions_kg, an emissions.csv, or published")
		}
		defer f.Close()
		in = f
	}
	report, err := audit.Table(in)
	if err != nil {
		return fmt.Errorf("audit %s: %w", name, err)
	}
	if err := report.Write(a.out, name); err != nil {
		return err
	}
	if report.Implausible() {
		return exitError(exitRegression)
	}
	return nil
}
