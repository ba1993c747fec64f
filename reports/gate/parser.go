package gate

import (
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/queries"
)

// parser reads the document's nodes into what is expected.
type parser struct {
	*queries.Strict
	blessing bool        // checks that could not fail are mended afterwards
	allow    []allowance // by every model that states some
}

// allowance is how many failures a model may have.
type allowance struct {
	node     *yaml.Node
	what     string
	failures float64
}

// mapping hands each value to its field and misses the keys required. An empty
// mapping would expect nothing.
func (p *parser) mapping(n *yaml.Node, what string, required []string, fields ...queries.Field) {
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		p.Fail(n, "%s: expected a mapping of what is to be checked, found an empty mapping", what)
		return
	}
	seen := p.Mapping(n, what, fields...)
	for _, key := range required {
		if seen != nil && !seen[key] {
			p.Fail(n, "%s: key %q is missing", what, key)
		}
	}
}

func (p *parser) count(n *yaml.Node, what string, least int) int {
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil || v < least {
		p.Fail(n, "%s: expected a whole number from %d on, found %s", what, least, queries.Describe(n))
		return least
	}
	return v
}

// number reads a value of a measure.
func (p *parser) number(n *yaml.Node, what, measure string) *float64 {
	v, ok := finite(n)
	if !ok {
		p.Fail(n, "%s: expected a number, found %s", what, queries.Describe(n))
		return nil
	}
	if measure == Failures && v != math.Trunc(v) {
		p.Fail(n, "%s: expected a whole number, found %s", what, queries.Describe(n))
		return nil
	}
	if lo, hi := measureRange(measure); v < lo || v > hi {
		p.Fail(n, "%s: %s cannot be; %s lies in [%s, %s]", what, n.Value, measure, digits(lo), digits(hi))
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
		p.Fail(n, "%s: expected a number from 0 on, or a share such as 5%%, found %s", what, queries.Describe(n))
		return 0, false
	}
	return v, relative
}

func (p *parser) quality(n *yaml.Node, what string) emissions.Quality {
	return emissions.Quality(p.OneOf(n, what, string(emissions.Measured), string(emissions.Partial), string(emissions.Estimated)))
}

// ids reads a list of query IDs, each once.
func (p *parser) ids(n *yaml.Node, what string) []string {
	var out []string
	seen := make(map[string]bool)
	p.List(n, what, "query IDs", false, func(item *yaml.Node) {
		switch {
		case item.Kind != yaml.ScalarNode || item.Tag == "!!null" || item.Value == "":
			p.Fail(item, "%s: expected a query's ID, found %s", what, queries.Describe(item))
		case seen[item.Value]:
			p.Fail(item, "%s: %q appears twice", what, item.Value)
		default:
			seen[item.Value] = true
			out = append(out, item.Value)
		}
	})
	return out
}
