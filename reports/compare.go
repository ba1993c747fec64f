package reports

import (
	"math"
	"slices"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
)

// compare tests every other model against the reference on the queries that
// both have a score for, and corrects all tests together. The score of a query
// that was asked more than once is the mean of its samples.
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
			if c.contradicts() {
				c.Warnings = append(c.Warnings, contradiction)
			}
			if t[i].binary(def) && c.N > 0 {
				c.Same = concordant(t[i], t[ref], def)
			}
			out = append(out, c)
		}
	}
	correct(out)
	return out
}

// contradiction is what a comparison is told of by whose interval 0 is out while
// its p says noise, or the reverse.
const contradiction = "interval and p disagree about 0: they are made in different ways, and so near the border either may be off; go by p"

func (c Comparison) contradicts() bool {
	return c.N > 0 && c.HasInterval && (c.Lo > 0 || c.Hi < 0) != (c.P < significant)
}

func pair(a, b *tally, m metrics.Metric) stat.Comparison { return pairWhere(a, b, m, everywhere) }

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
