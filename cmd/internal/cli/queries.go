package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/text"
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
		return noFile(err)
	}
	return do(set)
}

// noFile makes a file that cannot be read a matter of usage.
func noFile(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return usageError{err, "name a query file that can be read, or none for the set inside the program"}
	}
	return err
}

// checkQueries prints every finding; errors among them end with exit code 2.
func (a *app) checkQueries(file string) error {
	set, findings := queries.Builtin(), []queries.Finding(nil)
	if file == "builtin" {
		findings = linter().Check(set)
	} else {
		var err error
		if set, findings, err = linter().CheckFile(file); err != nil {
			return noFile(err)
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

// linter looks at a set through the metrics' own eyes.
func linter() queries.Linter {
	scorer := scoring.New(scoring.Config{})
	return queries.Linter{
		Words:      wordsOf,
		Unscorable: func(keyword string) []string { return unscorable(scorer, keyword) },
		Common:     func(word string) bool { return commonWords[word] },
	}
}

// unscorable says which metrics could not even score the keyword itself.
func unscorable(scorer *scoring.Scorer, keyword string) []string {
	r, err := scorer.Score(context.Background(), metrics.Pair{Reference: keyword, Keyword: keyword, Text: keyword})
	if err != nil {
		return []string{err.Error()}
	}
	var reasons []string
	for _, s := range r.Scores {
		if s.Status == metrics.Unscored && (s.Metric == metrics.EM || s.Metric == metrics.Cosine) {
			reasons = append(reasons, s.Metric+": "+s.Reason)
		}
	}
	if r.Rouge.Reference == 0 {
		reasons = append(reasons, "rouge_l: it holds no letter a-z and no digit")
	}
	return reasons
}

// commonWords stand in most replies whatever was asked, so that finding one
// there means nothing.
var commonWords = func() map[string]bool {
	words := make(map[string]bool)
	for w := range strings.FieldsSeq(`a about after all also am an and any are as at be been before both but by can could did do does
		down each even every few first for from get go had has have he her here him his how i if in into is it its just know last
		like long made make many may me more most much must my name new no not now of off on one only or other our out over own
		part people right said same say see she should so some such than that the their them then there these they thing this
		those through time to too under up us use very was way we well were what when where which while who why will with work
		world would year years yes you your`) {
		words[w] = true
	}
	return words
}()

func wordsOf(s string) []string {
	var w text.Words
	w.Reset(s)
	out := make([]string, w.Len())
	for i := range out {
		out[i] = string(w.At(i))
	}
	return out
}
