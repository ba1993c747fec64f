package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports/text"
)

func newQueriesCmd(a *app) *cobra.Command {
	var models string
	var commands []*cobra.Command
	for _, c := range []struct {
		name, short string
		do          func(file string) error
	}{
		{"list", "Show a set as a table", func(file string) error {
			return withSet(file, func(s queries.Set) error { return text.WriteQueries(a.out, s) })
		}},
		{"check", "Look for faults that would mislead a run", func(file string) error { return a.checkQueries(file, models) }},
		{"export", "Write a set as JSON lines", func(file string) error {
			return withSet(file, func(s queries.Set) error { return queries.WriteJSONL(a.out, s) })
		}},
	} {
		sub := &cobra.Command{
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
		}
		if c.name == "check" {
			sub.Flags().StringVar(&models, "models", "", "models file, whose queries are checked with what its prompt: puts before them")
		}
		commands = append(commands, sub)
	}
	return newGroupCmd("queries", "List, check or export a query set", commands...)
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
func (a *app) checkQueries(file, models string) error {
	set, findings := queries.Builtin(), []queries.Finding(nil)
	var leaks []string
	var err error
	switch {
	case models != "":
		plan, err := a.loadPlan(models)
		if err != nil {
			return err
		}
		for _, m := range plan.Models {
			leaks = append(leaks, plan.LeakWarnings(m)...)
		}
		set, findings = plan.Queries, scoring.Linter().Check(plan.Queries)
	case file == "builtin":
		findings = scoring.Linter().Check(set)
	default:
		if set, findings, err = scoring.Linter().CheckFile(file); err != nil {
			return err
		}
	}
	if err := text.WriteFindings(a.out, findings); err != nil {
		return err
	}
	for _, leak := range leaks {
		fmt.Fprintf(a.out, "warning: %s\n", inert(leak))
	}
	faults := 0
	for _, f := range findings {
		if f.Severity == queries.SeverityError {
			faults++
		}
	}
	fmt.Fprintf(a.out, "%s: %d queries, sha256 %s: %d errors, %d warnings\n", inert(set.Label()),
		len(set.Queries), set.SHA256(), faults, len(findings)-faults+len(leaks))
	if faults > 0 {
		return exitError(exitUsage)
	}
	return nil
}
