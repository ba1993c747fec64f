package reports

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/stat"
	"github.com/disteval/disteval/metrics/text"
)

// tally gathers what one pass over a model's replies yields. Its values stand
// by query, NaN where there is none, so that models can be paired.
type tally struct {
	of                eval.Model
	replies, failures int
	failKinds         map[eval.FailureKind]int
	tokens            tokenSums
	latencyMS         []float64
	values            map[string][]float64 // by metric, then by query
	spent             []spentEnergy        // by the replies whose energy is known
	negated, disagree int
	reused            map[string]int // replies by the run that they are from
	samples           *samples       // nil where every query is asked once
	cut               int            // prompts of which the server must have left out a part
	probed            probed

	lengthSums              Lengths
	chars                   int
	chancePairs, chanceHits int
	phases                  []eval.Phase // in which it answered
	uncovered               []period     // parts of replies that are in none of them
}

// newTallies returns a tally of every model, in the plan's order.
func newTallies(rec eval.RunRecord) []*tally {
	queries := len(rec.Plan.Queries.Queries)
	blank := unknowns(queries)
	var out []*tally
	for _, m := range rec.Plan.Models {
		t := &tally{of: m, failKinds: make(map[eval.FailureKind]int), reused: make(map[string]int), values: make(map[string][]float64),
			phases: phasesOf(rec, m.Name, eval.PhaseAnswer), samples: newSamples(rec.Plan), probed: newProbed(queries, rec.Unprobed[m.Name])}
		for _, m := range metrics.Text() {
			t.values[m.Name] = unknowns(queries)
		}
		for _, m := range metrics.Likelihood() {
			t.values[m.Name] = blank
		}
		out = append(out, t)
	}
	return out
}

// unknowns is a value for each query, none of which exists.
func unknowns(queries int) []float64 { return slices.Repeat([]float64{math.NaN()}, queries) }

func (t *tally) add(r eval.ScoredReply, query int) {
	t.addLikelihood(r, query)
	if p, ok := outside(t.phases, r.Reply); ok {
		t.uncovered = append(t.uncovered, p)
	}
	if f := r.Reply.Failure; f != nil {
		t.failures++
		t.failKinds[f.Kind]++
		return
	}
	t.replies++
	if from := r.Reply.ReusedFrom; from != "" {
		t.reused[from]++
	}
	t.tokens.add(r.Reply.Usage)
	t.length(r.Reply)
	if t.samples != nil {
		t.samples.text(r.Reply.Text, query)
	}
	t.latencyMS = append(t.latencyMS, float64(r.Reply.Timing.Latency())/1e6)
	if e := r.Reply.Energy; e != nil {
		t.spent = append(t.spent, spentEnergy{start: r.Reply.Timing.Start.UnixNano(), end: r.Reply.Timing.End.UnixNano(), energy: *e})
	}
	for _, s := range r.Scores[:min(len(r.Scores), len(metrics.Text()))] {
		if values, ok := t.values[s.Metric]; ok && s.Status == metrics.Scored {
			values[query] = s.Value
			if t.samples != nil {
				values[query] = t.samples.add(r.Reply, s, query)
			}
		}
	}
	for _, f := range r.Flags {
		switch f {
		case scoring.FlagNegated:
			t.negated++
		case scoring.FlagEMDisagree:
			t.disagree++
		}
	}
}

// length looks at what a reply holds, and at what ended it.
func (t *tally) length(r eval.Reply) {
	t.chars += utf8.RuneCountInString(r.Text)
	l, cut := &t.lengthSums, r.DoneReason == doneByLength
	if cut {
		l.ByLength++
	}
	parted := text.SplitReasoning(r.Text)
	if strings.TrimSpace(parted.Answer) != "" {
		return
	}
	l.Empty++
	if cut {
		l.EmptyCut++
	}
	if r.Reasoning != "" || parted.Tagged {
		l.ReasoningOnly++
	}
}

// doneByLength is how a provider says that a reply was cut at num_predict or
// where the context was full.
const doneByLength = "length"

// tokenSums adds up counts. A sum exists where every reply has its count.
type tokenSums struct {
	replies            int
	prompt, completion tokenSum
}

type tokenSum struct{ n, counted int }

func (t *tokenSums) add(u eval.Usage) {
	t.replies++
	if u.Check() != nil { // stored before counts were checked
		return
	}
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
		Missing: rec.Plan.RequestsPerModel() - t.replies - t.failures, PromptsCut: t.cut, Noise: t.determinism(m, rec.Plan),
		GaveUp: rec.GaveUp[m.Name], Tokens: t.tokens.usage(), Negated: t.negated, Disagree: t.disagree}
	if t.samples != nil {
		out.IdenticalTexts = t.samples.identicalTexts()
	}
	t.times(&out)
	out.LoadS = phaseSeconds(rec, m.Name, eval.PhaseLoad)
	out.WarmupS = phaseSeconds(rec, m.Name, eval.PhaseWarmup)
	out.ProbeS, out.ProbeWh = phaseSeconds(rec, m.Name, eval.PhaseProbe), phaseWh(rec, m.Name, eval.PhaseProbe)
	out.UnloadS = phaseSeconds(rec, m.Name, eval.PhaseUnload)
	out.TokensPerS = ratioOf(number(out.Tokens.CompletionTokens), out.DurationS)
	out.Lengths = t.lengths(out.Tokens)
	slices.Sort(t.latencyMS)
	out.LatencyMS = Latency{P50: t.percentile(0.50), P95: t.percentile(0.95), P99: t.percentile(0.99)}
	for _, def := range metrics.All() {
		metric := t.mean(def)
		if def.Name == metrics.EM {
			metric.Chance = t.chance()
		}
		out.Metrics = append(out.Metrics, metric)
		if def.Name == metrics.Cosine {
			out.Histograms.Cosine = histogram(t.scored(def.Name), 20)
		}
	}
	out.Knowledge = t.knowledge(rec.Plan)
	out.Histograms.LatencyMS = histogram(t.latencyMS, 20)
	if rec.Scoring != nil {
		if f, ok := rec.Scoring.Floors[m.Name]; ok {
			out.Floor = &f
		}
	}
	if out.Reused = t.reuse(m, rec); out.Reused != nil && !out.Reused.Whole {
		out.withoutTimes()
	}
	return out
}

func (t *tally) percentile(p float64) *float64 {
	if v, ok := stat.Percentile(t.latencyMS, p); ok {
		return &v
	}
	return nil
}

// times states how long the answering took. A kill leaves replies that were
// stored after the phase last was: their time counts as well, and is not part of
// what was metered.
func (t *tally) times(m *Model) {
	if len(t.phases)+len(t.uncovered) == 0 {
		return
	}
	var metered []period // of hosts that work at the same time, too
	for _, p := range t.phases {
		metered = append(metered, period{p.Start, p.End})
	}
	duration := union(slices.Concat(metered, t.uncovered)).Seconds()
	m.DurationS, m.UnmeteredS = &duration, union(t.uncovered).Seconds()
	answered := float64(t.replies)
	m.SecondsPerReply = ratio(duration, &answered)
}

func (t *tally) lengths(tokens eval.Usage) Lengths {
	l, answered := t.lengthSums, float64(t.replies)
	l.MeanTokens, l.MeanChars = ratioOf(number(tokens.CompletionTokens), &answered), ratio(float64(t.chars), &answered)
	return l
}

// chance is the share of the pairs of a reply and another query's keyword in
// which the reply holds it.
func (t *tally) chance() *float64 {
	pairs := float64(t.chancePairs)
	return ratio(float64(t.chanceHits), &pairs)
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
