package queries

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

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
	if blankFaults(text, c); c.full() {
		return nil
	}
	lines := &lineReader{rest: text}
	decoder := yaml.NewDecoder(lines)
	var document, more yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		c.fail(1, "empty; expected a list under queries:")
		return nil
	} else if err != nil {
		c.fail(lines.read, "not valid YAML: %s", problem(err))
		return nil
	}
	if err := decoder.Decode(&more); err == nil {
		c.fail(more.Line, "a second YAML document; a file holds one set")
		return nil
	} else if !errors.Is(err, io.EOF) {
		c.fail(lines.read, "not valid YAML: %s", problem(err))
		return nil
	}
	readDocument(document.Content[0], c)
	return nil
}

// blankFaults reports every byte that is NUL or not UTF-8 and puts a letter
// there, because the parser would say nothing about the rest of the file.
func blankFaults(text []byte, c *collector) {
	line, from := 1, 0
	for !c.full() {
		at := faultAt(text[from:])
		if at < 0 {
			break
		}
		line += bytes.Count(text[from:from+at], []byte("\n"))
		from += at
		c.fail(line, "%s", encodingFault(text[from:]))
		text[from] = 'x'
	}
	c.bad = false
}

// problem is the parser's message without its line, which is that of the
// block or the line before; where the parser stopped reading is nearer.
func problem(err error) string {
	return parserLine.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), "")
}

var parserLine = regexp.MustCompile(`^line \d+: `)

// lineReader hands out a text line by line, so that the number of lines read
// tells where the parser found a fault.
type lineReader struct {
	rest []byte
	read int  // lines begun
	open bool // the last line was handed out in part
}

func (r *lineReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	if !r.open {
		r.read++
	}
	n := bytes.IndexByte(r.rest, '\n') + 1
	if n == 0 {
		n = len(r.rest)
	}
	r.open = n > len(p)
	n = copy(p, r.rest[:n])
	r.rest = r.rest[n:]
	return n, nil
}

func readDocument(n *yaml.Node, c *collector) {
	for _, p := range pairs(n, "the file", c) {
		switch p.key {
		case "name":
			c.set.Name = text(p, c)
		case "version":
			c.set.Version = text(p, c)
		case "explained":
			c.set.Explained = readExplained(p.value, c)
		case "queries":
			readList(p.value, c)
		default:
			c.fail(p.line, "unknown key %q; a file has name, version, explained and queries", short(p.key))
		}
		c.bad = false
	}
}

func readList(n *yaml.Node, c *collector) {
	if n.Kind != yaml.SequenceNode {
		c.fail(n.Line, "queries must be a list")
		return
	}
	for _, item := range n.Content {
		if c.full() {
			return
		}
		c.add(item.Line, readItem(item, c))
	}
}

func readItem(n *yaml.Node, c *collector) Query {
	var q Query
	for _, p := range pairs(n, "a query", c) {
		if p.key == "aliases" {
			q.Aliases = readAliases(p.value, c)
		} else if to := q.field(p.key); to != nil {
			*to = text(p, c)
		} else {
			c.fail(p.line, "%v", unknownKey(p.key))
		}
	}
	return q
}

func readAliases(n *yaml.Node, c *collector) []string {
	if n.Kind != yaml.SequenceNode {
		c.fail(n.Line, "aliases must be a list, such as [Everest, Sagarmatha]")
		return nil
	}
	var aliases []string
	for _, item := range n.Content {
		aliases = append(aliases, text(pair{"alias", item.Line, item}, c))
	}
	return aliases
}

func readExplained(n *yaml.Node, c *collector) map[string]map[string]string {
	explained := map[string]map[string]string{}
	for _, rule := range pairs(n, "explained", c) {
		reasons := map[string]string{}
		for _, p := range pairs(rule.value, "explained "+short(rule.key), c) {
			reasons[p.key] = text(p, c)
		}
		explained[rule.key] = reasons
	}
	return explained
}

type pair struct {
	key   string
	line  int
	value *yaml.Node
}

// pairs lists a mapping's keys and values, each key once; what names it in errors.
func pairs(n *yaml.Node, what string, c *collector) []pair {
	if n.Kind != yaml.MappingNode {
		c.fail(n.Line, "%s must be a mapping of keys to values", what)
		return nil
	}
	var all []pair
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			c.fail(key.Line, "a key must be a plain word")
		case seen[key.Value]:
			c.fail(key.Line, "key %q stands twice", short(key.Value))
		default:
			seen[key.Value] = true
			all = append(all, pair{key.Value, key.Line, value})
		}
	}
	return all
}

// text is a value that must be a string. A date may stand without quotes, being
// the same text either way; a number may not, because 1.10 would not stay 1.10.
func text(p pair, c *collector) string {
	n := p.value
	switch {
	case n.Kind == yaml.AliasNode:
		c.fail(n.Line, "%s refers to an anchor (*%s); write the text itself", short(p.key), short(n.Value))
	case n.Kind != yaml.ScalarNode:
		c.fail(n.Line, "%s must be text, not a list or a mapping", short(p.key))
	case n.ShortTag() == "!!null":
		c.fail(n.Line, "%s is empty; give it a text or leave it out", short(p.key))
	case n.ShortTag() == "!!str", n.ShortTag() == "!!timestamp":
		return n.Value
	default:
		c.fail(n.Line, "%s must be text; put it in quotes: %s", short(p.key), fmt.Sprintf("%q", short(n.Value)))
	}
	return ""
}
