package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval"
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
		findings = linter().Check(set)
	} else {
		var err error
		if set, findings, err = linter().CheckFile(file); err != nil {
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

// linter looks at a set through the metrics' own eyes.
func linter() queries.Linter {
	scorer := scoring.New(scoring.Config{})
	return queries.Linter{
		Words:      wordsOf,
		Unscorable: func(reference string) []string { return unscorable(scorer, reference) },
		Common:     func(word string) bool { return commonWords[word] },
	}
}

// unscorable says which metrics could not score even a reply that is the
// reference to the letter.
func unscorable(scorer *scoring.Scorer, reference string) []string {
	r, err := scorer.Score(context.Background(), metrics.Pair{Reference: reference, Keyword: reference, Text: reference})
	if err != nil {
		return []string{err.Error()}
	}
	var reasons []string
	for _, s := range r.Scores {
		if s.Status == metrics.Unscored && s.Metric == metrics.Cosine {
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
	for w := range strings.FieldsSeq(`a about above across after again against all almost along already also although always am among an and another any anything
		are around as at away back bad based be because become becomes been before began begin below better between big both but by
		call called came can case change come comes common could day days did different do does done down during each either else
		end enough especially etc even every everyone everything example fact far few find first for form found from full general
		generally get give given go good great group had hand hard has have he help her here high him his home how however human i
		if important in include includes including into is it its just keep kind know large last later least left less let level
		life like little live long longer look lot made main make man many may me mean means might modern more most much must my
		myself name near need neither never new next no non none nor not nothing now number of off often old on once one only open
		or order other others ought our out over own part people per perhaps place point possible present put quite rather real
		really right said same say second see seem set several shall she should show side simply since small so some something
		sometimes state still such take taken tell term than that the their them themselves then there therefore these they thing
		think third this those through thus time to together too took true try turn two type under until up upon us use usually very
		want was way we well were what when where whether which while who whole whose why will with within without woman word words
		work world would year years yes yet you your`) {
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
