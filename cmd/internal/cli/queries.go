package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/queries"
)

func newQueriesCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "queries",
		Short: "List, check or export a query set",
		Args:  exactArgs("list|check|export"),
		RunE: func(_ *cobra.Command, args []string) error {
			return eval.BadInput(fmt.Errorf("queries: %q is not list, check or export", args[0]), "see disteval queries --help")
		},
	}
	for _, c := range []struct {
		name, short string
		do          func(file string) error
	}{
		{"list", "Show a set as a table", func(file string) error {
			return withSet(file, func(s queries.Set) error { return writeQueryTable(a.out, s) })
		}},
		{"check", "Look for faults that would mislead a run", a.checkQueries},
		{"export", "Write a set as JSON lines", func(file string) error {
			return withSet(file, func(s queries.Set) error { return queries.WriteJSONL(a.out, s) })
		}},
	} {
		cmd.AddCommand(&cobra.Command{
			Use:   c.name + " [FILE]",
			Short: c.short + " (FILE is .yaml, .jsonl or .csv; without it the set inside the program)",
			Args:  atMostOne,
			RunE: func(_ *cobra.Command, args []string) error {
				file := "builtin"
				if len(args) == 1 {
					file = args[0]
				}
				return c.do(file)
			},
		})
	}
	return cmd
}

func withSet(file string, do func(queries.Set) error) error {
	if file == "builtin" {
		return do(queries.Builtin())
	}
	set, err := queries.Load(file)
	if err != nil {
		return err
	}
	return do(set)
}

// checkQueries prints every finding; errors among them end with exit code 2.
func (a *app) checkQueries(file string) error {
	set, findings := queries.Builtin(), []queries.Finding(nil)
	if file == "builtin" {
		findings = scoring.Linter().Check(set)
	} else {
		var err error
		if set, findings, err = scoring.Linter().CheckFile(file); err != nil {
			return err
		}
	}
	if err := writeFindings(a.out, findings); err != nil {
		return err
	}
	faults := 0
	for _, f := range findings {
		if f.Severity == queries.SeverityError {
			faults++
		}
	}
	fmt.Fprintf(a.out, "%s%s: %d queries, sha256 %s: %d errors, %d warnings\n", inert(set.Name), inert(versionOf(set.Version)),
		len(set.Queries), set.SHA256(), faults, len(findings)-faults)
	if faults > 0 {
		return exitError(exitUsage)
	}
	return nil
}
