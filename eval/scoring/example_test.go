package scoring_test

import (
	"context"
	"fmt"

	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
)

func ExampleScorer() {
	pair := metrics.Pair{Reference: "Paris", Keyword: "Paris", Text: "It is Paris."}
	r, err := scoring.New(scoring.Config{}).Score(context.Background(), pair)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{metrics.EM, metrics.EMStrict, metrics.RougeLF1, metrics.AnswerBits} {
		s := metrics.Find(r.Scores, name)
		if s.Status == metrics.Unscored {
			fmt.Println(name, s.Reason)
			continue
		}
		fmt.Println(name, s.Value)
	}
	// Output:
	// em 1
	// em_strict 0
	// rouge_l_f1 0.5
	// answer_bits needs a run: a model's probabilities do not follow from its reply
}
