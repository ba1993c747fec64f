package gate

import (
	"context"
	"fmt"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
)

// Look gathers what a check needs to know of a run's replies. It is told of them
// one after the other, so that whoever goes over them anyway need not do so once
// more for the check.
type Look struct {
	expected Expected
	samples  int  // of a query
	scored   bool // without a scoring no metric has a value to judge
	sights   map[string]sight
	named    map[eval.JobID][]eval.ScoredReply // of the queries that must stay right, by job without its sample
}

// NewLook begins a look at a run that e is expected of.
func NewLook(run eval.RunRecord, e Expected) *Look {
	return newLook(run.Plan.Samples, run.Scoring != nil, e)
}

func newLook(samples int, scored bool, e Expected) *Look {
	l := &Look{expected: e, samples: samples, scored: scored, sights: make(map[string]sight), named: make(map[eval.JobID][]eval.ScoredReply)}
	for _, m := range e.Models {
		for _, q := range m.QueriesRight {
			l.named[eval.JobID{Model: m.Name, Query: q}] = nil
		}
	}
	return l
}

// lookAt goes once over the replies of a report.
func lookAt(ctx context.Context, r reports.Report, e Expected) (*Look, error) {
	l := newLook(r.Plan.Samples, r.Scoring != nil, e)
	for s, err := range r.Replies(ctx) {
		if err != nil {
			return nil, fmt.Errorf("check the replies of run %s: %w", r.RunID, err)
		}
		l.Take(s)
	}
	return l, nil
}

// Take takes in an outcome. They come as a report yields them, each once.
func (l *Look) Take(s eval.ScoredReply) {
	seen, known := l.sights[s.Reply.Model]
	if !known {
		seen.sums = make(map[string]sum)
	}
	if l.samples > 1 {
		seen.draw(s)
	}
	if s.Reply.Failure == nil {
		seen.add(s, l.scored)
	}
	l.sights[s.Reply.Model] = seen
	if len(l.named) == 0 {
		return
	}
	id := s.Reply.JobID
	id.Sample = 0
	if list, is := l.named[id]; is {
		l.named[id] = append(list, s)
	}
}

// Check judges the run of a report by what the look found out. The error is one
// of reading replies; whatever cannot be judged is a check of its own.
func (l *Look) Check(ctx context.Context, r reports.Report, o Options) (reports.Judgement, error) {
	c := checker{report: r, expected: l.expected, options: o, sights: l.sights, judgement: reports.Judgement{RunID: r.RunID}}
	c.run()
	named := make(map[string]bool)
	for _, m := range l.expected.Models {
		named[m.Name] = true
		c.model(m)
	}
	for _, m := range r.Models {
		if !named[m.Model.Name] {
			c.judgement.Unjudged = append(c.judgement.Unjudged, m.Model.Name)
		}
	}
	c.scores(r, c.sights, "")
	c.queriesRight(l.named)
	if o.Baseline != nil {
		if err := c.paired(ctx); err != nil {
			return reports.Judgement{}, err
		}
	}
	return c.judgement, nil
}

// Check is a look at all replies of a report, and Look.Check.
func Check(ctx context.Context, r reports.Report, e Expected, o Options) (reports.Judgement, error) {
	l, err := lookAt(ctx, r, e)
	if err != nil {
		return reports.Judgement{}, err
	}
	return l.Check(ctx, r, o)
}
