package gate

import (
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// get finds a key's value in a mapping.
func get(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// set gives a key its value and keeps the comments of the one before.
func set(n *yaml.Node, key string, to *yaml.Node) {
	was := get(n, key)
	if was == nil {
		n.Content = append(n.Content, text(key), to)
		return
	}
	if was.Kind == yaml.ScalarNode && to.Kind == yaml.ScalarNode && was.Value == to.Value {
		return
	}
	to.HeadComment, to.LineComment, to.FootComment = was.HeadComment, was.LineComment, was.FootComment
	*was = *to
}

// child finds a mapping under a key, or adds it.
func child(n *yaml.Node, key string, style yaml.Style) *yaml.Node {
	if get(n, key) == nil {
		set(n, key, &yaml.Node{Kind: yaml.MappingNode, Style: style})
	}
	return get(n, key)
}

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// number is a number as YAML tells them apart: digits alone are whole.
func number(s string) *yaml.Node {
	tag := "!!float"
	if _, err := strconv.Atoi(s); err == nil {
		tag = "!!int"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: s}
}

// remove takes a key and its value out of a mapping.
func remove(n *yaml.Node, key string) {
	if value := get(n, key); value != nil {
		at := slices.Index(n.Content, value)
		n.Content = slices.Delete(n.Content, at-1, at+1)
	}
}

// keyNode finds the node of a key in a mapping.
func keyNode(n *yaml.Node, key string) *yaml.Node {
	return n.Content[slices.Index(n.Content, get(n, key))-1]
}
