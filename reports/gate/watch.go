package gate

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

// Watch follows a run while its questions are asked and says when asking the
// others cannot change the verdict: a check must fail however they are
// answered, more replies failed than the file allows, or the run is none that
// the file is about. That is exact, no statistics. It looks at em and its kin,
// ROUGE-L, cosines by the built-in vectors and queries_right; the other
// measures are judged at the end. A failure, or a dump of answers, that would
// have come later could have made the whole run inconclusive; this is the one
// exception to its outranking a regression. Its methods may be called from
// several goroutines.
type Watch struct {
	expected Expected
	run      eval.RunRecord
	queries  map[string]queries.Query
	scoring  scoring.Config

	mu        sync.Mutex
	scorer    *scoring.Scorer
	tallies   map[string]*tally
	noted     map[eval.JobID]bool
	dumps     bool // that leave a check in doubt
	wordless  bool // em cannot be scored on every query
	judgement *reports.Judgement
}

// NewWatch watches a run from before its first question on.
func NewWatch(e Expected, run eval.RunRecord) *Watch {
	p := run.Plan
	w := &Watch{expected: e, run: run, queries: make(map[string]queries.Query), tallies: make(map[string]*tally), noted: make(map[eval.JobID]bool),
		scoring: scoring.Config{IncludePrompt: p.Scoring.IncludePrompt, Answers: scoring.NewAnswers(p.Queries)}}
	w.scorer = scoring.New(w.scoring)
	for _, q := range p.Queries.Queries {
		w.queries[q.ID] = q
		w.wordless = w.wordless || !scoring.Searchable(q)
	}
	for _, m := range e.Models {
		w.tallies[m.Name] = &tally{asked: p.RequestsPerModel(), samples: max(1, p.Samples), sums: make(map[string]sum)}
	}
	w.unlike()
	return w
}

// Judgement is what the run has come to; nil as long as it is open.
func (w *Watch) Judgement() *reports.Judgement {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.judgement
}

// Models are those that something is expected of.
func (w *Watch) Models() []string {
	var out []string
	for _, m := range w.expected.Models {
		out = append(out, m.Name)
	}
	return out
}

// unlike judges a run that asks other queries or models than the file is about.
func (w *Watch) unlike() {
	p := w.run.Plan
	c := checker{expected: w.expected, report: reports.Report{Status: reports.Complete,
		Queries: reports.QuerySet{N: len(p.Queries.Queries), SHA256: p.Queries.SHA256()},
		Scoring: &eval.ScoringRecord{Scoring: p.Scoring}}}
	for _, m := range p.Models {
		c.report.Models = append(c.report.Models, reports.Model{Model: m})
	}
	c.run()
	for _, m := range w.expected.Models {
		c.identity(m)
		for _, q := range m.QueriesRight {
			if _, asked := w.queries[q]; !asked {
				c.add(sampleCheck(m.Name, q, nil))
			}
		}
	}
	for _, check := range c.judgement.Checks {
		if check.Outcome != reports.Pass {
			w.end(check)
		}
	}
}

// end adds a check to what the run has come to.
func (w *Watch) end(check reports.Check) {
	if w.judgement == nil {
		w.judgement = &reports.Judgement{RunID: w.run.ID}
		for _, m := range w.run.Plan.Models {
			if w.tallies[m.Name] == nil {
				w.judgement.Unjudged = append(w.judgement.Unjudged, m.Name)
			}
		}
	}
	w.judgement.Checks = append(w.judgement.Checks, check)
}

// Reply takes an outcome into account and reports whether the run is judged.
func (w *Watch) Reply(ctx context.Context, r eval.Reply) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.judgement != nil || w.tallies[r.Model] == nil {
		return w.judgement != nil
	}
	s := eval.ScoredReply{Reply: r, Query: w.queries[r.Query]}
	if r.Failure == nil {
		result, err := w.scorer.Score(ctx, w.scoring.Pair(s.Query, r.Text))
		if err != nil {
			return false // the run is scored, and judged, at its end
		}
		s.Scores, s.Flags = result.Scores, result.Flags
	}
	w.note(s)
	return w.judgement != nil
}

// Scored is Reply for an outcome that is scored already.
func (w *Watch) Scored(s eval.ScoredReply) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.judgement == nil && w.tallies[s.Reply.Model] != nil {
		w.note(s)
	}
	return w.judgement != nil
}

// GaveUp takes into account that a model is asked no further, which leaves the
// run without a verdict.
func (w *Watch) GaveUp(model, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.IndexFunc(w.expected.Models, func(m Model) bool { return m.Name == model }); i >= 0 && reason != "" && w.judgement == nil {
		w.end(w.expected.Models[i].tooMany(*w.tallies[model], "the model was given up: "+reason))
	}
}

// note counts an outcome, each once.
func (w *Watch) note(s eval.ScoredReply) {
	id := s.Reply.JobID
	if w.noted[id] {
		return
	}
	w.noted[id] = true
	m := w.expected.Models[slices.IndexFunc(w.expected.Models, func(m Model) bool { return m.Name == id.Model })]
	t := w.tallies[id.Model]
	if f := s.Reply.Failure; f != nil {
		if t.failed++; t.failed > m.MaxFailures {
			w.end(m.tooMany(*t, fmt.Sprintf("the last, on %s: %v", id.Query, f)))
		}
		return
	}
	t.add(s)
	if w.dumps = w.dumps || scoring.Dumped(s.Flags) && m.judgesEM(); w.dumps {
		return // what is in doubt is judged as a whole
	}
	if em := emOf(s.Scores); em != nil && *em != 1 && slices.Contains(m.QueriesRight, id.Query) {
		check := sampleCheck(m.Name, id.Query, &s)
		check.Reason = t.after() + ": " + check.Reason
		w.end(check)
	}
	if t.failed > 0 && w.run.Plan.Samples > 1 {
		return // which samples failed weighs on the mean
	}
	for _, b := range m.Bounds {
		if at, must := b.mustFail(*t); must && w.watches(b.Measure) {
			w.end(b.decided(m.Name, *t, at))
		}
	}
}

// watches reports whether the scores of a measure are those that the run will
// be judged by.
func (w *Watch) watches(measure string) bool {
	switch by := w.run.Plan.Scoring.Embedding; measure {
	case metrics.EM:
		return !w.wordless
	case metrics.Cosine, metrics.CosineBest:
		return by == eval.EmbeddingBuiltin || by == ""
	}
	return true
}

// judgesEM reports whether a dump of answers could leave a check in doubt.
func (m Model) judgesEM() bool {
	return len(m.QueriesRight) > 0 || slices.ContainsFunc(m.Bounds, func(b Bound) bool { return counted(b.Measure) })
}

// add counts one answer.
func (t *tally) add(s eval.ScoredReply) {
	t.answered++
	dumped := scoring.Dumped(s.Flags)
	if dumped {
		t.dumps++
	}
	addTo(t.sums, s.Scores, dumped)
}
