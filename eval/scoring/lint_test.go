package scoring_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/queries"
)

// TestLintReasons wants each reason why a keyword cannot be scored said once,
// and common words called so.
func TestLintReasons(t *testing.T) {
	for keyword, want := range map[string][]string{
		"zebra":      nil,
		"1492":       {"unscorable-keyword cosine"},
		"Xqzzyblorp": {"unscorable-keyword cosine"},
		"Москва":     {"unscorable-keyword cosine", "unscorable-keyword rouge_l"},
		"?!":         {"unscorable-keyword em", "unscorable-keyword cosine", "unscorable-keyword rouge_l"},
		"good":       {"common-answer"},
		"of the":     {"common-answer", "unscorable-keyword cosine"},
		"K":          {"common-answer", "unscorable-keyword cosine"},
		"zebra*":     {"unseen-symbol em"},
		"5 %":        {"unseen-symbol em", "unscorable-keyword cosine"},
		"AT&T":       {"common-answer", "unscorable-keyword cosine"},
		"東京":         {"no-word-boundary em", "unscorable-keyword cosine", "unscorable-keyword rouge_l"},
		"กรุงเทพมหานคร": {"no-word-boundary em", "unscorable-keyword cosine", "unscorable-keyword rouge_l"},
	} {
		var got []string
		for _, f := range scoring.Linter().Check(queries.Set{Queries: []queries.Query{{ID: "q", Prompt: "An animal:", Keyword: keyword, Category: "c"}}}) {
			name := f.Rule
			for _, metric := range []string{"em", "cosine", "rouge_l"} {
				if strings.Contains(" "+f.Message, " "+metric+" ") || strings.Contains(f.Message, " "+metric+": ") {
					name += " " + metric
				}
			}
			got = append(got, name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", keyword, got, want)
		}
	}
}

// TestBuiltinQueriesPass checks the embedded set through the metrics' own eyes.
func TestBuiltinQueriesPass(t *testing.T) {
	for _, f := range scoring.Linter().Check(queries.Builtin()) {
		if f.Explained == "" {
			t.Errorf("%s:%d: %s: %s [%s]", f.File, f.Line, f.Severity, f.Message, f.Rule)
		}
	}
}
