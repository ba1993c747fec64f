package reports

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/text"
	"github.com/disteval/disteval/queries"
)

// chance finds em's chance level: how often a model's replies hold the keyword
// of another query. It is the idea of cosine's floor: with replies and queries
// permuted, what is left is what the model would score by luck.
type chance struct {
	queries []queries.Query
	scoring scoring.Config
	steps   []int // each reply is held against the queries so many places on
	scorer  text.Scorer
	words   text.Words
}

// Other queries that a reply is held against: at most mostOthers, and fewer
// where the replies are so many that pairs of a model would be more than
// mostPairs.
const (
	mostOthers = 20
	mostPairs  = 20_000
)

func newChance(p eval.Plan, by *eval.ScoringRecord) *chance {
	c := &chance{queries: p.Queries.Queries}
	if by != nil {
		c.scoring.IncludePrompt = by.Scoring.IncludePrompt
	}
	n := len(c.queries)
	if n < 2 {
		return c
	}
	c.steps = rand.New(rand.NewPCG(seed, 0)).Perm(n - 1)
	c.steps = c.steps[:min(n-1, mostOthers, max(1, mostPairs/n))]
	return c
}

// add holds one reply against other queries.
func (c *chance) add(t *tally, s eval.ScoredReply, query int) {
	if s.Reply.Failure != nil || metrics.Find(s.Scores, metrics.EM).Status != metrics.Scored {
		return
	}
	scored := c.scoring.Pair(s.Query, s.Reply.Text).Text
	c.words.Reset(scored)
	for _, step := range c.steps {
		other := c.queries[(query+1+step)%len(c.queries)]
		if sameAnswer(s.Query, other) {
			continue
		}
		if m := c.scorer.Keyword(other.Keyword, other.Aliases, scored, &c.words); m.Searchable {
			t.chancePairs++
			if m.Found {
				t.chanceHits++
			}
		}
	}
}

// sameAnswer reports whether two queries share an accepted answer.
func sameAnswer(a, b queries.Query) bool {
	return slices.ContainsFunc(a.Answers(), func(x string) bool {
		return slices.ContainsFunc(b.Answers(), func(y string) bool { return strings.EqualFold(x, y) })
	})
}
