package gate

import (
	"fmt"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/reports"
)

// shown is how much of a reply a reason quotes, in runes.
const shown = 80

// queriesRight checks the queries that must stay right: one check each for
// those that are not, and one for all the others of a model. replies are those
// of these queries, by job without its sample.
func (c *checker) queriesRight(replies map[eval.JobID][]eval.ScoredReply) {
	for _, m := range c.expected.Models {
		right := 0
		for _, q := range m.QueriesRight {
			check := queryCheck(m.Name, q, replies[eval.JobID{Model: m.Name, Query: q}], max(1, c.report.Plan.Samples))
			if check.Outcome == reports.Pass {
				right++
			} else {
				c.add(check)
			}
		}
		if right > 0 {
			c.add(reports.Check{Model: m.Name, Measure: "queries_right", Expected: fmt.Sprintf("%d right", len(m.QueriesRight)),
				Got: fmt.Sprintf("%d right", right), Outcome: reports.Pass})
		}
	}
}

// queryCheck passes where every sample of a query is right.
func queryCheck(model, query string, samples []eval.ScoredReply, planned int) reports.Check {
	if len(samples) <= 1 && planned == 1 {
		var s *eval.ScoredReply
		if len(samples) == 1 {
			s = &samples[0]
		}
		return sampleCheck(model, query, s)
	}
	check := reports.Check{Model: model, Measure: "query", Query: query, Expected: "right", Outcome: reports.Pass}
	right := 0
	for i := range samples {
		one := sampleCheck(model, query, &samples[i])
		switch {
		case one.Outcome == reports.Pass:
			right++
		case check.Outcome != reports.Inconclusive:
			check.Outcome, check.Reason = one.Outcome, one.Reason
		}
	}
	if len(samples) < planned {
		check.Outcome, check.Reason = reports.Inconclusive, fmt.Sprintf("%d of %d samples have no outcome", planned-len(samples), planned)
	}
	check.Got = fmt.Sprintf("%d of %d samples right", right, planned)
	return check
}

func sampleCheck(model, query string, s *eval.ScoredReply) reports.Check {
	check := reports.Check{Model: model, Measure: "query", Query: query, Expected: "right", Got: reports.None, Outcome: reports.Inconclusive}
	if s == nil {
		check.Reason = "the run has no outcome for this query"
		return check
	}
	if f := s.Reply.Failure; f != nil {
		check.Got, check.Reason = "failed", f.Error()
		return check
	}
	em := emOf(s.Scores)
	switch {
	case em == nil:
		check.Reason = "the reply is not scored; score the run with disteval score"
	case *em == 1 && scoring.Dumped(s.Flags):
		check.Got, check.Reason = "right", "the reply holds the answers of many other queries, too"
	case *em == 1:
		check.Got, check.Outcome = "right", reports.Pass
	default:
		check.Got, check.Outcome = "wrong", reports.Regression
		check.Reason = fmt.Sprintf("%q went on with %q; the keyword is %q", reports.Clip(s.Query.Prompt, shown),
			reports.Clip(s.Reply.Text, shown), s.Query.Keyword)
	}
	return check
}
