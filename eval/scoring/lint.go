package scoring

import (
	"context"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/text"
	"github.com/disteval/disteval/queries"
)

// Linter looks at a query set through the metrics' own eyes. It must not be
// used by two goroutines at once.
func Linter() queries.Linter {
	scorer, words := New(Config{}), new(text.Words)
	return queries.Linter{
		Words: func(s string) []string {
			words.Reset(s)
			list := make([]string, words.Len())
			for i := range list {
				list[i] = string(words.At(i))
			}
			return list
		},
		Unseen:     text.Unseen,
		Unscorable: func(reference string) []string { return unscorable(scorer, reference) },
	}
}

// unscorable says which metrics could not score even a reply that is the
// reference to the letter.
func unscorable(scorer *Scorer, reference string) []string {
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
