package reports

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/queries"
)

// Changes is what became of the models that two runs share.
type Changes struct {
	Before, After string         // run IDs
	Differences   []string       // what decides answers or figures and is not the same: options, digests, versions, host, scoring
	Unpaired      string         // why no figure is paired; empty: they are
	Models        []ModelChanges // in the order asked for
	Others        []string       // models that only one of the runs has
}

// ModelChanges is what became of one model, on the queries that both runs asked
// in the same words and have a score for.
type ModelChanges struct {
	Paired                // of em
	Asked  int            // queries of the later run; those that are not paired were not asked, answered or scored in both
	Scores []MetricChange // of every metric asked for, em among them
}

// MetricChange is the paired difference of one metric, later less earlier.
type MetricChange struct {
	Metric, Title   string
	Before, After   float64 // means over the pairs
	stat.Comparison         // N is 0 where there is no pair
	PHolm           *float64
	Real            bool // PHolm is below 0.05; otherwise it is noise
}

// Facts lists what decides a run's answers and figures: the plan's facts, and
// what else can move figures.
func (r Report) Facts() []eval.Fact {
	scoring := None
	if r.Scoring != nil {
		scoring = fmt.Sprintf("embedding %s, prompt included: %t", r.Scoring.Scoring.Embedding, r.Scoring.Scoring.IncludePrompt)
	}
	return append(r.Plan.Facts(),
		eval.Fact{Name: "disteval", Value: r.ToolVersion},
		eval.Fact{Name: "host", Value: r.Host.Fingerprint()},
		eval.Fact{Name: "scoring", Value: scoring})
}

// Shared lists the models that both runs have, in the order of the later one.
func Shared(before, after Report) []string {
	var out []string
	for _, m := range after.Models {
		if before.has(m.Model.Name) {
			out = append(out, m.Model.Name)
		}
	}
	return out
}

func (r Report) has(model string) bool {
	return slices.ContainsFunc(r.Models, func(m Model) bool { return m.Model.Name == model })
}

// Between compares models of two runs, metric by metric on the same queries.
// The p of each metric are corrected for the number of models (Holm).
func Between(ctx context.Context, before, after Report, models []string, ms []metrics.Metric) (Changes, error) {
	c := Changes{Before: before.RunID, After: after.RunID, Differences: eval.Differences(before.Facts(), after.Facts())}
	for _, r := range []Report{before, after} {
		for _, m := range r.Models {
			if name := m.Model.Name; !before.has(name) || !after.has(name) {
				c.Others = append(c.Others, name)
			}
		}
	}
	if !sameScoring(before, after) {
		c.Unpaired = "the runs were scored in different ways; score one of them again with disteval score"
		return c, nil
	}
	was, err := rowsOf(ctx, before, models, ms)
	if err != nil {
		return c, fmt.Errorf("read the replies of run %s: %w", before.RunID, err)
	}
	is, err := rowsOf(ctx, after, models, ms)
	if err != nil {
		return c, fmt.Errorf("read the replies of run %s: %w", after.RunID, err)
	}
	for _, name := range models {
		c.Models = append(c.Models, changesOf(name, was, is, ms))
	}
	correctChanges(c.Models, ms)
	return c, quoteChanges(ctx, &c, before, after)
}

// Pair compares the models that two runs share in every metric, the earlier run
// with the later one.
func Pair(ctx context.Context, a, b Report) (Changes, error) {
	if b.Created.Before(a.Created) {
		a, b = b, a
	}
	return Between(ctx, a, b, Shared(a, b), metrics.All())
}

func sameScoring(a, b Report) bool {
	return a.Scoring != nil && b.Scoring != nil && a.Scoring.Scoring == b.Scoring.Scoring
}

// rows are a run's scores by model and query.
type rows struct {
	metrics   []metrics.Metric
	questions map[string]queries.Query
	asked     int // queries of a model
	order     map[string][]string
	at        map[[2]string]*row
}

// row is the scores of one model's replies to one query: their mean where it
// was asked several times.
type row struct {
	values  []metrics.Score // by rows.metrics; Unscored where there is none
	samples int
}

func rowsOf(ctx context.Context, r Report, models []string, ms []metrics.Metric) (*rows, error) {
	out := &rows{metrics: ms, questions: make(map[string]queries.Query), order: make(map[string][]string), at: make(map[[2]string]*row), asked: r.Queries.N}
	wanted := make(map[string]bool)
	for _, m := range models {
		wanted[m] = true
	}
	for s, err := range r.Replies(ctx) {
		if err != nil {
			return nil, err
		}
		if wanted[s.Reply.Model] && s.Reply.Failure == nil {
			out.add(s)
		}
	}
	return out, nil
}

func (r *rows) add(s eval.ScoredReply) {
	id := s.Reply.JobID
	if _, known := r.questions[id.Query]; !known {
		r.questions[id.Query] = s.Query
	}
	at := r.at[[2]string{id.Model, id.Query}]
	if at == nil {
		at = &row{values: make([]metrics.Score, len(r.metrics))}
		r.at[[2]string{id.Model, id.Query}] = at
		r.order[id.Model] = append(r.order[id.Model], id.Query)
	}
	at.samples++
	for i, m := range r.metrics {
		score := metrics.Find(s.Scores, m.Name)
		v := &at.values[i]
		switch {
		case at.samples == 1:
			*v = metrics.Score{Value: score.Value, Status: score.Status, Bound: score.Bound}
		case score.Status != metrics.Scored:
			v.Status = metrics.Unscored
		default:
			v.Value += (score.Value - v.Value) / float64(at.samples)
		}
	}
}

// sameQuestion reports whether a query asks and accepts the same in two runs.
func sameQuestion(a, b queries.Query) bool {
	return a.Prompt == b.Prompt && a.Keyword == b.Keyword && a.Reference == b.Reference && slices.Equal(a.Aliases, b.Aliases)
}

// pairs are one metric's values of one model in two runs.
type pairs struct {
	queries       []string
	before, after []metrics.Score
}

func changesOf(model string, was, is *rows, ms []metrics.Metric) ModelChanges {
	out := ModelChanges{Paired: Paired{Model: model}, Asked: is.asked}
	for i, m := range ms {
		var p pairs
		for _, q := range is.order[model] {
			a, b := was.at[[2]string{model, q}], is.at[[2]string{model, q}]
			if a == nil || a.values[i].Status != metrics.Scored || b.values[i].Status != metrics.Scored || !sameQuestion(was.questions[q], is.questions[q]) {
				continue
			}
			p.queries = append(p.queries, q)
			p.before, p.after = append(p.before, a.values[i]), append(p.after, b.values[i])
		}
		change := p.compare(m)
		out.Scores = append(out.Scores, change)
		if m.Name == metrics.EM {
			out.Paired = p.em(model, change)
		}
	}
	return out
}

// compare tests the pairs; where bounds are among them only their order is
// known.
func (p pairs) compare(m metrics.Metric) MetricChange {
	out := MetricChange{Metric: m.Name, Title: m.Title}
	var before, after []float64
	var wins, losses, ties, undecided int
	bounded := false
	for i, a := range p.after {
		before, after = append(before, p.before[i].Value), append(after, a.Value)
		bounded = bounded || a.Bound != metrics.Exact || p.before[i].Bound != metrics.Exact
		switch order, known := metrics.Compare(a, p.before[i]); {
		case !known:
			undecided++
		case order > 0:
			wins++
		case order < 0:
			losses++
		default:
			ties++
		}
	}
	out.Before, out.After = mean(before), mean(after)
	if bounded {
		out.Comparison = stat.Signs(wins, losses, ties, undecided)
	} else {
		between := func(x float64) bool { return x != 0 && x != 1 } // as means of samples may be
		binary := m.Binary && !slices.ContainsFunc(before, between) && !slices.ContainsFunc(after, between)
		out.Comparison = stat.ComparePaired(after, before, binary, seed)
	}
	return out
}

func mean(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / float64(len(xs))
}

// usual is the share of queries supposed to differ between two runs for the
// statement of power, where fewer do.
const usual = 0.10

// em says of em's pairs which queries changed, and what could have been told.
func (p pairs) em(model string, c MetricChange) Paired {
	out := Paired{Model: model, Before: c.Before, After: c.After, Comparison: c.Comparison}
	for i, q := range p.queries {
		switch was, is := p.before[i].Value, p.after[i].Value; {
		case is < was:
			out.NewlyWrong = append(out.NewlyWrong, Change{Query: q})
		case is > was:
			out.NewlyRight = append(out.NewlyRight, Change{Query: q})
		}
	}
	if c.N == 0 {
		return out
	}
	out.Discordance = max(usual, float64(c.Wins+c.Losses)/float64(c.N))
	if d, ok := stat.MinimumDetectable(c.N, out.Discordance, 0.8); ok {
		out.Detectable = &d
	}
	return out
}

// correctChanges corrects each metric's tests for the number of models.
func correctChanges(models []ModelChanges, ms []metrics.Metric) {
	for i, m := range ms {
		var ps []float64
		var of []*MetricChange
		for k := range models {
			if c := &models[k].Scores[i]; c.N > 0 {
				ps, of = append(ps, c.P), append(of, c)
			}
		}
		for k, p := range stat.Holm(ps) {
			of[k].PHolm, of[k].Real = &p, p < significant
		}
		for k := range models {
			if m.Name == metrics.EM {
				models[k].Paired.PHolm = models[k].Scores[i].PHolm
			}
		}
	}
}

// quote is a change whose texts are looked for: of several samples those in
// which it shows.
type quote struct {
	*Change
	wrong bool       // it is newly wrong
	em    [2]float64 // of the texts quoted so far, before and now
	known [2]bool
}

// quoteChanges goes over the replies once more for the texts of the queries
// whose em changed.
func quoteChanges(ctx context.Context, c *Changes, before, after Report) error {
	at := make(map[[2]string]*quote)
	for i := range c.Models {
		p := &c.Models[i].Paired
		for k := range p.NewlyWrong {
			at[[2]string{p.Model, p.NewlyWrong[k].Query}] = &quote{Change: &p.NewlyWrong[k], wrong: true}
		}
		for k := range p.NewlyRight {
			at[[2]string{p.Model, p.NewlyRight[k].Query}] = &quote{Change: &p.NewlyRight[k]}
		}
	}
	for i, r := range []Report{before, after} {
		if len(at) == 0 {
			return nil
		}
		for s, err := range r.Replies(ctx) {
			if err != nil {
				return fmt.Errorf("read the replies of run %s: %w", r.RunID, err)
			}
			if q := at[[2]string{s.Reply.Model, s.Reply.Query}]; q != nil && s.Reply.Failure == nil {
				q.take(s, i)
			}
		}
	}
	return nil
}

// take quotes a reply of the earlier run (0) or the later one (1).
func (q *quote) take(s eval.ScoredReply, run int) {
	em := metrics.Find(s.Scores, metrics.EM).Number()
	if em == nil {
		return
	}
	if wantLow := q.wrong == (run == 1); q.known[run] && (*em < q.em[run]) != wantLow || q.known[run] && *em == q.em[run] {
		return
	}
	q.em[run], q.known[run] = *em, true
	if run == 0 {
		q.Before = s.Reply.Text
		return
	}
	q.Prompt, q.Keyword, q.Reply = s.Query.Prompt, s.Query.Keyword, s.Reply.Text
}

// Verdict says what a metric's change comes to: better, worse, noise, or None
// where there is nothing to compare.
func (c MetricChange) Verdict() string {
	m, _ := metrics.Named(c.Metric)
	switch {
	case c.N == 0:
		return None
	case !c.Real:
		return "noise"
	}
	up := c.Difference > 0
	if c.Test == signTest {
		up = c.Wins > c.Losses
	}
	if up == (m.Better == metrics.Higher) {
		return "better"
	}
	return "worse"
}

// signTest is the test that knows the order of pairs alone.
const signTest = "sign-exact"

// Columns of a table of changes, one row a metric.
func (MetricChange) Columns() []string {
	return []string{"Metric", "Queries", "Before", "Now", "Difference [95 %]", "p", "corrected", ""}
}

// Cells are a metric's row under Columns.
func (c MetricChange) Cells() []string {
	if c.N == 0 {
		return []string{c.Title, "0", None, None, None, None, None, None}
	}
	decimals, difference := Decimals(c.Metric), None
	if c.Test != signTest {
		difference = Signed(&c.Difference, decimals)
	}
	if c.HasInterval {
		difference += " " + Interval(&c.Lo, &c.Hi, decimals)
	}
	return []string{c.Title, strconv.Itoa(c.N), Fixed(&c.Before, decimals), Fixed(&c.After, decimals), difference, PValue(&c.P), PValue(c.PHolm), c.Verdict()}
}

// Counts says how many queries changed, and how many could not be paired.
func (m ModelChanges) Counts() string {
	s := fmt.Sprintf("%d newly wrong, %d newly right of %d queries", len(m.NewlyWrong), len(m.NewlyRight), m.N)
	if m.N < m.Asked {
		s += fmt.Sprintf("; %d of the %d asked are not asked alike, answered and scored in both runs", m.Asked-m.N, m.Asked)
	}
	return s
}
