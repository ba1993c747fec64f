package cli

import (
	"context"
	"fmt"
	"os"
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
