package spec

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/disteval/disteval/queries"
)

// parser reads the document's nodes into a plan.
type parser struct {
	*queries.Strict
}

// mapping is Mapping for whoever has no use for the keys.
func (p *parser) mapping(n *yaml.Node, what string, fields ...queries.Field) {
	p.Mapping(n, what, fields...)
}

// scalar is a field whose value parse turns into a T.
func scalar[T any](p *parser, what, key, expected string, to *T, tags []string, parse func(string) (T, error)) queries.Field {
	return queries.Field{Key: key, Read: func(n *yaml.Node) {
		if v, ok := queries.Scalar(p.Strict, n, what+"."+key, expected, tags, parse); ok {
			*to = v
		}
	}}
}

func (p *parser) text(what, key string, to *string) queries.Field {
	k := keyOf(what, key)
	return queries.Field{Key: k.Name, Read: func(n *yaml.Node) { *to = strings.TrimSpace(p.Text(n, what+"."+key)) }}
}

func (p *parser) oneOf(what, key string, to *string) queries.Field {
	k := keyOf(what, key)
	return queries.Field{Key: k.Name, Read: func(n *yaml.Node) { *to = p.OneOf(n, what+"."+key, k.Words...) }}
}

func (p *parser) boolean(what, key string, to *bool) queries.Field {
	k := keyOf(what, key)
	return queries.Field{Key: k.Name, Read: func(n *yaml.Node) { *to = p.Boolean(n, what+"."+key) }}
}

func (p *parser) integer(what, key string, to *int) queries.Field {
	k := keyOf(what, key)
	return scalar(p, what, key, fmt.Sprintf("a whole number from %.0f to %.0f", k.Min, k.Max), to, []string{"!!int"}, func(s string) (int, error) {
		v, err := strconv.Atoi(s)
		if err == nil && (float64(v) < k.Min || float64(v) > k.Max) {
			err = strconv.ErrRange
		}
		return v, err
	})
}

func (p *parser) number(what, key string, to *float64) queries.Field {
	k := keyOf(what, key)
	return scalar(p, what, key, fmt.Sprintf("a number from %g to %g", k.Min, k.Max), to, []string{"!!int", "!!float"}, func(s string) (float64, error) {
		v, err := strconv.ParseFloat(s, 64)
		if err == nil && (math.IsNaN(v) || v < k.Min || v > k.Max) {
			err = strconv.ErrRange
		}
		return v, err
	})
}

// optional wraps a field whose absence is not its zero value.
func optional[T any](to **T, make func(*T) queries.Field) queries.Field {
	v := new(T)
	f := make(v)
	return queries.Field{Key: f.Key, Read: func(n *yaml.Node) {
		f.Read(n)
		*to = v
	}}
}

func (p *parser) duration(what, key string, to *time.Duration) queries.Field {
	most := time.Duration(keyOf(what, key).Max * float64(time.Second))
	expected := fmt.Sprintf("a duration from 0 to %s, such as 10s", most)
	return scalar(p, what, key, expected, to, []string{"!!str", "!!int"}, func(s string) (time.Duration, error) {
		v, err := time.ParseDuration(s)
		if err == nil && (v < 0 || v > most) {
			err = strconv.ErrRange
		}
		return v, err
	})
}

func (p *parser) texts(what, key string, to *[]string) queries.Field {
	k := keyOf(what, key)
	return queries.Field{Key: k.Name, Read: func(n *yaml.Node) {
		p.List(n, what+"."+key, "texts", true, func(item *yaml.Node) {
			text, _ := queries.Scalar(p.Strict, item, what+"."+key, "text", []string{"!!str"}, func(s string) (string, error) {
				if s == "" {
					return "", strconv.ErrSyntax
				}
				return s, nil
			})
			*to = append(*to, text)
		})
	}}
}

// other is a field that is read in a way of its own.
func (p *parser) other(what, key string, read func(*yaml.Node)) queries.Field {
	return queries.Field{Key: keyOf(what, key).Name, Read: read}
}
