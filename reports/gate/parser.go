package gate

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/disteval/disteval/emissions"
)

// parser walks the document's nodes and gathers what is wrong.
type parser struct {
	file string
	errs []error
}

func (p *parser) fail(n *yaml.Node, format string, args ...any) {
	const most = 20
	if len(p.errs) < most {
		p.errs = append(p.errs, &Error{File: p.file, Line: n.Line, Reason: fmt.Sprintf(format, args...)})
	}
}

// field is one key that a mapping may have.
type field struct {
	key  string
	read func(*yaml.Node)
}

// mapping hands each value to its field, refuses other keys and misses those
// required.
func (p *parser) mapping(n *yaml.Node, what string, required []string, fields ...field) {
	var names []string
	for _, f := range fields {
		names = append(names, f.key)
	}
	known := strings.Join(names, ", ")
	seen := p.entries(n, what, known, func(key, value *yaml.Node) {
		at := slices.Index(names, key.Value)
		if at < 0 {
			p.fail(key, "%s: unknown key %q; expected one of %s", what, key.Value, known)
			return
		}
		fields[at].read(value)
	})
	for _, key := range required {
		if seen != nil && !seen[key] {
			p.fail(n, "%s: key %q is missing", what, key)
		}
	}
}

// entries hands out a mapping's keys and values, each key once. It returns the
// keys, nil where n is no mapping or has nothing in it.
func (p *parser) entries(n *yaml.Node, what, expected string, read func(key, value *yaml.Node)) map[string]bool {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		p.fail(n, "%s: expected a mapping of %s, found %s", what, expected, describe(n))
		return nil
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
			p.fail(key, "%s: expected a plain key, found %s", what, describe(key))
			continue
		case seen[key.Value]:
			p.fail(key, "%s: key %q stands here twice", what, key.Value)
			continue
		case value.Kind == yaml.AliasNode:
			p.fail(value, "%s.%s: aliases (*%s) are not allowed here; write the value out", what, key.Value, value.Value)
		default:
			read(key, value)
		}
		seen[key.Value] = true
	}
	return seen
}

// describe says what a node is, for an error.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode && len(n.Content) == 0:
		return "an empty mapping"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "the alias *" + n.Value
	case n.Tag == "!!null":
		return "nothing"
	}
	return strconv.Quote(n.Value)
}

func (p *parser) text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" || strings.TrimSpace(n.Value) == "" {
		p.fail(n, "%s: expected text, found %s", what, describe(n))
		return ""
	}
	return n.Value
}

func (p *parser) count(n *yaml.Node, what string, least int) int {
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil || v < least {
		p.fail(n, "%s: expected a whole number from %d on, found %s", what, least, describe(n))
		return least
	}
	return v
}

// number reads a value of a measure.
func (p *parser) number(n *yaml.Node, what, measure string) *float64 {
	v, ok := finite(n)
	if !ok {
		p.fail(n, "%s: expected a number, found %s", what, describe(n))
		return nil
	}
	if measure == Failures && v != math.Trunc(v) {
		p.fail(n, "%s: expected a whole number, found %s", what, describe(n))
		return nil
	}
	if lo, hi := measureRange(measure); v < lo || v > hi {
		p.fail(n, "%s: %s cannot be; %s lies in [%s, %s]", what, n.Value, measure, digits(lo), digits(hi))
		return nil
	}
	return &v
}

// finite reads a number that is finite.
func finite(n *yaml.Node) (float64, bool) {
	v, err := strconv.ParseFloat(n.Value, 64)
	number := n.Kind == yaml.ScalarNode && (n.Tag == "!!float" || n.Tag == "!!int")
	return v, number && err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}

// tolerance reads a number, or a share such as 5%.
func (p *parser) tolerance(n *yaml.Node, what string) (by float64, relative bool) {
	v, ok := finite(n)
	if share, percent := strings.CutSuffix(n.Value, "%"); percent && n.Kind == yaml.ScalarNode {
		bare := yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: strings.TrimSpace(share)}
		v, ok = finite(&bare)
		v, relative = v/100, true
	}
	if !ok || v < 0 {
		p.fail(n, "%s: expected a number from 0 on, or a share such as 5%%, found %s", what, describe(n))
		return 0, false
	}
	return v, relative
}

func (p *parser) quality(n *yaml.Node, what string) emissions.Quality {
	q := emissions.Quality(n.Value)
	if n.Kind != yaml.ScalarNode || q != emissions.Measured && q != emissions.Partial && q != emissions.Estimated {
		p.fail(n, "%s: expected measured, partial or estimated, found %s", what, describe(n))
	}
	return q
}

// ids reads a list of query IDs, each once.
func (p *parser) ids(n *yaml.Node, what string) []string {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		p.fail(n, "%s: expected a list of query IDs, found %s", what, describe(n))
		return nil
	}
	var out []string
	seen := make(map[string]bool)
	for _, item := range n.Content {
		switch {
		case item.Kind != yaml.ScalarNode || item.Tag == "!!null" || item.Value == "":
			p.fail(item, "%s: expected a query's ID, found %s", what, describe(item))
		case seen[item.Value]:
			p.fail(item, "%s: %q stands here twice", what, item.Value)
		default:
			seen[item.Value] = true
			out = append(out, item.Value)
		}
	}
	return out
}
