package queries

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestStrict reads one small file through every reader.
func TestStrict(t *testing.T) {
	for _, test := range []struct {
		name, file string
		line       int
		want       string
	}{
		{"good", "name: x\nplain: true\ncolour: red\nlist: [a, b]\n", 0, ""},
		{"empty", "# nothing\n", 0, "f: the file is empty; it needs a name"},
		{"too large", strings.Repeat("# x\n", 1<<19), 0, "larger than 1 MiB"},
		{"not YAML", "name: x\nlist: [a\n", 2, "not valid YAML"},
		{"two documents", "name: x\n---\nname: y\n", 2, "a second YAML document"},
		{"a list", "- name\n", 1, "file: expected a mapping of name, plain, colour, list, found a list"},
		{"unknown key", "nmae: x\n", 1, `file: unknown key "nmae"; did you mean "name"? It may be one of name, plain, colour, list`},
		{"another letter case", "Name: x\n", 1, `did you mean "name"?`},
		{"nothing near", "elephant: x\n", 1, `file: unknown key "elephant"; expected one of name, plain, colour, list`},
		{"key twice", "name: x\nplain: true\nname: y\n", 3, `file: key "name" is already on line 1`},
		{"key of a kind", "? [a]\n: x\n", 1, "file: expected a plain key, found a list"},
		{"merge", "<<: {name: x}\n", 1, `unknown key "<<"`},
		{"number for text", "name: 1.10\n", 1, "name: expected text, in quotes, found 1.10"},
		{"blank text", "name: ' '\n", 1, `name: expected text, found " "`},
		{"nothing for text", "name:\n", 1, "name: expected text, found nothing"},
		{"tagged", "name: !secret x\n", 1, "with the tag !secret"},
		{"reference", "list: &l [a]\nname: *l\n", 2, "name: expected text, found a reference to an anchor (*l); write the value out"},
		{"text for true", "plain: 'true'\n", 1, `plain: expected true or false, found "true"`},
		{"none of them", "colour: blue\n", 1, "colour: expected one of red, off, found"},
		{"text for a list", "list: a\n", 1, "list: expected a list of texts, found"},
		{"empty list", "list: []\n", 1, "list: expected a list of texts, found an empty list"},
		{"NUL", "name: x\x00\n", 1, "NUL"},
		{"not UTF-8", "name: x\ncolour: \xe9\n", 2, "byte 0xe9 is not UTF-8"},
	} {
		document, s := ParseStrict([]byte(test.file), "f", 1<<20, "it needs a name")
		if document != nil {
			s.Mapping(document.Content[0], "file",
				Field{"name", func(n *yaml.Node) { s.Text(n, "name") }},
				Field{"plain", func(n *yaml.Node) { s.Boolean(n, "plain") }},
				Field{"colour", func(n *yaml.Node) { s.OneOf(n, "colour", "red", "off") }},
				Field{"list", func(n *yaml.Node) { s.List(n, "list", "texts", false, func(n *yaml.Node) { s.Text(n, "list") }) }})
		}
		err := s.Err()
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || s.errs[0].Line != test.line {
			t.Errorf("%s: %v, want %q on line %d", test.name, err, test.want, test.line)
		}
	}
}

// TestStrictTellsAll wants every fault, in the order of the file, and an end
// after twenty.
func TestStrictTellsAll(t *testing.T) {
	document, s := ParseStrict([]byte("a: 1\nb: 2\n"), "f", 1<<20, "")
	s.Fail(document.Content[0].Content[2], "second")
	s.Fail(document.Content[0], "first")
	if err := s.Err(); err == nil || err.Error() != "f:1: first\nf:2: second" {
		t.Errorf("got %v", err)
	}
	for range 30 {
		s.FailAt(3, "again")
	}
	if n := s.Faults(); n != maxErrors {
		t.Errorf("%d faults, want %d", n, maxErrors)
	}
}
