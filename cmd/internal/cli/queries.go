package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/metrics/text"
	"github.com/disteval/disteval/metrics/vector"
	"github.com/disteval/disteval/queries"
)

func newQueriesCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "queries",
		Short: "List, check or export a query set",
		Args:  exactArgs("list|check|export"),
		RunE: func(_ *cobra.Command, args []string) error {
			return usageError{fmt.Errorf("queries: %q is not list, check or export", args[0]), "see disteval queries --help"}
		},
	}
	for _, c := range []struct {
		name, short string
		do          func(queries.Set) error
	}{
		{"list", "Show a set as a table", func(s queries.Set) error { return writeQueryTable(a.out, s) }},
		{"check", "Look for faults that would mislead a run", a.checkQueries},
		{"export", "Write a set as JSON lines", func(s queries.Set) error { return queries.WriteJSONL(a.out, s) }},
	} {
		cmd.AddCommand(&cobra.Command{
			Use:   c.name + " [FILE]",
			Short: c.short + " (FILE is .yaml, .jsonl or .csv; without it the set inside the program)",
			Args:  cobra.MaximumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				set, err := loadSet(args)
				if err != nil {
					return err
				}
				return c.do(set)
			},
		})
	}
	return cmd
}

func loadSet(args []string) (queries.Set, error) {
	if len(args) == 0 || args[0] == "builtin" {
		return queries.Builtin(), nil
	}
	set, err := queries.Load(args[0])
	if os.IsNotExist(err) {
		err = usageError{err, "name a query file that exists, or none for the set inside the program"}
	}
	return set, err
}

func (a *app) checkQueries(s queries.Set) error {
	findings := linter().Check(s)
	if err := writeFindings(a.out, findings); err != nil {
		return err
	}
	errors := 0
	for _, f := range findings {
		if f.Severity == "error" {
			errors++
		}
	}
	fmt.Fprintf(a.out, "%s%s: %d queries, sha256 %s\n", inert(s.Name), inert(versionOf(s.Version)), len(s.Queries), s.SHA256())
	if errors > 0 {
		return exitError(exitUsage)
	}
	return nil
}

// linter looks at a set through the metrics' own eyes.
func linter() queries.Linter {
	return queries.Linter{
		Words:      wordsOf,
		Unscorable: unscorable,
		Common:     vector.Common,
	}
}

func wordsOf(s string) []string {
	var w text.Words
	w.Reset(s)
	out := make([]string, w.Len())
	for i := range out {
		out[i] = string(w.At(i))
	}
	return out
}
