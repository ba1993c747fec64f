package reports

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
)

// seed makes every bootstrap of a report repeatable.
const seed = 42

// Options are what a report may be built with beside the run.
type Options struct {
	Factor *emissions.CarbonFactor // nil: no CO2
	PUE    float64                 // at least 1; 0 is taken as 1
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
	t, err := gather(ctx, run, &r, machines)
	if err != nil {
		return Report{}, err
	}
	for i, m := range p.Models {
		model := t[i].model(m, rec)
		r.derive(&model, rec)
		model.Energy.OverTime = overTime(t[i].spent)
		if model.Missing > 0 {
			r.Status = Partial
		}
		r.Models = append(r.Models, model)
	}
	r.Machines, r.Agreements = machines.machines(rec), machines.agreements()
	r.Comparisons = compare(p, t)
	r.Categories = categories(p, t)
	r.Published = published(r.Models)
	if r.Audit, err = audited(r); err != nil {
		return Report{}, err
	}
	r.Headlines = headlines(r, t)
	r.Warnings = append(r.Warnings, warnings(r)...)
	reviews, err := run.Reviews(ctx)
	if err != nil {
		return Report{}, err
	}
	r.Reviews = summarizeReviews(reviews, p, t)
	return r, nil
}

// tally gathers what one pass over a model's replies yields. Its values stand
// by query, NaN where there is none, so that models can be paired.
type tally struct {
	replies, failures int
	failKinds         map[eval.FailureKind]int
	tokens            tokenSums
	latencyMS         []float64
	values            map[string][]float64 // by metric, then by query
	spent             []spentEnergy        // by the replies whose energy is known
	negated, disagree int
}

// gather goes once over the replies. It gives the report their digest and the
// way to go over them again: a short run's are kept, so that each file need not
// read them anew.
func gather(ctx context.Context, run eval.Run, r *Report, machines *hosts) ([]*tally, error) {
	p := run.Record().Plan
	byName := make(map[string]*tally, len(p.Models))
	out := make([]*tally, len(p.Models))
	for i, m := range p.Models {
		out[i] = newTally(len(p.Queries.Queries))
		byName[m.Name] = out[i]
	}
	queryAt := make(map[string]int, len(p.Queries.Queries))
	for i, q := range p.Queries.Queries {
		queryAt[q.ID] = i
	}
	var kept []eval.ScoredReply
	digest := newDigest(run.Record().Scoring)
	bytes := 0
	for s, err := range run.Replies(ctx) {
		if err != nil {
			return nil, err
		}
		byName[s.Reply.JobID.Model].add(s, queryAt[s.Query.ID])
		machines.add(s.Reply)
		digest.add(s)
		if bytes += replyBytes + len(s.Reply.Text); bytes > keepBytes {
			kept = nil
			continue
		}
		kept = append(kept, s)
	}
	r.Outcomes = digest.sum()
	r.Replies = replay(kept)
	if bytes > keepBytes {
		r.Replies = run.Replies
	}
	return out, ctx.Err()
}

func newTally(queries int) *tally {
	t := &tally{failKinds: make(map[eval.FailureKind]int), values: make(map[string][]float64)}
	for _, m := range metrics.All() {
		t.values[m.Name] = slices.Repeat([]float64{math.NaN()}, queries)
	}
	return t
}

const (
	keepBytes  = 4 << 20 // most that Build keeps of replies
	replyBytes = 1 << 10 // about what a reply takes beside its text
)

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

func (t *tally) add(r eval.ScoredReply, query int) {
	if f := r.Reply.Failure; f != nil {
		t.failures++
		t.failKinds[f.Kind]++
		return
	}
	t.replies++
	t.tokens.add(r.Reply.Usage)
	t.latencyMS = append(t.latencyMS, float64(r.Reply.Timing.Latency())/1e6)
	if e := r.Reply.Energy; e != nil {
		t.spent = append(t.spent, spentEnergy{start: r.Reply.Timing.Start, end: r.Reply.Timing.End, energy: *e})
	}
	for _, s := range r.Scores {
		if values, ok := t.values[s.Metric]; ok && s.Status == metrics.Scored {
			values[query] = s.Value
		}
	}
	for _, f := range r.Flags {
		switch f {
		case "negated":
			t.negated++
		case "em_disagrees":
			t.disagree++
		}
	}
}

// tokenSums adds up counts. A sum exists where every reply has its count.
type tokenSums struct {
	replies            int
	prompt, completion tokenSum
}

type tokenSum struct{ n, counted int }

func (t *tokenSums) add(u eval.Usage) {
	t.replies++
	t.prompt.add(u.PromptTokens)
	t.completion.add(u.CompletionTokens)
}

func (s *tokenSum) add(n *int) {
	if n != nil {
		s.n += *n
		s.counted++
	}
}

func (t *tokenSums) usage() eval.Usage {
	return eval.Usage{PromptTokens: t.prompt.of(t.replies), CompletionTokens: t.completion.of(t.replies)}
}

func (s tokenSum) of(replies int) *int {
	if s.counted < replies {
		return nil
	}
	return &s.n
}

func number(n *int) *float64 {
	if n == nil {
		return nil
	}
	f := float64(*n)
	return &f
}

// scored lists the values of one metric that exist.
func (t *tally) scored(metric string) []float64 {
	out := make([]float64, 0, len(t.values[metric]))
	for _, v := range t.values[metric] {
		if !math.IsNaN(v) {
			out = append(out, v)
		}
	}
	return out
}

// model turns the tally into the figures that need no energy.
func (t *tally) model(m eval.Model, rec eval.RunRecord) Model {
	out := Model{Model: m, Replies: t.replies, Failures: t.failures, FailKinds: t.failKinds,
		Missing: len(rec.Plan.Queries.Queries) - t.replies - t.failures,
		GaveUp:  rec.GaveUp[m.Name], Tokens: t.tokens.usage(), Negated: t.negated, Disagree: t.disagree}
	out.DurationS = phaseSeconds(rec.Phases, m.Name, eval.PhaseAnswer)
	out.LoadS = phaseSeconds(rec.Phases, m.Name, eval.PhaseLoad)
	out.WarmupS = phaseSeconds(rec.Phases, m.Name, eval.PhaseWarmup)
	out.UnloadS = phaseSeconds(rec.Phases, m.Name, eval.PhaseUnload)
	out.TokensPerS = ratioOf(number(out.Tokens.CompletionTokens), out.DurationS)
	slices.Sort(t.latencyMS)
	out.LatencyMS = Latency{P50: t.percentile(0.50), P95: t.percentile(0.95), P99: t.percentile(0.99)}
	for _, def := range metrics.All() {
		xs := t.scored(def.Name)
		s := stat.MeanBootstrap
		if def.Binary {
			s = func(xs []float64, _ uint64) stat.Summary { return stat.MeanBinary(xs) }
		}
		out.Metrics = append(out.Metrics, Metric{Name: def.Name, Title: def.Title, Summary: s(xs, seed)})
		if def.Name == metrics.Cosine {
			out.Histograms.Cosine = histogram(xs, 20)
		}
	}
	out.Histograms.LatencyMS = histogram(t.latencyMS, 20)
	if rec.Scoring != nil {
		if f, ok := rec.Scoring.Floors[m.Name]; ok {
			out.Floor = &f
		}
	}
	return out
}

func (t *tally) percentile(p float64) *float64 {
	if v, ok := stat.Percentile(t.latencyMS, p); ok {
		return &v
	}
	return nil
}

// phaseSeconds is the time in phases of one name: of all processes of the run,
// and of all its hosts, which work at the same time.
func phaseSeconds(phases []eval.Phase, model string, name eval.PhaseName) *float64 {
	var spans []span
	for _, p := range phases {
		if p.Model == model && p.Name == name {
			spans = append(spans, span{p.Start, p.End})
		}
	}
	return unionSeconds(spans)
}

// ratio is a/b, nil where b is nil or not above 0.
func ratio(a float64, b *float64) *float64 {
	if b == nil || *b <= 0 {
		return nil
	}
	v := a / *b
	return &v
}

// histogram counts xs in bins of equal width from the lowest to the highest.
func histogram(xs []float64, bins int) *Histogram {
	if len(xs) == 0 {
		return nil
	}
	lo, hi := slices.Min(xs), slices.Max(xs)
	if hi == lo {
		return &Histogram{Low: lo, Width: 1, Counts: []int{len(xs)}}
	}
	h := &Histogram{Low: lo, Width: (hi - lo) / float64(bins), Counts: make([]int, bins)}
	for _, x := range xs {
		h.Counts[min(int((x-lo)/h.Width), bins-1)]++
	}
	return h
}

// compare tests every other model against the reference on the queries that
// both have a score for, and corrects all tests together.
func compare(p eval.Plan, t []*tally) []Comparison {
	ref := slices.IndexFunc(p.Models, func(m eval.Model) bool { return m.Role == eval.RoleReference })
	if ref < 0 {
		return nil
	}
	var out []Comparison
	for i, m := range p.Models {
		if i == ref {
			continue
		}
		for _, def := range metrics.All() {
			c := Comparison{Metric: def.Name, Title: def.Title, Model: m.Name, Reference: p.Models[ref].Name}
			c.Comparison = pair(t[i], t[ref], def)
			if def.Binary && c.N > 0 {
				c.Same = concordant(t[i], t[ref], def)
			}
			out = append(out, c)
		}
	}
	correct(out)
	return out
}

func pair(a, b *tally, m metrics.Metric) stat.Comparison {
	var xs, ys []float64
	for q, x := range a.values[m.Name] {
		if y := b.values[m.Name][q]; !math.IsNaN(x) && !math.IsNaN(y) {
			xs, ys = append(xs, x), append(ys, y)
		}
	}
	return stat.ComparePaired(xs, ys, m.Binary, seed)
}

// concordant counts the queries on which both are right, or both wrong.
func concordant(a, b *tally, m metrics.Metric) *Concordant {
	var out Concordant
	for q, x := range a.values[m.Name] {
		switch y := b.values[m.Name][q]; {
		case x == 1 && y == 1:
			out.Right++
		case x == 0 && y == 0:
			out.Wrong++
		}
	}
	return &out
}

func correct(cs []Comparison) {
	var ps []float64
	var at []int
	for i, c := range cs {
		if c.N > 0 {
			ps, at = append(ps, c.P), append(at, i)
		}
	}
	for k, p := range stat.Holm(ps) {
		cs[at[k]].PHolm = &p
	}
}

func categories(p eval.Plan, t []*tally) []Category {
	var out []Category
	at := make(map[string]int)
	queries := make(map[string][]int)
	for i, q := range p.Queries.Queries {
		if q.Category == "" {
			continue
		}
		if _, ok := at[q.Category]; !ok {
			at[q.Category] = len(out)
			out = append(out, Category{Name: q.Category})
		}
		queries[q.Category] = append(queries[q.Category], i)
	}
	for i := range out {
		c := &out[i]
		c.N = len(queries[c.Name])
		for _, m := range t {
			var sum, n float64
			for _, q := range queries[c.Name] {
				if v := m.values[metrics.EM][q]; !math.IsNaN(v) {
					sum, n = sum+v, n+1
				}
			}
			c.EM = append(c.EM, ratio(sum, &n))
		}
	}
	return out
}

// percent says a share for people, to three digits; those before the point
// are never dropped.
func percent(x float64) string {
	x *= 100
	if math.Abs(x) >= 1000 {
		return Fixed(&x, 0) + " %"
	}
	return fmt.Sprintf("%.3g %%", x)
}
