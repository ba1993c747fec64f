package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
)

// significant is the level at which a difference is called real.
const significant = 0.05

// floorEM is the lower end of em's interval below which a model is at the floor:
// so few right replies carry no ratio.
const floorEM = 0.02

// atFloor reports whether a model's em can hardly be told from none, or from
// chance.
func (m Model) atFloor() bool {
	em := m.Metric(metrics.EM)
	return em.N > 0 && (em.Lo < floorEM || em.Chance != nil && em.Lo <= *em.Chance)
}

// headlines say in one sentence a model what its figures come to.
func headlines(r Report, t []*tally) []string {
	ref := slices.IndexFunc(r.Models, func(m Model) bool { return m.Model.Role == eval.RoleReference })
	var out []string
	for i, m := range r.Models {
		switch {
		case m.Metric(metrics.EM).N == 0:
			out = append(out, m.Model.Name+" has no reply that could be scored.")
		case i == ref || ref < 0 || r.Models[ref].Metric(metrics.EM).N == 0:
			out = append(out, found(m)+".")
		default:
			out = append(out, against(r, t, i, ref))
		}
	}
	return out
}

// found says how many replies hold the keyword.
func found(m Model) string {
	em := m.Metric(metrics.EM)
	chance := ""
	of := "replies"
	if em.Samples > 1 {
		of = fmt.Sprintf("queries, each asked %d times", em.Samples)
	}
	if em.Chance != nil {
		chance = ", by chance " + percent(*em.Chance)
	}
	return fmt.Sprintf("%s has the keyword in %s of its %d %s (95 %% interval %s to %s%s)", m.Model.Name, percent(em.Mean), em.N, of, percent(em.Lo), percent(em.Hi), chance)
}

// against compares model i with the reference, and with the other models that
// it cannot be told from.
func against(r Report, t []*tally, i, ref int) string {
	m, base := r.Models[i], r.Models[ref]
	parts := []string{kept(r, m, base) + cost(m, base)}
	if m.atFloor() && base.atFloor() {
		parts = append(parts, fmt.Sprintf("both are at the floor of exact match (%s has %s), where no ratio can be told", base.Model.Name, percent(base.Metric(metrics.EM).Mean)))
	}
	parts = append(parts, r.differs(m)...)
	for j, other := range r.Models {
		if j == i || j == ref || other.Metric(metrics.EM).N == 0 {
			continue
		}
		if c := emPair(t, i, j); c.N > 0 && c.P >= significant {
			parts = append(parts, fmt.Sprintf("the difference from %s is within noise (p %s, not corrected)", other.Model.Name, equals(&c.P)))
		}
	}
	return strings.Join(parts, "; ") + "."
}

// kept says which share of the reference's exact match a model keeps, where
// there is enough to tell.
func kept(r Report, m, base Model) string {
	c := r.comparison(metrics.EM, m.Model.Name)
	if alike(c) && !base.atFloor() {
		return fmt.Sprintf("%s is right on the same %d of %d queries as %s, and on no other", m.Model.Name, c.Same.Right, c.N, base.Model.Name)
	}
	if c.Same != nil && !base.atFloor() {
		if ratio, lo, hi, ok := stat.RatioPaired(c.Same.Right, c.Wins, c.Losses, stat.Confidence); ok {
			return fmt.Sprintf("%s keeps %s of %s's exact match (95 %% interval %s to %s)", m.Model.Name, percent(ratio), base.Model.Name, percent(lo), percent(hi))
		}
	}
	return found(m)
}

// alike reports whether two models have the same queries right, so that there
// is no difference to test.
func alike(c Comparison) bool { return c.Same != nil && c.Same.Right > 0 && c.Wins+c.Losses == 0 }

// cost sets the time and the energy of an answered query against the
// reference's; empty where neither can be.
func cost(m, base Model) string {
	var shares []string
	if share := ratioOf(m.SecondsPerReply, base.SecondsPerReply); share != nil {
		shares = append(shares, times(*share)+" the time")
	}
	if comparable(m.Energy, base.Energy) {
		if share := ratioOf(m.Energy.WhPer1000, base.Energy.WhPer1000); share != nil {
			shares = append(shares, times(*share)+" the energy")
		}
	}
	if shares == nil {
		return ""
	}
	s := fmt.Sprintf(", at %s of %s per answered query (%d and %d answered)", strings.Join(shares, " and "), base.Model.Name, m.Replies, base.Replies)
	if why := lengthsDiffer(m, base); why != "" {
		s += ", " + why
	}
	return s
}

// times says a ratio: from 2 on as a factor, below as a share.
func times(x float64) string {
	if x >= 2 {
		return Significant(&x, 3) + " times"
	}
	return percent(x) + " of"
}

// Bounds of a ratio that is worth a word.
const (
	clearlyMore = 1.1
	clearlyLess = 1 / clearlyMore
)

// lengthsDiffer says where longer or shorter replies, not slower or faster
// tokens, are why a model takes longer or less long; else it is empty.
func lengthsDiffer(m, base Model) string {
	time, rate := ratioOf(m.SecondsPerReply, base.SecondsPerReply), ratioOf(m.TokensPerS, base.TokensPerS)
	length := ratioOf(m.Lengths.MeanTokens, base.Lengths.MeanTokens)
	if time == nil || rate == nil || length == nil {
		return ""
	}
	means := fmt.Sprintf("%s tokens on average against %s, %s against %s cut by length", Significant(m.Lengths.MeanTokens, 3), Significant(base.Lengths.MeanTokens, 3),
		m.cutShare(), base.cutShare())
	switch {
	case *time > clearlyMore && *length > clearlyMore && *rate >= clearlyLess:
		return "because its replies are longer (" + means + "), not its tokens slower"
	case *time < clearlyLess && *length < clearlyLess && *rate <= clearlyMore:
		return "because its replies are shorter (" + means + "), not its tokens faster"
	}
	return ""
}

func (m Model) cutShare() string {
	replies := float64(m.Replies)
	share := ratio(float64(m.Lengths.ByLength), &replies)
	if share == nil {
		return None
	}
	return percent(*share)
}

// differs says whether em tells a model from the reference, and where it does
// not, which metrics do.
func (r Report) differs(m Model) []string {
	em := r.comparison(metrics.EM, m.Model.Name)
	if em.PHolm == nil || *em.PHolm < significant {
		return nil
	}
	var out []string
	if !alike(em) {
		out = append(out, fmt.Sprintf("the difference from %s in exact match is within noise (p %s, with Holm's correction %s)", em.Reference, equals(&em.P), equals(em.PHolm)))
	}
	var others []string
	for _, c := range r.Comparisons {
		if c.Model == m.Model.Name && c.PHolm != nil && *c.PHolm < significant {
			others = append(others, fmt.Sprintf("%s by %s (corrected p %s)", c.Title, Signed(&c.Difference, Decimals(c.Metric)), equals(c.PHolm)))
		}
	}
	if others != nil {
		out = append(out, "what does differ is "+strings.Join(others, ", "))
	}
	return out
}

// equals writes a p-value after its sign.
func equals(p *float64) string {
	if s := PValue(p); strings.HasPrefix(s, "<") {
		return s
	}
	return "= " + PValue(p)
}

// comparison is the one of a metric and a model with the reference.
func (r Report) comparison(metric, model string) Comparison {
	i := slices.IndexFunc(r.Comparisons, func(c Comparison) bool { return c.Metric == metric && c.Model == model })
	if i < 0 {
		return Comparison{}
	}
	return r.Comparisons[i]
}

func emPair(t []*tally, i, j int) stat.Comparison {
	em, _ := metrics.Named(metrics.EM)
	return pair(t[i], t[j], em)
}

func ratioOf(a, b *float64) *float64 {
	if a == nil {
		return nil
	}
	return ratio(*a, b)
}

// comparable reports whether two energies may be set against each other.
func comparable(a, b Energy) bool {
	return a.Quality == b.Quality && a.Method == b.Method && a.Quality != emissions.Unavailable
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
