package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/rogpeppe/go-internal/diff"
	"go.yaml.in/yaml/v3"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// The tolerances that Bless gives to what a file does not have yet.
const (
	DefaultTolerance     = "0.02" // of a metric
	DefaultBitsTolerance = "2%"   // of a metric without a highest value
	DefaultCostTolerance = "10%"  // of times and energy
)

// BlessOptions say what a file is given beside the metrics' means.
type BlessOptions struct {
	Name    string // the file's name, for messages and the diff
	Digests bool   // bind each model to its digest
	Time    bool   // duration_s and tokens_per_s
	Energy  bool   // wh_per_1000_queries
	Right   bool   // queries_right: all queries that are right now
}

// Bless makes the expected file that a run meets, and the change to existing
// as a unified diff, empty where nothing changes. A new file (existing is
// empty) expects the mean of every metric that has one. In an existing file
// the values of `expected`, the query set, the host and the digests that stand
// there become the run's and queries that are no longer right leave
// queries_right; comments, tolerances, limits and the choice of measures stay,
// and models that are not in it are added. A run that is partial, has failures
// or is not scored is refused.
func Bless(ctx context.Context, r reports.Report, existing []byte, o BlessOptions) (out []byte, changes string, err error) {
	if err := blessable(r); err != nil {
		return nil, "", fmt.Errorf("bless run %s: %w", r.RunID, err)
	}
	doc := &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode,
		HeadComment: "What disteval gate expects of a run; see docs/gate.md."}}}
	if len(bytes.TrimSpace(existing)) > 0 {
		if doc, _, err = parse(existing, o.Name, true); err != nil {
			return nil, "", err
		}
	}
	look, err := lookAt(ctx, r, Expected{})
	if err != nil {
		return nil, "", err
	}
	seen := look.sights
	for _, m := range r.Models {
		switch s := seen[m.Model.Name]; {
		case len(s.unscored) > 0:
			return nil, "", fmt.Errorf("bless run %s: the scores of %s: %s", r.RunID, m.Model.Name, unscoredReason(r, s.unscored))
		case s.dumpsCommon():
			return nil, "", fmt.Errorf("bless run %s: %s: %s", r.RunID, m.Model.Name, s.dumpReason())
		}
	}
	right, err := rightQueries(ctx, r)
	if err != nil {
		return nil, "", err
	}
	b := blesser{report: r, options: o, right: right, answered: make(map[string]int)}
	for _, m := range r.Models {
		b.answered[m.Model.Name] = m.Replies
		if r.Plan.Samples > 1 {
			b.answered[m.Model.Name] = seen[m.Model.Name].answeredQueries()
		}
	}
	if err := b.document(doc.Content[0]); err != nil {
		return nil, "", fmt.Errorf("bless %s from run %s: %w", o.Name, r.RunID, err)
	}
	var buf bytes.Buffer
	encoder := yaml.NewEncoder(&buf)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(doc), encoder.Close()); err != nil {
		return nil, "", fmt.Errorf("write %s: %w", o.Name, err)
	}
	if _, err := Parse(buf.Bytes(), o.Name); err != nil {
		return nil, "", fmt.Errorf("bless run %s: the file would not be valid: %w", r.RunID, err)
	}
	return buf.Bytes(), string(diff.Diff(o.Name, existing, o.Name+" (blessed)", buf.Bytes())), nil
}

// blessable tells why a run is none to hold others to.
func blessable(r reports.Report) error {
	switch {
	case r.Status != reports.Complete:
		return errors.New("the run is partial; go on with disteval run --resume")
	case r.Scoring == nil:
		return errors.New("the run is not scored; score it with disteval score")
	case len(r.Models) == 0:
		return errors.New("the run has no model")
	}
	for _, m := range r.Models {
		if m.Failures > 0 || m.Missing > 0 || m.GaveUp != "" || m.Replies == 0 {
			return fmt.Errorf("%s has %d answers, %d failed and %d missing; bless a run without failures",
				m.Model.Name, m.Replies, m.Failures, m.Missing)
		}
	}
	return nil
}

// rightQueries lists each model's queries of which every sample has em 1, and
// not as a dump of answers, in the set's order.
func rightQueries(ctx context.Context, r reports.Report) (map[string][]string, error) {
	out, right := make(map[string][]string), make(map[eval.JobID]int)
	for s, err := range r.Replies(ctx) {
		if err != nil {
			return nil, fmt.Errorf("read the replies of run %s: %w", r.RunID, err)
		}
		em := emOf(s.Scores)
		if em == nil || *em != 1 || scoring.Dumped(s.Flags) {
			continue
		}
		id := s.Reply.JobID
		id.Sample = 0
		if right[id]++; right[id] == max(1, r.Plan.Samples) {
			out[id.Model] = append(out[id.Model], id.Query)
		}
	}
	return out, nil
}

type blesser struct {
	report   reports.Report
	options  BlessOptions
	right    map[string][]string
	answered map[string]int // queries with an answer, by model
}

func (b blesser) document(root *yaml.Node) error {
	r := b.report
	set(root, "version", number("1"))
	queries := child(root, "queries", yaml.FlowStyle)
	set(queries, "name", text(r.Queries.Name))
	set(queries, "n", number(fmt.Sprint(r.Queries.N)))
	set(queries, "sha256", text(r.Queries.SHA256))
	scoring := child(root, "scoring", yaml.FlowStyle)
	set(scoring, "include_prompt", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(r.Scoring.Scoring.IncludePrompt)})
	set(scoring, "embedding", text(r.Scoring.Scoring.Embedding))
	if b.options.Time || b.options.Energy || get(root, "host") != nil {
		set(root, "host", text(r.HostKind()))
	}
	models := child(root, "models", 0)
	for i := 0; i < len(models.Content); i += 2 {
		name := models.Content[i].Value
		if !slices.ContainsFunc(r.Models, func(m reports.Model) bool { return m.Model.Name == name }) {
			return fmt.Errorf("the run has no model %s; take it out of the file or bless a run that has it", name)
		}
	}
	for _, m := range r.Models {
		if err := b.model(models, m); err != nil {
			return err
		}
	}
	return nil
}

func (b blesser) model(models *yaml.Node, m reports.Model) error {
	known := get(models, m.Model.Name) != nil
	n := child(models, m.Model.Name, 0)
	if b.options.Digests && m.Model.Digest == "" {
		return fmt.Errorf("%s has no digest", m.Model.Name)
	}
	if b.options.Digests || get(n, "digest") != nil {
		set(n, "digest", text(m.Model.Digest))
	}
	b.measures(models, m, known)
	if failures := get(n, Failures); failures != nil && get(failures, "expected") != nil {
		set(failures, "expected", number("0")) // a run with failures is not blessed
	}
	if measures := get(n, "metrics"); measures != nil {
		for i := 0; i < len(measures.Content); i += 2 {
			name, bound := measures.Content[i].Value, measures.Content[i+1]
			if m.Metric(name).Bound != metrics.Exact && get(bound, "expected") != nil {
				return fmt.Errorf("%s has only a bound of %s; state min or max in its place", m.Model.Name, name)
			}
			if err := bless(bound, name, m, toleranceOf(name, m)); err != nil {
				return err
			}
			// A check refuses a mean over few replies unless the file states how many.
			if scored := m.Metric(name).N; !known && scored < enough(name, b.answered[m.Model.Name]) {
				set(bound, "n", number(fmt.Sprint(scored)))
			}
		}
	}
	if err := b.costs(n, m); err != nil {
		return err
	}
	b.queries(n, m.Model.Name)
	return nil
}

// toleranceOf is what a metric is given: a share where its scale has no end, as
// that of bits.
func toleranceOf(metric string, m reports.Model) string {
	if _, most := measureRange(metric); math.IsInf(most, 1) && m.Metric(metric).Mean != 0 {
		return DefaultBitsTolerance
	}
	return DefaultTolerance
}

// costs blesses shares of samples that stand there, and times and energy that do
// or were asked for.
func (b blesser) costs(n *yaml.Node, m reports.Model) error {
	asked := map[string]bool{DurationS: b.options.Time, TokensPerS: b.options.Time, WhPer1000: b.options.Energy}
	for _, measure := range []string{EMAny, IdenticalTexts, DurationS, TokensPerS, WhPer1000, MeasuredWhPer1000} {
		if !asked[measure] && get(n, measure) == nil || isWorst(measure, m) {
			continue
		}
		bound, tolerance := child(n, measure, yaml.FlowStyle), DefaultCostTolerance
		if sampled(measure) {
			tolerance = DefaultTolerance
			set(bound, "samples", number(fmt.Sprint(b.report.Plan.Samples)))
		}
		if err := bless(bound, measure, m, tolerance); err != nil {
			return err
		}
		if measure == WhPer1000 {
			set(bound, "quality", text(string(m.Energy.Quality)))
			if asked[measure] || get(bound, "method") != nil {
				set(bound, "method", text(m.Energy.Method))
			}
		}
	}
	return nil
}

// bless makes the run's value the expected one, unless there are limits.
func bless(bound *yaml.Node, measure string, m reports.Model, tolerance string) error {
	x := value(measure, m)
	if x == nil {
		why := "nothing was scored"
		if sampled(measure) {
			why = "the run asks every query once"
		}
		if measure == WhPer1000 || measure == MeasuredWhPer1000 {
			why = fmt.Sprintf("the energy is %s; %s", m.Energy.Quality, m.Energy.Reason)
		}
		return fmt.Errorf("%s has no %s: %s", m.Model.Name, measure, why)
	}
	if get(bound, "min") != nil || get(bound, "max") != nil {
		return nil
	}
	set(bound, "expected", number(reports.Exact(*x)))
	stated := get(bound, "tolerance")
	if stated == nil {
		set(bound, "tolerance", &yaml.Node{Kind: yaml.ScalarNode, Value: tolerance})
	}
	if t := get(bound, "tolerance"); !canFail(t, measure, *x) || stated == nil && wide(t, measure, *x) {
		narrow(t, measure, *x)
	}
	return nil
}

// queries takes out what is no longer right, or lists all that is.
func (b blesser) queries(n *yaml.Node, model string) {
	if right := b.right[model]; b.options.Right && len(right) > 0 {
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for _, q := range right {
			list.Content = append(list.Content, text(q))
		}
		set(n, "queries_right", list)
		return
	}
	list := get(n, "queries_right")
	if list == nil {
		return
	}
	is := make(map[string]bool)
	for _, q := range b.right[model] {
		is[q] = true
	}
	list.Content = slices.DeleteFunc(list.Content, func(q *yaml.Node) bool { return !is[q.Value] })
	if len(list.Content) == 0 {
		remove(n, "queries_right")
	}
}
