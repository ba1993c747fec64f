package gate

import (
	"bytes"
	"errors"
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
)

// MaxBytes is the longest expected file that is read.
const MaxBytes = 16 << 20

// Error is one thing wrong in an expected file.
type Error struct {
	File   string
	Line   int // from 1; 0 where it is the file as a whole
	Reason string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

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
	_, e, err := parse(data, name)
	return e, err
}

func parse(data []byte, name string) (*yaml.Node, Expected, error) {
	if len(data) > MaxBytes {
		return nil, Expected{}, &Error{File: name, Reason: fmt.Sprintf("longer than %d MB", MaxBytes>>20)}
	}
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, Expected{}, &Error{File: name, Reason: "empty; remove it, and make it anew from a run with --bless"}
		}
		return nil, Expected{}, &Error{File: name, Reason: err.Error()}
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, Expected{}, &Error{File: name, Reason: "more than one YAML document; keep one"}
	}
	p := parser{file: name}
	e := p.document(doc.Content[0])
	return &doc, e, errors.Join(p.errs...)
}

func (p *parser) document(n *yaml.Node) Expected {
	var e Expected
	p.mapping(n, "the file", []string{"version", "queries", "models"},
		field{"version", func(n *yaml.Node) {
			if n.Kind != yaml.ScalarNode || n.Value != "1" {
				p.fail(n, "version: expected 1, found %s", describe(n))
			}
		}},
		field{"queries", func(n *yaml.Node) { e.Queries = p.queries(n) }},
		field{"host", func(n *yaml.Node) { e.Host = p.text(n, "host") }},
		field{"scoring", func(n *yaml.Node) { e.Scoring = p.scoring(n) }},
		field{"models", func(n *yaml.Node) { e.Models = p.models(n) }},
	)
	return e
}

var sha256Hex = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

func (p *parser) queries(n *yaml.Node) (q QuerySet) {
	p.mapping(n, "queries", []string{"sha256"},
		field{"name", func(n *yaml.Node) { q.Name = p.text(n, "queries.name") }},
		field{"n", func(n *yaml.Node) { q.N = p.count(n, "queries.n", 1) }},
		field{"sha256", func(n *yaml.Node) {
			if n.Kind != yaml.ScalarNode || !sha256Hex.MatchString(n.Value) {
				p.fail(n, "queries.sha256: expected 64 hexadecimal digits, found %s", describe(n))
			}
			q.SHA256 = strings.ToLower(n.Value)
		}},
	)
	return q
}

func (p *parser) scoring(n *yaml.Node) *eval.Scoring {
	var s eval.Scoring
	p.mapping(n, "scoring", []string{"include_prompt", "embedding"},
		field{"include_prompt", func(n *yaml.Node) {
			if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || n.Decode(&s.IncludePrompt) != nil {
				p.fail(n, "scoring.include_prompt: expected true or false, found %s", describe(n))
			}
		}},
		field{"embedding", func(n *yaml.Node) { s.Embedding = p.text(n, "scoring.embedding") }},
	)
	return &s
}

func (p *parser) models(n *yaml.Node) []Model {
	var out []Model
	p.entries(n, "models", "model names", func(key, value *yaml.Node) {
		if key.Value == "" {
			p.fail(key, "models: a model's name is empty")
		}
		out = append(out, p.model(value, key.Value))
	})
	return out
}

func (p *parser) model(n *yaml.Node, name string) Model {
	m := Model{Name: name}
	what := "models." + name
	bound := func(measure string) field {
		return field{measure, func(n *yaml.Node) { m.Bounds = append(m.Bounds, p.bound(n, what, measure)) }}
	}
	p.mapping(n, what, nil,
		field{"digest", func(n *yaml.Node) { m.Digest = p.text(n, what+".digest") }},
		field{Failures, func(n *yaml.Node) { m.MaxFailures = p.failures(n, what) }},
		field{"metrics", func(n *yaml.Node) {
			var fields []field
			for _, metric := range metrics.All() {
				fields = append(fields, bound(metric.Name))
			}
			p.mapping(n, what+".metrics", nil, fields...)
		}},
		bound(DurationS), bound(TokensPerS), bound(WhPer1000),
		field{"queries_right", func(n *yaml.Node) { m.QueriesRight = p.ids(n, what+".queries_right") }},
	)
	return m
}

// failures reads how many failed replies are put up with.
func (p *parser) failures(n *yaml.Node, model string) int {
	errs := len(p.errs)
	b := p.bound(n, model, Failures)
	_, most := b.limits()
	if len(p.errs) > errs {
		return 0
	}
	return int(min(most+edge, math.MaxInt32))
}

func (p *parser) bound(n *yaml.Node, model, measure string) Bound {
	b := Bound{Measure: measure}
	what, tolerance := model+"."+measure, false
	number := func(key string, to **float64) field {
		return field{key, func(n *yaml.Node) { *to = p.number(n, what+"."+key, measure) }}
	}
	fields := []field{number("expected", &b.Expected), number("max", &b.Max),
		{"tolerance", func(n *yaml.Node) { tolerance = true; b.Tolerance, b.Relative = p.tolerance(n, what+".tolerance") }}}
	if measure != Failures {
		fields = append(fields, number("min", &b.Min))
	}
	switch measure {
	case Failures, DurationS, TokensPerS:
	case WhPer1000:
		b.Quality = emissions.Measured
		fields = append(fields, field{"quality", func(n *yaml.Node) { b.Quality = p.quality(n, what+".quality") }},
			field{"method", func(n *yaml.Node) { b.Method = p.text(n, what+".method") }})
	default:
		fields = append(fields, field{"n", func(n *yaml.Node) { b.MinScored = p.count(n, what+".n", 1) }})
	}
	errs := len(p.errs)
	p.mapping(n, what, nil, fields...)
	if len(p.errs) == errs {
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
		p.fail(n, "%s: expected `expected` with `tolerance`, or `min` or `max`", what)
	case b.Expected != nil && limits || tolerance && b.Expected == nil:
		p.fail(n, "%s: either `expected` with `tolerance`, or `min` and `max`, not both", what)
	case b.Expected != nil && !tolerance:
		p.fail(n, "%s: `tolerance` is missing; state 0.02 or 5%%, or 0 for exactly this", what)
	case b.Min != nil && b.Max != nil && *b.Min > *b.Max:
		p.fail(n, "%s: min %s is above max %s", what, digits(*b.Min), digits(*b.Max))
	case b.Relative && *b.Expected == 0:
		p.fail(n, "%s: a share of 0 is 0; state the tolerance as a number, such as 0.02", what)
	case b.Expected != nil && b.boundless():
		p.fail(n, "%s: with this tolerance every value passes; five per cent are 5%%, five points 0.05", what)
	}
}
