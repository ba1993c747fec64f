package gate

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/reports"
)

// significant is the level below which a paired loss is a regression, even
// where the mean is within its tolerance.
const significant = 0.05

// usual is the share of queries supposed to differ between two runs for the
// statement of power, where fewer do.
const usual = 0.10

// paired compares em with the baseline's, query by query.
func (c *checker) paired(ctx context.Context) error {
	base := *c.options.Baseline
	c.judgement.Baseline = base.RunID
	checks := len(c.judgement.Checks)
	if err := c.scores(ctx, base, "baseline's "); err != nil {
		return err
	}
	c.same("", "paired queries", base.Queries.SHA256, c.report.Queries.SHA256, "the baseline asked other queries")
	c.same("", "paired scoring", scoringOf(base), scoringOf(c.report), "the baseline was scored in another way; score one of them again")
	for _, check := range c.judgement.Checks[checks:] {
		if check.Outcome != reports.Pass {
			return nil // nothing that could be paired
		}
	}
	before := make(map[eval.JobID]float64)
	for s, err := range queryMeans(ctx, base) {
		if err != nil {
			return fmt.Errorf("check the replies of the baseline %s: %w", base.RunID, err)
		}
		before[s.id] = s.em
	}
	pairs, err := c.pairs(ctx, before)
	if err != nil {
		return err
	}
	for _, m := range c.expected.Models {
		c.pairedCheck(m.Name, pairs[m.Name])
	}
	return nil
}

// pairing gathers one model's pairs.
type pairing struct {
	before, after []float64
	wrong, right  []reports.Change
}

// binary reports whether every value is 0 or 1; means of samples need not be.
func (p pairing) binary() bool {
	between := func(x float64) bool { return x != 0 && x != 1 }
	return !slices.ContainsFunc(p.before, between) && !slices.ContainsFunc(p.after, between)
}

// queryMean is the mean em of one query's answered samples.
type queryMean struct {
	id   eval.JobID // without the sample
	em   float64
	last eval.ScoredReply // of the lowest em, to quote
}

// queryMeans goes over a report's replies query by query.
func queryMeans(ctx context.Context, r reports.Report) iter.Seq2[queryMean, error] {
	return func(yield func(queryMean, error) bool) {
		var now queryMean
		var sum, lowest float64
		n := 0
		flush := func() bool {
			if n == 0 {
				return true
			}
			now.em = sum / float64(n)
			n, sum = 0, 0
			return yield(now, nil)
		}
		for s, err := range r.Replies(ctx) {
			if err != nil {
				yield(queryMean{}, err)
				return
			}
			id := s.Reply.JobID
			id.Sample = 0
			if id != now.id {
				if !flush() {
					return
				}
				now.id = id
			}
			em := emOf(s.Scores)
			if em == nil || s.Reply.Failure != nil {
				continue
			}
			if n == 0 || *em < lowest {
				lowest, now.last = *em, s
			}
			sum += *em
			n++
		}
		flush()
	}
}

func (c *checker) pairs(ctx context.Context, before map[eval.JobID]float64) (map[string]pairing, error) {
	out := make(map[string]pairing)
	for s, err := range queryMeans(ctx, c.report) {
		if err != nil {
			return nil, fmt.Errorf("check the replies of run %s: %w", c.report.RunID, err)
		}
		was, known := before[s.id]
		if !known {
			continue
		}
		em := s.em
		p := out[s.id.Model]
		p.before, p.after = append(p.before, was), append(p.after, em)
		change := reports.Change{Query: s.id.Query, Prompt: s.last.Query.Prompt, Keyword: s.last.Query.Keyword, Reply: s.last.Reply.Text}
		switch {
		case em < was:
			p.wrong = append(p.wrong, change)
		case em > was:
			p.right = append(p.right, change)
		}
		out[s.id.Model] = p
	}
	return out, nil
}

// pairedCheck judges one model's pairs: a significant loss is a regression,
// and with a query left out nothing is known.
func (c *checker) pairedCheck(model string, p pairing) {
	check := reports.Check{Model: model, Measure: "em paired", Outcome: reports.Pass,
		Expected: "no loss with p < 0.05", Got: reports.None}
	n := len(p.after)
	if n > 0 {
		result := compare(model, p)
		c.judgement.Paired = append(c.judgement.Paired, result)
		check.Got = fmt.Sprintf("%d newly wrong, %d newly right, p %s", result.Losses, result.Wins, digits(result.P))
		switch {
		case result.P < significant && result.Losses > result.Wins:
			check.Outcome, check.Reason = reports.Regression, "the loss is no noise"
		case result.P < significant:
			check.Outcome, check.Reason = reports.Improved, "the gain is no noise; bless the run to hold on to it"
		}
		c.tellNoise(result)
	}
	if n < c.report.Queries.N {
		check.Outcome = reports.Inconclusive
		check.Reason = fmt.Sprintf("only %d of %d queries are answered and scored in both runs", n, c.report.Queries.N)
	}
	c.add(check)
}

func mean(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / float64(max(1, len(xs)))
}

func compare(model string, p pairing) reports.Paired {
	result := reports.Paired{Model: model, Comparison: stat.ComparePaired(p.after, p.before, p.binary(), 0),
		NewlyWrong: p.wrong, NewlyRight: p.right,
		Before: mean(p.before), After: mean(p.after)}
	result.Discordance = max(usual, float64(result.Wins+result.Losses)/float64(result.N))
	if d, ok := stat.MinimumDetectable(result.N, result.Discordance, 0.8); ok {
		result.Detectable = &d
	}
	return result
}

// tellNoise adds to a drop of em whether it could be noise. It stays a
// regression: the tolerance is what was agreed on.
func (c *checker) tellNoise(p reports.Paired) {
	for i := range c.judgement.Checks {
		check := &c.judgement.Checks[i]
		if check.Model != p.Model || check.Measure != "em" || check.Outcome != reports.Regression {
			continue
		}
		if p.P < significant {
			check.Reason += fmt.Sprintf("; the paired test says that it is real (p %s)", digits(p.P))
		} else {
			check.Reason += fmt.Sprintf("; the paired test cannot tell it from noise (p %s), but it is beyond the tolerance", digits(p.P))
		}
	}
}
