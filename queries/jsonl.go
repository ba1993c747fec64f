package queries

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

func readJSONL(r io.Reader, c *collector) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxRecord)
	line := 0
	for !c.full() && lines.Scan() {
		line++
		text := lines.Bytes()
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if at := faultAt(text); at >= 0 {
			c.fail(line, "%s at byte %d of the line", encodingFault(text[at:]), at+1)
			c.add(line, Query{})
			continue
		}
		q, plain := decodePlain(text)
		if !plain {
			var err error
			if q, err = decodeObject(text); err != nil {
				c.fail(line, "%v", err)
			}
		}
		c.add(line, q)
	}
	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		c.fail(line+1, "longer than 1 MiB; a query is one line of JSON")
		return nil
	}
	return err
}

// decodeObject reads one query. The standard decoder takes keys in any case,
// lets the last of two equal keys win and null pass for a string, so members
// looks at the keys again.
func decodeObject(text []byte) (Query, error) {
	var q Query
	if first := bytes.TrimLeft(text, " \t\r")[0]; first != '{' {
		return q, errors.New(`expected an object such as {"id": "…", "prompt": "…", "keyword": "…"}`)
	}
	err := json.Unmarshal(text, &q)
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return q, fmt.Errorf("not valid JSON at byte %d of the line: %w", syntax.Offset, err)
	case errors.As(err, &wrong):
		return q, wrongType(wrong.Field)
	case err != nil:
		return q, err
	}
	seen := make(map[string]bool, 8)
	return q, members(text, func(key string, value byte) error {
		switch {
		case key != "aliases" && q.field(key) == nil:
			return errors.New(UnknownKey(key, keys))
		case seen[key]:
			return fmt.Errorf("key %q appears twice", key)
		case (key == "aliases") != (value == '['), value == 'n':
			return wrongType(key)
		}
		seen[key] = true
		return nil
	})
}

func wrongType(key string) error {
	if key == "aliases" {
		return errors.New("aliases must be a list of strings")
	}
	return fmt.Errorf("%s must be a string", short(key))
}

// members calls visit with each key of a valid JSON object, as it is written,
// and the first byte of its value.
func members(object []byte, visit func(key string, value byte) error) error {
	depth, keyNext := 0, false
	for i := 0; i < len(object); i++ {
		switch object[i] {
		case '{', '[':
			depth++
			keyNext = depth == 1
		case '}', ']':
			depth--
		case ',':
			keyNext = depth == 1
		case '"':
			end := stringEnd(object, i)
			if keyNext {
				value := bytes.TrimLeft(object[end+1:], ": \t\r")
				if err := visit(string(object[i+1:end]), value[0]); err != nil {
					return err
				}
				keyNext = false
			}
			i = end
		}
	}
	return nil
}

// stringEnd is the place of the quote that closes the one at start.
func stringEnd(text []byte, start int) int {
	i := start + 1
	for text[i] != '"' {
		if text[i] == '\\' {
			i++
		}
		i++
	}
	return i
}

// field is the text field that a file calls key; nil where there is none.
func (q *Query) field(key string) *string {
	switch key {
	case "id":
		return &q.ID
	case "prompt":
		return &q.Prompt
	case "keyword":
		return &q.Keyword
	case "reference":
		return &q.Reference
	case "category":
		return &q.Category
	case "difficulty":
		return &q.Difficulty
	case "as_of":
		return &q.AsOf
	}
	return nil
}

// keys are those of a query in a file.
var keys = []string{"id", "prompt", "keyword", "aliases", "reference", "category", "difficulty", "as_of"}

// WriteJSONL writes one query a line, as Read takes it back.
func WriteJSONL(w io.Writer, s Set) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, q := range s.Queries {
		if err := enc.Encode(q); err != nil {
			return fmt.Errorf("write query %s: %w", q.ID, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write queries: %w", err)
	}
	return nil
}
