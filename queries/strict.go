package queries

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"go.yaml.in/yaml/v3"
)

// Strict reads the YAML of query, models and expected files. It forgives
// nothing: a key that is not known or stands twice, a value of another type, a
// reference to an anchor, a second document is an *Error with file, line and what
// was expected. It goes on after each, so that all of a file's faults are told
// at once, up to 20.
type Strict struct {
	file string
	errs Errors
}

// ParseStrict parses the one document of a file of at most most bytes and
// returns its node, nil where there is none to read: Err then says why. A byte
// that is NUL or no UTF-8 is a fault that does not end the reading. needs says
// what an empty file lacks.
func ParseStrict(data []byte, file string, most int, needs string) (*yaml.Node, *Strict) {
	s := &Strict{file: file}
	if len(data) > most {
		s.FailAt(0, "larger than %d MiB", most>>20)
		return nil, s
	}
	if data = s.blankFaults(data); len(s.errs) == maxErrors {
		return nil, s
	}
	lines := &lineReader{rest: data}
	decoder := yaml.NewDecoder(lines)
	var document, more yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		s.FailAt(0, "the file is empty; %s", needs)
		return nil, s
	} else if err != nil {
		s.FailAt(lines.read, "not valid YAML: %s", problem(err))
		return nil, s
	}
	if err := decoder.Decode(&more); err == nil {
		s.FailAt(more.Line, "a second YAML document; the file holds one")
		return nil, s
	} else if !errors.Is(err, io.EOF) {
		s.FailAt(lines.read, "not valid YAML: %s", problem(err))
		return nil, s
	}
	return &document, s
}

// Fail reports what is wrong at a node.
func (s *Strict) Fail(n *yaml.Node, format string, args ...any) { s.FailAt(n.Line, format, args...) }

// FailAt reports what is wrong on a line, counted from 1; 0 is the whole file.
func (s *Strict) FailAt(line int, format string, args ...any) {
	if len(s.errs) < maxErrors {
		s.errs = append(s.errs, &Error{File: s.file, Line: line, Reason: fmt.Sprintf(format, args...)})
	}
}

// Faults is the number of faults found so far.
func (s *Strict) Faults() int { return len(s.errs) }

// Err returns all faults as Errors, in the order of the file; nil without any.
func (s *Strict) Err() error {
	if len(s.errs) == 0 {
		return nil
	}
	slices.SortStableFunc(s.errs, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
	return s.errs
}

// Field is a key that a mapping may have, and what reads its value.
type Field struct {
	Key  string
	Read func(*yaml.Node)
}

// Mapping hands each value of a mapping to its field and refuses other keys.
// what names the mapping in errors.
func (s *Strict) Mapping(n *yaml.Node, what string, fields ...Field) (seen map[string]bool) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Key
	}
	return s.Entries(n, what, strings.Join(names, ", "), func(key, value *yaml.Node) {
		if at := slices.Index(names, key.Value); at >= 0 {
			fields[at].Read(value)
			return
		}
		s.Fail(key, "%s: %s", what, UnknownKey(key.Value, names))
	})
}

// Entries hands out the keys and values of a mapping with any keys, each once.
// expected says what the keys are. It returns the keys, nil where n is no
// mapping.
func (s *Strict) Entries(n *yaml.Node, what, expected string, read func(key, value *yaml.Node)) (seen map[string]bool) {
	if n.Kind != yaml.MappingNode {
		s.Fail(n, "%s: expected a mapping of %s, found %s", what, expected, Describe(n))
		return nil
	}
	seen = make(map[string]bool, len(n.Content)/2)
	lines := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch line, twice := lines[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			s.Fail(key, "%s: expected a plain key, found %s", what, Describe(key))
		case twice:
			s.Fail(key, "%s: key %q is already on line %d", what, short(key.Value), line)
		default:
			seen[key.Value], lines[key.Value] = true, key.Line
			read(key, value)
		}
	}
	return seen
}

// List hands out the items of a list, which is empty only where mayBeEmpty says
// that it may be.
func (s *Strict) List(n *yaml.Node, what, expected string, mayBeEmpty bool, read func(item *yaml.Node)) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 && !mayBeEmpty {
		s.Fail(n, "%s: expected a list of %s, found %s", what, expected, Describe(n))
		return
	}
	for _, item := range n.Content {
		if len(s.errs) == maxErrors {
			return
		}
		read(item)
	}
}

// Scalar parses the plain value n, which has one of the tags of YAML, such as
// !!int; expected says what it must be.
func Scalar[T any](s *Strict, n *yaml.Node, what, expected string, tags []string, parse func(string) (T, error)) (value T, ok bool) {
	if n.Kind == yaml.ScalarNode && slices.Contains(tags, n.ShortTag()) {
		if value, err := parse(n.Value); err == nil {
			return value, true
		}
	}
	s.Fail(n, "%s: expected %s, found %s", what, expected, Describe(n))
	return value, false
}

// Text reads a text that is not blank. A number must be quoted, because 1.10
// would not stay 1.10; a date may stand without quotes.
func (s *Strict) Text(n *yaml.Node, what string) string {
	v := s.anyText(n, what)
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && strings.TrimSpace(v) == "" {
		s.Fail(n, "%s: expected text, found %s", what, Describe(n))
	}
	return v
}

// anyText is Text that may be blank.
func (s *Strict) anyText(n *yaml.Node, what string) string {
	expected := "text"
	if tag := n.ShortTag(); tag == "!!int" || tag == "!!float" || tag == "!!bool" {
		expected = "text, in quotes"
	}
	v, _ := Scalar(s, n, what, expected, []string{"!!str", "!!timestamp"}, func(v string) (string, error) { return v, nil })
	return v
}

// Boolean reads true or false.
func (s *Strict) Boolean(n *yaml.Node, what string) bool {
	v, _ := Scalar(s, n, what, "true or false", []string{"!!bool"}, strconv.ParseBool)
	return v
}

// OneOf reads one of some words; YAML takes some, such as off, for a boolean.
func (s *Strict) OneOf(n *yaml.Node, what string, words ...string) string {
	v, _ := Scalar(s, n, what, "one of "+strings.Join(words, ", "), []string{"!!str", "!!bool", "!!null"}, func(v string) (string, error) {
		if !slices.Contains(words, v) {
			return "", strconv.ErrSyntax
		}
		return v, nil
	})
	return v
}

// Describe says what a node is, for an error.
func Describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode && len(n.Content) == 0:
		return "an empty mapping"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode && len(n.Content) == 0:
		return "an empty list"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return fmt.Sprintf("a reference to an anchor (*%s); write the value out", short(n.Value))
	case n.ShortTag() == "!!null":
		return "nothing"
	}
	value := short(n.Value)
	if n.ShortTag() == "!!str" || n.ShortTag() == "" {
		value = strconv.Quote(value)
	}
	if tag := n.ShortTag(); strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") {
		return fmt.Sprintf("%q with the tag %s", value, short(tag))
	}
	return value
}

// UnknownKey says that key is none of known, and which of them may be meant.
func UnknownKey(key string, known []string) string {
	expected := "expected one of " + strings.Join(known, ", ")
	if best := Nearest(key, known); best != "" {
		expected = fmt.Sprintf("did you mean %q? It may be one of %s", best, strings.Join(known, ", "))
	}
	return fmt.Sprintf("unknown key %q; %s", short(key), expected)
}

// Nearest is the known word that word is a slip of the pen of; empty where none
// is near enough.
func Nearest(word string, known []string) string {
	const few = 3 // letters between a word and the same with a slip of the pen
	best, least := "", min(few, len(word)/2+1)
	for _, name := range known {
		if len(word) > len(name)+few {
			continue // too far, and perhaps very long
		}
		d := levenshtein.ComputeDistance(strings.ToLower(word), name)
		if swapped(strings.ToLower(word), name) {
			d = 1
		}
		if d < least {
			best, least = name, d
		}
	}
	return best
}

// swapped reports whether two words differ in the order of two neighbouring
// letters alone.
func swapped(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) - 1 {
		if a[i] != b[i] {
			return a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
		}
	}
	return false
}

// blankFaults reports every byte that is NUL or not UTF-8 and puts a letter
// there, because the parser would say nothing about the rest of the file.
func (s *Strict) blankFaults(text []byte) []byte {
	if faultAt(text) < 0 {
		return text
	}
	text = bytes.Clone(text)
	line, from := 1, 0
	for len(s.errs) < maxErrors {
		at := faultAt(text[from:])
		if at < 0 {
			break
		}
		line += bytes.Count(text[from:from+at], []byte("\n"))
		from += at
		s.FailAt(line, "%s", encodingFault(text[from:]))
		text[from] = 'x'
	}
	return text
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
