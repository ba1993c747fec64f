package reports

import (
	"context"
	"iter"
	"slices"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics/likelihood"
)

// seed makes every bootstrap of a report repeatable.
const seed = 42

// Options are what a report may be built with beside the run.
type Options struct {
	Factor *emissions.CarbonFactor // nil: no CO2
	PUE    float64                 // at least 1; 0 is taken as 1

	// Each is told of every outcome, in order, while the report goes over them;
	// nil: nobody is.
	Each func(eval.ScoredReply)
}

// Build computes the report of one run from its stored replies and readings.
func Build(ctx context.Context, run eval.Run, o Options) (Report, error) {
	rec := run.Record()
	p := rec.Plan
	r := Report{
		RunID: rec.ID, Dir: rec.Dir, Created: rec.Created, ToolVersion: rec.ToolVersion, PlanHash: rec.PlanHash,
		Status:  Complete,
		Queries: QuerySet{Name: p.Queries.Name, Version: p.Queries.Version, N: len(p.Queries.Queries), SHA256: p.Queries.SHA256()},
		Plan:    p, Host: rec.Host, MovedTo: rec.MovedTo, Scoring: rec.Scoring, Factor: o.Factor, PUE: max(o.PUE, 1),
		Warnings: slices.Clone(rec.Warnings),
	}
	machines := newHosts(rec)
	t, err := gather(ctx, run, &r, machines, o.Each)
	if err != nil {
		return Report{}, err
	}
	for i, m := range p.Models {
		model := t[i].model(m, rec)
		r.derive(&model, rec)
		if model.Energy.Quality != emissions.Unavailable {
			model.Energy.OverTime = overTime(t[i].spent)
		}
		t[i].spent, t[i].latencyMS = nil, nil // a large run's take room that what follows needs
		if model.Missing > 0 {
			r.Status = Partial
		}
		r.Models = append(r.Models, model)
	}
	r.Machines, r.Agreements = machines.machines(rec), machines.agreements()
	r.Power, r.PowerNotes = powerOf(rec)
	r.Comparisons = compare(p, t)
	r.Rivals = rivals(p, t)
	r.Fidelity = fidelity(p, t)
	r.Ladders = ladders(r, t)
	r.Categories = categories(p, t)
	r.Published = published(r.Models)
	if r.Audit, err = audited(r); err != nil {
		return Report{}, err
	}
	r.Headlines = append(headlines(r, t), beyondEM(r.Rivals)...)
	r.Warnings = append(r.Warnings, warnings(r)...)
	r.Warnings = append(r.Warnings, unknownBits(p, t)...)
	reviews, err := run.Reviews(ctx)
	if err != nil {
		return Report{}, err
	}
	r.Reviews = summarizeReviews(reviews, p, t)
	return r, nil
}

// gather goes once over the replies. It gives the report their digest and the
// way to go over them again: a short run's are kept, so that each file need not
// read them anew.
func gather(ctx context.Context, run eval.Run, r *Report, machines *hosts, each func(eval.ScoredReply)) ([]*tally, error) {
	p := run.Record().Plan
	byName := make(map[string]*tally, len(p.Models))
	out := newTallies(run.Record())
	for _, t := range out {
		byName[t.of.Name] = t
	}
	queryAt := make(map[string]int, len(p.Queries.Queries))
	for i, q := range p.Queries.Queries {
		queryAt[q.ID] = i
	}
	bytes := replyBytes * p.Requests()
	var kept []eval.ScoredReply
	if bytes <= keepBytes {
		kept = make([]eval.ScoredReply, 0, p.Requests())
	}
	digest, level := newDigest(run.Record().Scoring), newChance(p, run.Record().Scoring)
	add, wait := aside(func(o *outcome) {
		level.add(o.of, o.ScoredReply, o.query)
		digest.add(o.ScoredReply)
	})
	defer wait()
	for s, err := range run.Replies(ctx) {
		if err != nil {
			return nil, err
		}
		if each != nil {
			each(s)
		}
		t, query := byName[s.Reply.JobID.Model], queryAt[s.Query.ID]
		t.add(s, query)
		if s.Reply.Failure == nil && eval.WasCut(p.Prompt(t.of, s.Query), s.Reply.Usage) {
			t.cut++
		}
		machines.add(s.Reply)
		add(outcome{s, t, query})
		if s.Probe != nil {
			slim := *s.Probe
			slim.Divergences = nil // they are summed up
			s.Probe = &slim
			bytes += stepBytes*steps(s.Probe.Answers) + stepBytes/4*steps(s.Probe.Choices)
		}
		s.Reply.Tokens, s.Reply.Reasoning = nil, "" // no file shows them
		if bytes += len(s.Reply.Text); bytes > keepBytes {
			kept = nil
			continue
		}
		kept = append(kept, s)
	}
	wait()
	r.Outcomes = digest.sum()
	r.Replies = replay(kept)
	if bytes > keepBytes {
		r.Replies = run.Replies
		r.RepliesOf = func(ctx context.Context, model string) iter.Seq2[eval.ScoredReply, error] {
			return eval.RepliesOf(ctx, run, model)
		}
	}
	return out, ctx.Err()
}

const (
	keepBytes  = 32 << 20 // most that Build keeps of replies
	replyBytes = 1 << 10  // about what a reply takes beside its text
	stepBytes  = 320      // about what a step with its alternatives takes
)

func steps(forms []likelihood.Form) (n int) {
	for _, f := range forms {
		n += len(f.Steps)
	}
	return n
}

type repliesFunc = func(context.Context) iter.Seq2[eval.ScoredReply, error]

// replay goes over replies that are kept.
func replay(replies []eval.ScoredReply) repliesFunc {
	return func(ctx context.Context) iter.Seq2[eval.ScoredReply, error] {
		return func(yield func(eval.ScoredReply, error) bool) {
			for _, r := range replies {
				if ctx.Err() != nil {
					yield(eval.ScoredReply{}, ctx.Err())
					return
				}
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}
