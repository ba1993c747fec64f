package gate

import (
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
)

// MaxBytes is the longest expected file that is read.
const MaxBytes = 16 << 20

// Error is one thing wrong in an expected file.
type Error = queries.Error

// Load reads the expected file at path.
func Load(path string) (Expected, error) {
	f, err := os.Open(path)
	if err != nil {
		return Expected{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return Expected{}, fmt.Errorf("read %s: %w", path, err)
	}
	return Parse(data, path)
}

// Parse reads an expected file strictly: an unknown or duplicate key, a wrong
// type or a value that cannot be is an *Error with file, line and what was
// expected; all of a file's errors are told at once. name is the file's name.
func Parse(data []byte, name string) (Expected, error) {
	_, e, err := parse(data, name, false)
	return e, err
}

// parse reads a file. One that is to be blessed may hold checks that could not
// fail: blessing makes them such that they can.
func parse(data []byte, name string, blessing bool) (*yaml.Node, Expected, error) {
	doc, strict := queries.ParseStrict(data, name, MaxBytes, "remove it, and make it anew from a run with --bless")
	var e Expected
	if doc != nil {
		e = (&parser{Strict: strict, blessing: blessing}).document(doc.Content[0])
	}
	return doc, e, strict.Err()
}

func (p *parser) document(n *yaml.Node) Expected {
	var e Expected
	p.mapping(n, "the file", []string{"version", "queries", "models"},
		queries.Field{Key: "version", Read: func(n *yaml.Node) {
			if n.Kind != yaml.ScalarNode || n.Value != "1" {
				p.Fail(n, "version: expected 1, found %s", queries.Describe(n))
			}
		}},
		queries.Field{Key: "queries", Read: func(n *yaml.Node) { e.Queries = p.queries(n) }},
		queries.Field{Key: "host", Read: func(n *yaml.Node) { e.Host = p.Text(n, "host") }},
		queries.Field{Key: "scoring", Read: func(n *yaml.Node) { e.Scoring = p.scoring(n) }},
		queries.Field{Key: "models", Read: func(n *yaml.Node) { e.Models = p.models(n) }},
	)
	p.allowed(e.Queries.N)
	return e
}

var sha256Hex = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

func (p *parser) queries(n *yaml.Node) (q QuerySet) {
	p.mapping(n, "queries", []string{"sha256"},
		queries.Field{Key: "name", Read: func(n *yaml.Node) { q.Name = p.Text(n, "queries.name") }},
		queries.Field{Key: "n", Read: func(n *yaml.Node) { q.N = p.count(n, "queries.n", 1) }},
		queries.Field{Key: "sha256", Read: func(n *yaml.Node) {
			if n.Kind != yaml.ScalarNode || !sha256Hex.MatchString(n.Value) {
				p.Fail(n, "queries.sha256: expected 64 hexadecimal digits, found %s", queries.Describe(n))
			}
			q.SHA256 = strings.ToLower(n.Value)
		}},
	)
	return q
}

func (p *parser) scoring(n *yaml.Node) *eval.Scoring {
	var s eval.Scoring
	p.mapping(n, "scoring", []string{"include_prompt", "embedding"},
		queries.Field{Key: "include_prompt", Read: func(n *yaml.Node) {
			s.IncludePrompt = p.Boolean(n, "scoring.include_prompt")
		}},
		queries.Field{Key: "embedding", Read: func(n *yaml.Node) { s.Embedding = p.Text(n, "scoring.embedding") }},
	)
	return &s
}

func (p *parser) models(n *yaml.Node) []Model {
	var out []Model
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		p.Fail(n, "models: expected a mapping of model names, found an empty mapping")
	}
	p.Entries(n, "models", "model names", func(key, value *yaml.Node) {
		if key.Value == "" {
			p.Fail(key, "models: a model's name is empty")
		}
		out = append(out, p.model(value, key.Value))
	})
	return out
}

func (p *parser) model(n *yaml.Node, name string) Model {
	m := Model{Name: name}
	what := "models." + name
	bound := func(measure string) queries.Field {
		return queries.Field{Key: measure, Read: func(n *yaml.Node) { m.Bounds = append(m.Bounds, p.bound(n, what, measure)) }}
	}
	p.mapping(n, what, nil,
		queries.Field{Key: "digest", Read: func(n *yaml.Node) { m.Digest = p.Text(n, what+".digest") }},
		queries.Field{Key: Failures, Read: func(n *yaml.Node) { m.MaxFailures = p.failures(n, what) }},
		queries.Field{Key: "metrics", Read: func(n *yaml.Node) {
			var fields []queries.Field
			for _, metric := range metrics.All() {
				fields = append(fields, bound(metric.Name))
			}
			p.mapping(n, what+".metrics", nil, fields...)
		}},
		bound(EMAny), bound(IdenticalTexts), bound(DurationS), bound(TokensPerS), bound(WhPer1000), bound(MeasuredWhPer1000),
		queries.Field{Key: "queries_right", Read: func(n *yaml.Node) { m.QueriesRight = p.ids(n, what+".queries_right") }},
	)
	return m
}

// failures reads how many failed replies are put up with.
func (p *parser) failures(n *yaml.Node, model string) int {
	errs := p.Faults()
	b := p.bound(n, model, Failures)
	_, most := b.limits()
	if p.Faults() > errs {
		return 0
	}
	p.allow = append(p.allow, allowance{n, model + "." + Failures, most})
	return int(min(most+edge, math.MaxInt32))
}

// allowed refuses to put up with as many failures as there are queries.
func (p *parser) allowed(queries int) {
	for _, a := range p.allow {
		switch {
		case queries > 0 && a.failures+edge >= float64(queries):
			p.Fail(a.node, "%s: with %s failures allowed of %d queries this check never fails", a.what, digits(a.failures), queries)
		case a.failures > mostFailures:
			p.Fail(a.node, "%s: with %s failures allowed this check never fails", a.what, digits(a.failures))
		}
	}
}

func (p *parser) bound(n *yaml.Node, model, measure string) Bound {
	b := Bound{Measure: measure}
	what, tolerance := model+"."+measure, false
	number := func(key string, to **float64) queries.Field {
		return queries.Field{Key: key, Read: func(n *yaml.Node) { *to = p.number(n, what+"."+key, measure) }}
	}
	var required []string
	fields := []queries.Field{number("expected", &b.Expected), number("max", &b.Max),
		{Key: "tolerance", Read: func(n *yaml.Node) { tolerance = true; b.Tolerance, b.Relative = p.tolerance(n, what+".tolerance") }}}
	if measure != Failures {
		fields = append(fields, number("min", &b.Min))
	}
	switch measure {
	case Failures, DurationS, TokensPerS:
	case EMAny, IdenticalTexts:
		required = []string{"samples"}
		fields = append(fields, queries.Field{Key: "samples", Read: func(n *yaml.Node) { b.Samples = p.count(n, what+".samples", 2) }})
	case MeasuredWhPer1000:
		fields = append(fields, queries.Field{Key: "method", Read: func(n *yaml.Node) { b.Method = p.Text(n, what+".method") }})
	case WhPer1000:
		b.Quality = emissions.Measured
		fields = append(fields, queries.Field{Key: "quality", Read: func(n *yaml.Node) { b.Quality = p.quality(n, what+".quality") }},
			queries.Field{Key: "method", Read: func(n *yaml.Node) { b.Method = p.Text(n, what+".method") }})
	default:
		fields = append(fields, queries.Field{Key: "n", Read: func(n *yaml.Node) { b.MinScored = p.count(n, what+".n", 1) }})
	}
	errs := p.Faults()
	p.mapping(n, what, required, fields...)
	if p.Faults() == errs {
		p.sensible(n, what, b, tolerance)
	}
	return b
}

// sensible checks that what a bound states goes together and leaves something
// to check.
func (p *parser) sensible(n *yaml.Node, what string, b Bound, tolerance bool) {
	limits := b.Min != nil || b.Max != nil
	switch {
	case b.Expected == nil && !limits:
		p.Fail(n, "%s: expected `expected` with `tolerance`, or `min` or `max`", what)
	case b.Expected != nil && limits || tolerance && b.Expected == nil:
		p.Fail(n, "%s: either `expected` with `tolerance`, or `min` and `max`, not both", what)
	case b.Expected != nil && !tolerance:
		p.Fail(n, "%s: `tolerance` is missing; state 0.02 or 5%%, or 0 for exactly this", what)
	case b.Min != nil && b.Max != nil && *b.Min > *b.Max:
		p.Fail(n, "%s: min %s is above max %s", what, digits(*b.Min), digits(*b.Max))
	case b.Relative && *b.Expected == 0:
		p.Fail(n, "%s: a share of 0 is 0; state the tolerance as a number, such as 0.02", what)
	case !p.blessing && b.fault() != "":
		p.Fail(n, "%s: %s", what, b.fault())
	}
}
