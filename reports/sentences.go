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

// headlines say in one sentence a model what its figures come to.
func headlines(r Report, t []*tally) []string {
	ref := slices.IndexFunc(r.Models, func(m Model) bool { return m.Model.Role == eval.RoleReference })
	var out []string
	for i, m := range r.Models {
		s := m.Metric(metrics.EM)
		switch {
		case s.N == 0:
			out = append(out, m.Model.Name+" has no reply that could be scored.")
		case i == ref || ref < 0 || r.Models[ref].Metric(metrics.EM).N == 0:
			out = append(out, fmt.Sprintf("%s has the keyword in %s of its %d replies (95 %% interval %s to %s).",
				m.Model.Name, percent(s.Mean), s.N, percent(s.Lo), percent(s.Hi)))
		default:
			out = append(out, against(r, t, i, ref))
		}
	}
	return out
}

// against compares model i with the reference, and with the other models that
// it cannot be told from.
func against(r Report, t []*tally, i, ref int) string {
	m, base := r.Models[i], r.Models[ref]
	var b strings.Builder
	if mean := base.Metric(metrics.EM).Mean; mean > 0 {
		fmt.Fprintf(&b, "%s keeps %s of %s's exact match", m.Model.Name, percent(m.Metric(metrics.EM).Mean/mean), base.Model.Name)
	} else {
		fmt.Fprintf(&b, "%s has the keyword in %s of its replies, %s in none", m.Model.Name, percent(m.Metric(metrics.EM).Mean), base.Model.Name)
	}
	if share := ratioOf(m.DurationS, base.DurationS); share != nil {
		fmt.Fprintf(&b, " at %s of its time", percent(*share))
	}
	if comparable(m.Energy, base.Energy) {
		if share := ratioOf(m.Energy.Wh, base.Energy.Wh); share != nil {
			fmt.Fprintf(&b, " and %s of its energy", percent(*share))
		}
	}
	if p := r.emHolm(m.Model.Name); p != nil && *p >= significant {
		fmt.Fprintf(&b, "; the difference to it is within noise (p = %s, Holm-corrected)", PValue(p))
	}
	for j, other := range r.Models {
		if j == i || j == ref || other.Metric(metrics.EM).N == 0 {
			continue
		}
		if c := emPair(t, i, j); c.N > 0 && c.P >= significant {
			fmt.Fprintf(&b, "; the difference to %s is within noise (p = %s)", other.Model.Name, PValue(&c.P))
		}
	}
	return b.String() + "."
}

// emHolm is the corrected p of a model's em against the reference's, as the
// table of comparisons states it.
func (r Report) emHolm(model string) *float64 {
	i := slices.IndexFunc(r.Comparisons, func(c Comparison) bool { return c.Metric == metrics.EM && c.Model == model })
	return r.Comparisons[i].PHolm
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

// warnings says what a reader must know before believing the figures.
func warnings(r Report) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, m := range r.Models {
		name := m.Model.Name
		if m.GaveUp != "" {
			add("%s was given up: %s. Go on with --resume.", name, m.GaveUp)
		}
		if m.Missing > 0 {
			add("%s: %d of %d queries have no outcome; the run is partial.", name, m.Missing, r.Queries.N)
		}
		if m.Failures > 0 {
			add("%s: failures: %d. They are neither right nor wrong and enter no mean.", name, m.Failures)
		}
		if m.Energy.Quality == emissions.Partial || (m.Energy.Quality == emissions.Unavailable && m.Replies > 0) {
			add("%s: energy is %s: %s", name, m.Energy.Quality, m.Energy.Reason)
		}
		for _, w := range m.Metric(metrics.EM).Warnings {
			add("%s, em: %s", name, w)
		}
	}
	out = append(out, energyWarnings(r)...)
	if d, ok := stat.MinimumDetectable(r.Queries.N, 0.10, 0.80); ok {
		add("With %d queries, a difference in em below about %.1f points cannot be told from noise (80 %% power where two models disagree on 10 %% of the queries).", r.Queries.N, 100*d)
	} else {
		add("With %d queries, a difference in em can hardly be told from noise at all (80 %% power where two models disagree on 10 %% of the queries).", r.Queries.N)
	}
	if r.Plan.Reference() == nil && len(r.Models) > 1 {
		add("No model has role: reference, so no model is tested against another.")
	}
	return out
}

// energyWarnings names for each warning of the meters all the models that it
// is of: on one machine it mostly is of every one.
func energyWarnings(r Report) []string {
	var kinds, said, out []string
	of := make(map[string][]string)
	for _, m := range r.Models {
		for _, w := range m.Energy.Warnings {
			if of[w] == nil {
				said = append(said, w)
			}
			of[w] = append(of[w], m.Model.Name)
		}
	}
	for _, w := range said {
		out = append(out, fmt.Sprintf("%s, energy: %s", strings.Join(of[w], ", "), w))
	}
	for _, m := range r.Models {
		if kind := strings.TrimSpace(m.Energy.Method + " " + string(m.Energy.Quality)); !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) > 1 {
		out = append(out, "The models' energies were obtained in different ways ("+strings.Join(kinds, "; ")+") and must not be ranked against each other.")
	}
	return out
}

// summarizeReviews sets people's verdicts beside em and beside each other;
// "unsure" enters neither.
func summarizeReviews(reviews []eval.Review, p eval.Plan, t []*tally) *ReviewSummary {
	if len(reviews) == 0 {
		return nil
	}
	out := &ReviewSummary{N: len(reviews)}
	by := make(map[string]map[eval.JobID]bool)
	for _, r := range reviews {
		if by[r.Reviewer] == nil {
			by[r.Reviewer] = make(map[eval.JobID]bool)
			out.Reviewers = append(out.Reviewers, r.Reviewer)
		}
		if r.Verdict != "unsure" {
			by[r.Reviewer][r.JobID] = r.Verdict == "right"
		}
	}
	slices.Sort(out.Reviewers)
	em := emByJob(p, t)
	for i, a := range out.Reviewers {
		out.WithEM = append(out.WithEM, agreement(a, "em", by[a], em))
		for _, b := range out.Reviewers[i+1:] {
			out.Between = append(out.Between, agreement(a, b, by[a], by[b]))
		}
	}
	return out
}

func emByJob(p eval.Plan, t []*tally) map[eval.JobID]bool {
	out := make(map[eval.JobID]bool)
	for i, m := range p.Models {
		for q, v := range t[i].values[metrics.EM] {
			if !math.IsNaN(v) {
				out[eval.JobID{Model: m.Name, Query: p.Queries.Queries[q].ID}] = v == 1
			}
		}
	}
	return out
}

func agreement(a, b string, x, y map[eval.JobID]bool) ReviewAgreement {
	table := [][]int{{0, 0}, {0, 0}}
	index := map[bool]int{true: 0, false: 1}
	for job, v := range x {
		if w, ok := y[job]; ok {
			table[index[v]][index[w]]++
		}
	}
	return ReviewAgreement{A: a, B: b, Agreement: stat.Kappa(table)}
}
