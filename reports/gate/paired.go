package gate

import (
	"context"
	"fmt"

	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// significant is the level below which a paired loss is a regression, even
// where the mean is within its tolerance. The p of several models are corrected
// for their number first.
const significant = 0.05

// paired compares em with the baseline's, query by query.
func (c *checker) paired(ctx context.Context) error {
	base := *c.options.Baseline
	c.judgement.Baseline = base.RunID
	checks := len(c.judgement.Checks)
	look, err := lookAt(ctx, base, Expected{})
	if err != nil {
		return err
	}
	before := look.sights
	c.scores(base, before, "baseline's ")
	c.same("", "paired queries", base.Queries.SHA256, c.report.Queries.SHA256, "the baseline asked other queries")
	c.same("", "paired scoring", scoringOf(base), scoringOf(c.report), "the baseline was scored in another way; score one of them again")
	for _, check := range c.judgement.Checks[checks:] {
		if check.Outcome != reports.Pass {
			return nil // nothing that could be paired
		}
	}
	var models []string
	for _, m := range c.expected.Models {
		models = append(models, m.Name)
	}
	em, _ := metrics.Named(metrics.EM)
	changes, err := reports.Between(ctx, base, c.report, models, []metrics.Metric{em})
	if err != nil {
		return err
	}
	for _, m := range changes.Models {
		c.pairedCheck(m.Paired, before[m.Model])
	}
	return nil
}

// pairedCheck judges one model's pairs: a significant loss is a regression,
// and with a query left out, or with dumps of answers among the replies,
// nothing is known.
func (c *checker) pairedCheck(p reports.Paired, before sight) {
	check := reports.Check{Model: p.Model, Measure: "em paired", Outcome: reports.Pass,
		Expected: "no loss with p < 0.05", Got: reports.None}
	if p.N > 0 {
		c.judgement.Paired = append(c.judgement.Paired, p)
		check.Got = fmt.Sprintf("%d newly wrong, %d newly right, p %s", p.Losses, p.Wins, digits(p.P))
		if *p.PHolm != p.P {
			check.Got += fmt.Sprintf(", for the number of models %s", digits(*p.PHolm))
		}
		switch {
		case *p.PHolm < significant && p.Losses > p.Wins:
			check.Outcome, check.Reason = reports.Regression, "the loss is not noise"
		case *p.PHolm < significant:
			check.Outcome, check.Reason = reports.Improved, "the gain is not noise; bless the run to expect it from now on"
		}
		c.tellNoise(p)
	}
	now := c.sights[p.Model]
	switch {
	case p.N < c.report.Queries.N:
		check.Outcome = reports.Inconclusive
		check.Reason = fmt.Sprintf("only %d of %d queries are answered and scored in both runs", p.N, c.report.Queries.N)
	case now.dumpsCommon():
		check.Outcome, check.Reason = reports.Inconclusive, now.dumpReason()
	case before.dumpsCommon():
		check.Outcome, check.Reason = reports.Inconclusive, "in the baseline "+before.dumpReason()
	}
	c.add(check)
}

// tellNoise adds to a drop of em whether it could be noise. It stays a
// regression: the tolerance is what was agreed on.
func (c *checker) tellNoise(p reports.Paired) {
	for i := range c.judgement.Checks {
		check := &c.judgement.Checks[i]
		if check.Model != p.Model || check.Measure != "em" || check.Outcome != reports.Regression {
			continue
		}
		if *p.PHolm < significant {
			check.Reason += fmt.Sprintf("; the paired test says that it is real (p %s)", digits(*p.PHolm))
		} else {
			check.Reason += fmt.Sprintf("; the paired test cannot tell it from noise (p %s), but it is beyond the tolerance", digits(*p.PHolm))
		}
	}
}
