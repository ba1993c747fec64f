package queries

import (
	"io"

	"go.yaml.in/yaml/v3"
)

func readYAML(r io.Reader, c *collector) error {
	text, err := io.ReadAll(io.LimitReader(r, maxYAML+1))
	if err != nil {
		return err
	}
	if len(text) > maxYAML {
		c.fail(0, "larger than 8 MiB; write a set of this size as JSONL (.jsonl)")
		return nil
	}
	document, s := ParseStrict(text, c.set.file, maxYAML, "it needs a list under queries:")
	if document != nil {
		readDocument(document.Content[0], s, c)
	}
	c.errs = append(c.errs, s.errs...)
	return nil
}

func readDocument(n *yaml.Node, s *Strict, c *collector) {
	s.Mapping(n, "query file",
		Field{"name", func(n *yaml.Node) { c.set.Name = s.anyText(n, "name") }},
		Field{"version", func(n *yaml.Node) { c.set.Version = s.anyText(n, "version") }},
		Field{"explained", func(n *yaml.Node) { c.set.Explained = readExplained(n, s) }},
		Field{"queries", func(n *yaml.Node) {
			s.List(n, "queries", "{id, prompt, keyword}", true, func(item *yaml.Node) {
				faults := s.Faults()
				if q := readItem(item, s); s.Faults() == faults {
					c.add(item.Line, q)
				}
			})
		}},
	)
}

func readItem(n *yaml.Node, s *Strict) Query {
	var q Query
	fields := make([]Field, 0, len(keys))
	for _, key := range keys {
		fields = append(fields, Field{key, func(n *yaml.Node) {
			if to := q.field(key); to != nil {
				*to = s.anyText(n, key)
				return
			}
			s.List(n, key, "texts, such as [Everest, Sagarmatha]", true, func(item *yaml.Node) {
				q.Aliases = append(q.Aliases, s.anyText(item, "alias"))
			})
		}})
	}
	s.Mapping(n, "query", fields...)
	return q
}

func readExplained(n *yaml.Node, s *Strict) map[string]map[string]string {
	explained := map[string]map[string]string{}
	s.Entries(n, "explained", "rules of the lint", func(rule, value *yaml.Node) {
		reasons := map[string]string{}
		s.Entries(value, "explained."+short(rule.Value), "query IDs", func(id, reason *yaml.Node) {
			reasons[id.Value] = s.anyText(reason, "explained."+short(rule.Value)+"."+short(id.Value))
		})
		explained[rule.Value] = reasons
	})
	return explained
}
