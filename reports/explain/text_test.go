package explain

import (
	"bytes"
	"strings"
	"testing"

	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
)

func explained(t *testing.T, pair metrics.Pair, floor *float64) string {
	t.Helper()
	result, err := scoring.New(scoring.Config{}).Score(t.Context(), pair)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	q := queries.Query{ID: "geo-capital-france", Prompt: "The capital of France is"}
	e := explanation{pair: pair, result: result, floor: floor}
	if err := e.write(&out, q, ""); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWriteExplanation(t *testing.T) {
	floor := 0.1
	for _, test := range []struct {
		name  string
		pair  metrics.Pair
		floor *float64
		want  []string
	}{
		{"found", metrics.Pair{Reference: "Paris", Keyword: "Paris", Text: " not Paris, which 8849"}, &floor, []string{
			"geo-capital-france", `keyword found      "Paris" as words 2 to 2:  not [Paris], which 8849`, `"not" stands within three words`,
			"LCS in text         not [Paris], which 8849", "nearest window      not [Paris]", `none for "8849"`,
			"em                 1.0000", "LCS / tokens of the text = 1/4", "rouge_l_f1         0.4000", "2PR/(P+R) = 2 x 0.2500 x 1.0000 / (0.2500 + 1.0000)",
			"cosine_lift        1.0000   (cosine - floor)/(1 - floor) = (1.0000 - 0.1000)/(1 - 0.1000)",
		}},
		{"nearly", metrics.Pair{Reference: "Seine", Keyword: "Seine", Text: "the Sein"}, nil, []string{
			`keyword not found  nearest to "Seine", edit distance 1: the [Sein]`, "em                 0.0000", "cosine_lift        unscored needs a run", "no token is shared",
		}},
		{"no word", metrics.Pair{Reference: "1969", Keyword: "...", Text: "1969"}, &floor, []string{
			"holds no letter or digit", "em                 unscored", "cosine             unscored the reference has no vector for any word (1969)",
			"cosine_lift        unscored the reference has no vector", `em_strict          0.0000   "1969" equals "": false`, "nearest window     none",
		}},
		{"disagrees", metrics.Pair{Reference: "art", Keyword: "art", Text: "heart"}, nil, []string{"as whole words: false; as a substring: true"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := explained(t, test.pair, test.floor)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing in\n%s", want, got)
				}
			}
		})
	}
}

// Every metric says how it is computed.
func TestEveryMetricHasAFormula(t *testing.T) {
	floor := 0.1
	got := explained(t, metrics.Pair{Reference: "Paris", Keyword: "Paris", Text: "Paris"}, &floor)
	for _, m := range metrics.All() {
		i := strings.LastIndex(got, "\n"+m.Name+" ")
		line, _, _ := strings.Cut(got[i+1:], "\n")
		if len(strings.Fields(line)) < 3 {
			t.Errorf("%s has no formula: %q", m.Name, line)
		}
	}
}

func TestWriteExplanationIsInert(t *testing.T) {
	text := "\x1b[2J\u202eParis\x00\n\xff\u009b"
	got := explained(t, metrics.Pair{Reference: text, Keyword: text, Aliases: []string{text}, Text: text}, nil)
	if strings.ContainsAny(got, "\x1b\x00\u202e\u009b") || strings.Contains(got, "\xff") {
		t.Errorf("it is not inert: %q", got)
	}
}
