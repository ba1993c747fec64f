package reports

import (
	"fmt"
	"math"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/likelihood"
	"github.com/disteval/disteval/metrics/stat"
)

// Rivalry compares two models by what they say and by what they know.
type Rivalry struct {
	A, B      string          // models, in the plan's order
	EM        stat.Comparison // on all queries
	Bits      stat.Comparison // answer_bits, on all queries
	BothWrong stat.Comparison // answer_bits, on the queries that both get wrong, where em says nothing at all
	PHolm     *float64        // of BothWrong, corrected over all rivalries; nil where there is no p
}

// Fidelity is how far a model's predictions lie from the reference's, on the
// reference's own replies. It is a distance: it does not say which is right.
type Fidelity struct {
	Model, Reference string
	Tokens           int    // positions that were compared
	Reason           string // why there are none, or fewer than asked for
	SameTop1         stat.Summary
	KLD              stat.Summary
	KLDAt            struct{ P50, P95, P99, Max *float64 }
	KLDBound         metrics.Bound
	DeltaP           stat.Summary
	DeltaPRMS        *float64      // root mean square; at least so much where DeltaPBound is set
	DeltaPBound      metrics.Bound // of the mean
	Flips            *Flips        // nil where the two have no query in common
}

// Knowledge is what a model makes of one query's answer, beside what it said.
type Knowledge struct {
	Query     string   // ID
	Bits      *float64 // answer_bits; nil where they are not known
	Bound     metrics.Bound
	Rank      int // of the first token of any form; 0: not known
	RankBound metrics.Bound
	Chosen    string   // among the candidates; empty: none or not known
	Choice    *float64 // 1 where that is the right one
	EM        *float64 // nil without a scored reply
}

// Silent reports whether the model knows the answer and does not say it: it
// would choose it, or write it next, and its reply is wrong.
func (k Knowledge) Silent() bool {
	knows := k.Choice != nil && *k.Choice == 1 || k.Rank == 1 && k.RankBound == metrics.Exact
	return knows && k.EM != nil && *k.EM == 0
}

// mostKnowledge bounds the queries that a report lists one by one.
const mostKnowledge = 2000

// knowledge lists the first queries of which anything is known.
func (t *tally) knowledge(p eval.Plan) []Knowledge {
	var out []Knowledge
	bits := t.column(metrics.AnswerBits)
	for q, query := range p.Queries.Queries[:min(mostKnowledge, len(p.Queries.Queries))] {
		k := Knowledge{Query: query.ID, Chosen: t.probed.chosen[q], Rank: t.probed.ranks[q].rank, RankBound: t.probed.ranks[q].bound,
			EM: known(t.values[metrics.EM][q]), Choice: known(t.values[metrics.Choice][q])}
		if s, ok := bits.score(q); ok {
			k.Bits, k.Bound = &s.Value, s.Bound
		}
		if k.Bits != nil || k.Rank > 0 || k.Choice != nil {
			out = append(out, k)
		}
	}
	return out
}

func known(x float64) *float64 {
	if math.IsNaN(x) {
		return nil
	}
	return &x
}

// ranked is the best rank of any form of an answer.
type ranked struct {
	rank  int // 0: not known
	bound metrics.Bound
}

// probed gathers what a model's probes yield, by query.
type probed struct {
	queries      int
	bounds       map[string][]bound        // by metric; nil where none is scored
	chance       []float64                 // of a blind choice, where there was one
	ranks        []ranked                  // of the queries that are listed
	chosen       []string                  // as ranks
	divergences  [][]likelihood.Divergence // nil where there are none
	incomparable string                    // the first reason
	unknown      string                    // the first reason why an answer's bits are not known
}

// bound is a metrics.Bound in a byte: a large run has one for each score.
type bound uint8

// allBounds are what bounds stand for.
var allBounds = [...]metrics.Bound{metrics.Exact, metrics.AtLeast, metrics.AtMost}

func boundOf(b metrics.Bound) bound { return bound(slices.Index(allBounds[:], b)) }

func newProbed(queries int, incomparable string) probed {
	listed := min(mostKnowledge, queries)
	return probed{queries: queries, incomparable: incomparable, ranks: make([]ranked, listed), chosen: make([]string, listed)}
}

// ownScores gives the tally scores of its own to write to. Until a model has one,
// all share the same blanks: in a large run without probabilities they would
// take more room than the rest.
func (t *tally) ownScores() {
	if t.probed.bounds != nil {
		return
	}
	t.probed.bounds = make(map[string][]bound)
	for _, m := range metrics.Likelihood() {
		t.probed.bounds[m.Name] = make([]bound, t.probed.queries)
		t.values[m.Name] = unknowns(t.probed.queries)
	}
}

// addLikelihood takes in the scores that follow from probabilities. They are of
// the query, whether or not it was answered.
func (t *tally) addLikelihood(r eval.ScoredReply, query int) {
	if r.Reply.Sample != 0 {
		return
	}
	for _, m := range metrics.Likelihood() {
		s := metrics.Find(r.Scores, m.Name)
		switch {
		case s.Status == metrics.Scored:
			t.ownScores()
			t.values[m.Name][query], t.probed.bounds[m.Name][query] = s.Value, boundOf(s.Bound)
		case m.Name == metrics.AnswerBits && t.probed.unknown == "":
			t.probed.unknown = s.Reason
		}
	}
	if r.Probe == nil {
		return
	}
	if choice := metrics.Find(r.Scores, metrics.Choice); choice.Status == metrics.Scored {
		t.probed.chance = append(t.probed.chance, 1/float64(len(r.Probe.Choices)))
	}
	if listed := query < len(t.probed.ranks); listed && len(r.Probe.Answers) > 0 {
		a := likelihood.Score(r.Probe.Answers)
		t.probed.ranks[query] = ranked{a.Rank, a.RankBound}
	}
	if listed := query < len(t.probed.chosen); listed && len(r.Probe.Choices) > 0 {
		t.probed.chosen[query] = likelihood.Choose(r.Probe.Choices[0], r.Probe.Choices[1:]).Chosen
	}
	if len(r.Probe.Divergences) > 0 {
		if t.probed.divergences == nil {
			t.probed.divergences = make([][]likelihood.Divergence, t.probed.queries)
		}
		t.probed.divergences[query] = r.Probe.Divergences
	}
	if t.probed.incomparable == "" {
		t.probed.incomparable = r.Probe.Incomparable
	}
}

// scoreColumn is one metric's scores by query.
type scoreColumn struct {
	metric string
	values []float64
	bounds []bound // nil: all are exact
}

func (t *tally) column(metric string) scoreColumn {
	return scoreColumn{metric, t.values[metric], t.probed.bounds[metric]}
}

// score is one query's score, as far as it is known.
func (c scoreColumn) score(query int) (s metrics.Score, ok bool) {
	s = metrics.Score{Metric: c.metric, Value: c.values[query], Status: metrics.Scored}
	if c.bounds != nil {
		s.Bound = allBounds[c.bounds[query]]
	}
	return s, !math.IsNaN(s.Value)
}

// mean is a metric's mean. One that holds bounds is a bound itself, without an
// interval: where some are lower bounds, upper ones count as the metric's least.
func (t *tally) mean(def metrics.Metric) Metric {
	out := Metric{Name: def.Name, Title: def.Title}
	var xs []float64
	var upper []int
	column := t.column(def.Name)
	for q := range column.values {
		s, ok := column.score(q)
		if !ok {
			continue
		}
		switch s.Bound {
		case metrics.AtLeast:
			out.Bound = metrics.AtLeast
			out.BoundedN++
		case metrics.AtMost:
			upper = append(upper, len(xs))
			out.BoundedN++
		}
		xs = append(xs, s.Value)
	}
	if out.Bound == metrics.AtLeast {
		for _, i := range upper {
			xs[i] = def.Min
		}
	} else if len(upper) > 0 {
		out.Bound = metrics.AtMost
	}
	if t.binary(def) {
		out.Summary = stat.MeanBinary(xs)
	} else {
		out.Summary = stat.MeanBootstrap(xs, seed)
	}
	if out.Bound != metrics.Exact {
		out.Lo, out.Hi, out.HasInterval, out.Method = 0, 0, false, ""
		out.Warnings = []string{fmt.Sprintf("n = %d: %d are bounds, so the mean is %s", out.N, out.BoundedN, boundWords[out.Bound])}
	}
	t.spread(def, &out)
	if def.Name == metrics.Choice && len(t.probed.chance) > 0 {
		mean := stat.MeanBootstrap(t.probed.chance, seed).Mean
		out.Chance = &mean
	}
	return out
}

var boundWords = map[metrics.Bound]string{metrics.AtLeast: "at least this", metrics.AtMost: "at most this"}

// pairWhere compares two models' scores on the queries that keep is true of. A
// pair of which one is a bound makes it a comparison of orders.
func pairWhere(a, b *tally, m metrics.Metric, keep func(query int) bool) stat.Comparison {
	var xs, ys []float64
	var wins, losses, ties, undecided int
	bounded := false
	ofA, ofB := a.column(m.Name), b.column(m.Name)
	for q := range ofA.values {
		x, okX := ofA.score(q)
		y, okY := ofB.score(q)
		if !okX || !okY || !keep(q) {
			continue
		}
		bounded = bounded || x.Bound != metrics.Exact || y.Bound != metrics.Exact
		xs, ys = append(xs, x.Value), append(ys, y.Value)
		switch order, known := metrics.Compare(x, y); {
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
	if bounded {
		return stat.Signs(wins, losses, ties, undecided)
	}
	return stat.ComparePaired(xs, ys, a.binary(m), seed)
}

func everywhere(int) bool { return true }

// mostRivals bounds the models of which every two are compared.
const mostRivals = 12

// rivals compares every two models of which anything is known beyond em.
func rivals(p eval.Plan, t []*tally) []Rivalry {
	em, _ := metrics.Named(metrics.EM)
	bits, _ := metrics.Named(metrics.AnswerBits)
	var out []Rivalry
	for i := range t[:min(len(t), mostRivals)] {
		for j := i + 1; j < min(len(t), mostRivals); j++ {
			a, b := t[i], t[j]
			r := Rivalry{A: p.Models[i].Name, B: p.Models[j].Name,
				EM: pairWhere(a, b, em, everywhere), Bits: pairWhere(a, b, bits, everywhere)}
			r.BothWrong = pairWhere(a, b, bits, func(q int) bool { return a.values[em.Name][q] == 0 && b.values[em.Name][q] == 0 })
			if r.Bits.N > 0 {
				out = append(out, r)
			}
		}
	}
	var ps []float64
	var at []int
	for i, r := range out {
		if r.BothWrong.N > 0 {
			ps, at = append(ps, r.BothWrong.P), append(at, i)
		}
	}
	for k, v := range stat.Holm(ps) {
		out[at[k]].PHolm = &v
	}
	return out
}

// unknownBits warns of models that were to say how probable the right answers
// are, and did not or cannot.
func unknownBits(p eval.Plan, t []*tally) []string {
	var out []string
	for i, m := range p.Models {
		n := len(t[i].scored(metrics.AnswerBits))
		switch {
		case p.Unasked(m) && t[i].replies > 0:
			out = append(out, fmt.Sprintf("%s: how probable the right answers are to it is not known: %s.", m.Name, p.NoProbe(m, nil)))
		case p.Probing(m).Answers && n < t[i].replies:
			out = append(out, fmt.Sprintf("%s: how probable the right answer is, is not known for %d of %d queries. The first: %s.", m.Name, t[i].replies-n, t[i].replies, t[i].probed.unknown))
		}
	}
	return out
}

// beyondEM says where what two models know separates them and what they say
// does not, and the other way round; by p that are corrected over all pairs.
func beyondEM(rs []Rivalry) []string {
	em := corrected(rs, func(r Rivalry) stat.Comparison { return r.EM })
	bits := corrected(rs, func(r Rivalry) stat.Comparison { return r.Bits })
	var out []string
	for i, r := range rs {
		said, knows := em[i] < significant, bits[i] < significant
		switch {
		case knows && !said:
			out = append(out, fmt.Sprintf("Between %s and %s no difference in exact match can be told (%s); %s (%s).",
				r.A, r.B, PText(&em[i]), r.surprise(), PText(&bits[i])))
		case said && !knows:
			out = append(out, fmt.Sprintf("%s and %s differ in exact match (%s), but no difference in how probable the right answer is to them can be told (%s).",
				r.A, r.B, PText(&em[i]), PText(&bits[i])))
		}
	}
	return out
}

// corrected are the p of one comparison of every pair, by Holm; 1 where there
// is none.
func corrected(rs []Rivalry, of func(Rivalry) stat.Comparison) []float64 {
	ps := make([]float64, len(rs))
	for i, r := range rs {
		if ps[i] = 1; of(r).N > 0 {
			ps[i] = of(r).P
		}
	}
	return stat.Holm(ps)
}

// surprise says which model finds the right answer less surprising.
func (r Rivalry) surprise() string {
	better, other := r.A, r.B
	if r.Bits.Losses < r.Bits.Wins || r.Bits.Test != "sign-exact" && r.Bits.Difference > 0 {
		better, other = r.B, r.A
	}
	if r.Bits.Test == "sign-exact" {
		return fmt.Sprintf("%s gives the right answer less surprise than %s on %d of the %d queries that the bounds decide",
			better, other, max(r.Bits.Wins, r.Bits.Losses), r.Bits.Wins+r.Bits.Losses)
	}
	size := math.Abs(r.Bits.Difference)
	return fmt.Sprintf("%s gives the right answer %s bits less surprise than %s", better, Fixed(&size, 1), other)
}
