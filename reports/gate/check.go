package gate

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// Options change what a check judges.
type Options struct {
	AnyHost  bool            // judge times and energies of another machine too
	Baseline *reports.Report // compare em with this run query by query; nil: do not
}

// minScored is the share of a model's replies that the mean of a metric that is
// not 0 or 1 must be over where the file does not say how many: some replies
// have no word with a vector, but a mean over a few must not pass for the whole.
const minScored = 0.9

// enough is how many of so many answers, or answered queries where each is asked
// several times, a metric must be scored for where the file does not say.
func enough(measure string, answered int) int {
	if binary(measure) {
		return answered
	}
	return int(math.Ceil(minScored * float64(answered)))
}

type checker struct {
	report    reports.Report
	expected  Expected
	options   Options
	judgement reports.Judgement
	sights    map[string]sight // by Model.Name
}

func (c *checker) add(check reports.Check) { c.judgement.Checks = append(c.judgement.Checks, check) }

// same adds a check that two texts are equal, inconclusive where they differ.
func (c *checker) same(model, measure, expected, got, reason string) {
	check := reports.Check{Model: model, Measure: measure, Expected: expected, Got: got, Outcome: reports.Pass}
	if expected != got {
		check.Outcome, check.Reason = reports.Inconclusive, reason
	}
	if got == "" {
		check.Got = reports.None
	}
	c.add(check)
}

// run checks that the run is whole and asks and scores what the file is about.
func (c *checker) run() {
	r, e := c.report, c.expected
	c.same("", "status", string(reports.Complete), string(r.Status),
		"not every query has an outcome; go on with disteval run --resume")
	c.same("", "queries", e.Queries.SHA256, strings.ToLower(r.Queries.SHA256),
		"the run asked other queries than expected; if that is meant, bless a run that asks them")
	if e.Queries.N != 0 {
		c.same("", "queries n", fmt.Sprint(e.Queries.N), fmt.Sprint(r.Queries.N), "the run asked another number of queries")
	}
	if e.Scoring != nil {
		c.same("", "scoring", scoringText(*e.Scoring), scoringOf(r), "the replies were scored in another way; score them again with disteval score")
	}
}

func scoringText(s eval.Scoring) string {
	return fmt.Sprintf("include_prompt %t, embedding %s", s.IncludePrompt, s.Embedding)
}

// scoringOf says how a run was scored; empty where it was not.
func scoringOf(r reports.Report) string {
	if r.Scoring == nil {
		return ""
	}
	return scoringText(r.Scoring.Scoring)
}

// model checks that a model is there and whole, and then its figures.
func (c *checker) model(e Model) {
	m, ok := c.identity(e)
	if !ok {
		return
	}
	c.replies(e, m)
	for _, b := range e.Bounds {
		c.bound(b, m)
	}
}

// identity checks that a model is there and is the one that is meant.
func (c *checker) identity(e Model) (m reports.Model, ok bool) {
	at := slices.IndexFunc(c.report.Models, func(m reports.Model) bool { return m.Model.Name == e.Name })
	if at < 0 {
		c.add(reports.Check{Model: e.Name, Measure: "model", Expected: "present", Got: reports.None, Outcome: reports.Inconclusive,
			Reason: "the run has no model of this name"})
		return m, false
	}
	m = c.report.Models[at]
	if e.Digest != "" {
		reason := "another model has this name now; bless the run if that is intended"
		if m.Model.Digest == "" {
			reason = "its server states no digest, so which weights answered is not proved; take the digest out of the file to go without"
		}
		c.same(e.Name, "digest", bare(e.Digest), bare(m.Model.Digest), reason)
	}
	return m, true
}

// bare is a digest without the name of its algorithm, as Ollama lists it.
func bare(digest string) string { return strings.TrimPrefix(digest, "sha256:") }

// replies checks that every query was answered, but for the failures allowed.
func (c *checker) replies(e Model, m reports.Model) {
	missing := max(m.Missing, c.report.Queries.N-m.Replies-m.Failures)
	check := reports.Check{Model: e.Name, Measure: "replies", Outcome: reports.Pass,
		Expected: fmt.Sprintf("all, at most %d failed", e.MaxFailures),
		Got:      fmt.Sprintf("%d answered, %d failed, %d missing", m.Replies, m.Failures, missing)}
	var why []string
	if missing > 0 {
		why = append(why, "queries without an outcome: go on with disteval run --resume")
	}
	if m.Failures > e.MaxFailures {
		why = append(why, "failed: "+failKinds(m))
	}
	if e.MaxFailures >= c.report.Queries.N {
		why = append(why, "the file allows every query to fail; allow fewer")
	}
	if m.GaveUp != "" {
		why = append(why, "the model was given up: "+m.GaveUp)
	}
	if m.Replies == 0 {
		why = append(why, "no reply to judge")
	}
	if len(why) > 0 {
		check.Outcome, check.Reason = reports.Inconclusive, strings.Join(why, "; ")
	}
	c.add(check)
}

func failKinds(m reports.Model) string {
	var out []string
	for _, kind := range slices.Sorted(maps.Keys(m.FailKinds)) {
		out = append(out, fmt.Sprintf("%d %s", m.FailKinds[kind], kind))
	}
	if len(out) == 0 {
		return fmt.Sprint(m.Failures)
	}
	return strings.Join(out, ", ")
}

// bound checks one measure.
func (c *checker) bound(b Bound, m reports.Model) {
	check := reports.Check{Model: m.Model.Name, Measure: b.Measure, Expected: b.String(), Got: reports.None}
	x := value(b.Measure, m)
	if x != nil {
		check.Got = digits(*x)
	}
	if check.Reason = c.unlike(b, m, x); check.Reason != "" {
		check.Outcome = reports.Inconclusive
		c.add(check)
		return
	}
	metric := m.Metric(b.Measure)
	outcome, decided := b.judgeBounded(*x, metric.Bound)
	doubt := fmt.Sprintf("%d of %d values are only bounds, and the limits lie beyond what they tell", metric.BoundedN, metric.N)
	if counted(b.Measure) || sampled(b.Measure) {
		s := c.share(b.Measure, m)
		outcome, decided = b.judgeShare(s)
		doubt = c.doubt(s, m)
	}
	check.Outcome = outcome
	if metric.Bound != metrics.Exact {
		check.Got = map[metrics.Bound]string{metrics.AtLeast: "at least ", metrics.AtMost: "at most "}[metric.Bound] + check.Got
	}
	switch {
	case !decided:
		check.Outcome = reports.Inconclusive
		check.Reason = doubt
	case check.Outcome == reports.Improved:
		check.Reason = "better than expected; bless the run to expect it from now on"
	case check.Outcome == reports.Regression && sampled(b.Measure):
		check.Reason = c.sights[m.Model.Name].interval(*x)
	case check.Outcome == reports.Regression && metric.HasInterval:
		check.Reason = "95 % interval " + metric.IntervalText()
		if c.options.Baseline == nil && b.Measure == metrics.EM {
			check.Reason += "; --paired with an earlier run tells whether the drop is noise"
		}
	}
	c.add(check)
}

// value finds a measure's value, nil where there is none.
func value(measure string, m reports.Model) *float64 {
	var x *float64
	switch measure {
	case DurationS:
		x = m.DurationS
	case TokensPerS:
		x = m.TokensPerS
	case WhPer1000:
		x = m.Energy.WhPer1000
	case MeasuredWhPer1000:
		if share := m.Energy.MeasuredShare; share != nil && *share > 0 {
			x = m.Energy.MeasuredWhPer1000
		}
	case EMAny:
		x = m.Metric(metrics.EM).Any
	case IdenticalTexts:
		x = m.IdenticalTexts
	default:
		x = m.Metric(measure).Value()
	}
	if x == nil || math.IsNaN(*x) || math.IsInf(*x, 0) {
		return nil
	}
	return x
}

// unlike says why a value cannot be compared with what is expected of it;
// empty where it can.
func (c *checker) unlike(b Bound, m reports.Model, x *float64) string {
	switch b.Measure {
	case DurationS, TokensPerS:
		if x == nil {
			return "the run has no such figure"
		}
		return c.otherHost(m)
	case WhPer1000, MeasuredWhPer1000:
		return c.unlikeEnergy(b, m, x)
	case EMAny, IdenticalTexts:
		return c.unlikeSamples(b, x)
	}
	n, answered := m.Metric(b.Measure).N, m.Replies
	if c.report.Plan.Samples > 1 {
		answered = c.sights[m.Model.Name].answeredQueries()
	}
	needed := b.MinScored
	if needed == 0 {
		needed = enough(b.Measure, answered)
	}
	switch {
	case x == nil:
		return "nothing was scored; score the run with disteval score"
	case n < needed:
		return fmt.Sprintf("only %d of %d replies are scored, %d are needed", n, answered, needed)
	}
	return ""
}

func (c *checker) unlikeEnergy(b Bound, m reports.Model, x *float64) string {
	e := m.Energy
	switch {
	case b.Measure == MeasuredWhPer1000 && x == nil:
		return strings.TrimSuffix(fmt.Sprintf("none of the energy is measured: it is %s; %s", e.Quality, e.Reason), "; ")
	case b.Measure == WhPer1000 && e.Quality != b.Quality:
		return strings.TrimSuffix(fmt.Sprintf("the energy is %s, expected %s; %s", e.Quality, b.Quality, e.Reason), "; ")
	case b.Method != "" && e.Method != b.Method:
		return fmt.Sprintf("the energy is by %s, expected %s", e.Method, b.Method)
	case x == nil:
		return "the run has no such figure"
	}
	return c.otherHost(m)
}

// otherHost says why times and energies of the machine that m answered on are
// not judged.
func (c *checker) otherHost(m reports.Model) string {
	got := c.report.HostKind()
	if m.Reused != nil {
		got = m.Reused.Kind
	}
	switch {
	case c.options.AnyHost:
		return ""
	case len(c.report.MovedTo) > 0:
		return fmt.Sprintf("the run went on on another machine, %s; judge one that ran on one machine, or with --any-host", strings.Join(c.report.MovedTo, ", "))
	case c.expected.Host == got:
		return ""
	case c.expected.Host == "":
		return fmt.Sprintf("the file states no host; add `host: %q`, or judge with --any-host", got)
	}
	return fmt.Sprintf("the run is of another machine, %s instead of %s; bless a run of this one, or judge with --any-host", got, c.expected.Host)
}
