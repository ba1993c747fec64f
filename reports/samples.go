package reports

import (
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
)

// Sampled is a reply's query under an ID that names the sample too, from the
// second on.
func Sampled(s eval.ScoredReply) queries.Query {
	q := s.Query
	if n := s.Reply.JobID.Sample; n > 0 {
		q.ID = fmt.Sprintf("%s sample %d", q.ID, n)
	}
	return q
}

// draws gathers the samples of one query in one metric.
type draws struct {
	n                         int
	sum, squares, lowest, top float64
}

func (d *draws) add(v float64) {
	if d.n == 0 {
		d.lowest, d.top = v, v
	}
	d.n++
	d.sum += v
	d.squares += v * v
	d.lowest, d.top = min(d.lowest, v), max(d.top, v)
}

func (d draws) mean() float64 { return d.sum / float64(d.n) }

// variance is that of the samples, without bias; ok is false for fewer than two.
func (d draws) variance() (v float64, ok bool) {
	if d.n < 2 {
		return 0, false
	}
	n := float64(d.n)
	return max(0, (d.squares-d.sum*d.sum/n)/(n-1)), true
}

// samples is what a model's tally keeps of a run that asks every query more than
// once; nil where it asks once.
type samples struct {
	per   int                // samples of a query, as planned
	draws map[string][]draws // by metric, then by query
	em    map[eval.JobID]bool
	texts []sameText // by query
}

// sameText tells whether all texts of a query are one.
type sameText struct {
	n      int
	first  uint64 // FNV-1a
	differ bool
}

func newSamples(p eval.Plan) *samples {
	if p.Samples <= 1 {
		return nil
	}
	s := &samples{per: p.Samples, draws: make(map[string][]draws), em: make(map[eval.JobID]bool), texts: make([]sameText, len(p.Queries.Queries))}
	for _, m := range metrics.Text() {
		s.draws[m.Name] = make([]draws, len(p.Queries.Queries))
	}
	return s
}

// add takes a score and returns the query's mean so far.
func (s *samples) add(r eval.Reply, score metrics.Score, query int) float64 {
	if score.Metric == metrics.EM {
		s.em[r.JobID] = score.Value == 1
	}
	d := &s.draws[score.Metric][query]
	d.add(score.Value)
	return d.mean()
}

// text takes a reply's text.
func (s *samples) text(text string, query int) {
	h := fnv.New64a()
	_, _ = io.WriteString(h, text) // a hash never fails to take bytes
	t := &s.texts[query]
	if t.n++; t.n == 1 {
		t.first = h.Sum64()
	}
	t.differ = t.differ || t.first != h.Sum64()
}

// spread states what the samples of the queries say of a metric: the spread
// between the queries' means, the spread within a query (pooled over the
// queries), the share of queries whose samples all agree, and of a metric that
// is 0 or 1 the share with any sample right.
func (s *samples) spread(def metrics.Metric, out *Metric) {
	out.Samples = s.per
	var means draws
	var within, repeated, alike, any, n float64
	for _, d := range s.draws[def.Name] {
		if d.n == 0 {
			continue
		}
		n++
		means.add(d.mean())
		if d.top > 0 {
			any++
		}
		v, ok := d.variance()
		if !ok {
			continue
		}
		repeated++
		within += v
		if d.lowest == d.top {
			alike++
		}
	}
	if v, ok := means.variance(); ok {
		out.SDBetween = root(v)
	}
	if repeated > 0 {
		out.SDWithin = root(within / repeated)
		out.Identical = ratio(alike, &repeated)
	}
	if def.Binary {
		out.Any = ratio(any, &n)
	}
}

func root(v float64) *float64 {
	r := math.Sqrt(v)
	return &r
}

// binary reports whether every query's value of a metric is 0 or 1, as Wilson's
// interval and McNemar's test need. The means of several samples are not; then the
// bootstrap draws whole queries, for samples of one are no independent values.
func (t *tally) binary(m metrics.Metric) bool {
	return m.Binary && (t.samples == nil || t.samples.draws[m.Name] == nil)
}

// spread adds what samples say of a metric, where there are any.
func (t *tally) spread(m metrics.Metric, out *Metric) {
	if t.samples != nil && t.samples.draws[m.Name] != nil {
		t.samples.spread(m, out)
	}
}

// identicalTexts is the share of the queries with several texts, of which all
// are one; nil where there is no such query.
func (s *samples) identicalTexts() *float64 {
	var same, several float64
	for _, t := range s.texts {
		if t.n < 2 {
			continue
		}
		if several++; !t.differ {
			same++
		}
	}
	return ratio(same, &several)
}

// determinism says where samples at temperature 0, which should be one text,
// are not; empty where they are, or where temperature draws them.
func (t *tally) determinism(m eval.Model, p eval.Plan) string {
	if t.samples == nil || m.Generation.Temperature != 0 {
		return ""
	}
	var differ []string
	same := 0
	for i, text := range t.samples.texts {
		switch {
		case text.differ:
			differ = append(differ, p.Queries.Queries[i].ID)
		case text.n == t.samples.per:
			same++
		}
	}
	if differ == nil {
		return ""
	}
	named := strings.Join(differ[:min(len(differ), mostNamed)], ", ")
	if more := len(differ) - mostNamed; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%s: at temperature 0, %d of %d queries gave the same text %d times; %d did not (%s). That is the noise of its server: no difference smaller than it means anything.",
		m.Name, same, len(p.Queries.Queries), t.samples.per, len(differ), named)
}
