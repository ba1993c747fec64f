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
		}
		var q Query
		if !c.bad {
			q = decodeObject(text, line, c)
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

// decodeObject reads one query token by token, because the standard decoder
// takes keys in any case and lets the last of two equal keys win.
func decodeObject(text []byte, line int, c *collector) Query {
	d := objectReader{Decoder: json.NewDecoder(bytes.NewReader(text)), line: line, c: c}
	q, err := d.query()
	if err == nil {
		_, err = d.Token()
		if err == nil {
			err = errors.New("more than one JSON value on the line")
		} else if err == io.EOF {
			err = nil
		}
	}
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the line ends inside the object")
	}
	if err != nil {
		c.fail(line, "%v (near byte %d of the line)", err, d.InputOffset())
	}
	return q
}

type objectReader struct {
	*json.Decoder
	line int
	c    *collector
}

func (d objectReader) query() (Query, error) {
	var q Query
	if t, err := d.Token(); err != nil {
		return q, err
	} else if t != json.Delim('{') {
		return q, errors.New("expected an object such as {\"id\": …, \"prompt\": …, \"keyword\": …}")
	}
	seen := make(map[string]bool, 8)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return q, err
		}
		key, _ := t.(string) // the decoder allows nothing else as a key
		if seen[key] {
			return q, fmt.Errorf("key %q stands twice", key)
		}
		seen[key] = true
		if err := d.field(&q, key); err != nil {
			return q, err
		}
	}
	_, err := d.Token()
	return q, err
}

func (d objectReader) field(q *Query, key string) error {
	if key == "aliases" {
		return d.aliases(q)
	}
	to := q.field(key)
	if to == nil {
		return unknownKey(key)
	}
	t, err := d.Token()
	if err != nil {
		return err
	}
	s, ok := t.(string)
	if !ok {
		return fmt.Errorf("%s must be a string", key)
	}
	*to = s
	return nil
}

func (d objectReader) aliases(q *Query) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('[') {
		return errors.New("aliases must be a list of strings")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		s, ok := t.(string)
		if !ok {
			return errors.New("aliases must be a list of strings")
		}
		q.Aliases = append(q.Aliases, s)
	}
	_, err = d.Token()
	return err
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

func unknownKey(key string) error {
	return fmt.Errorf("unknown key %q; a query has id, prompt, keyword, aliases, reference, category, difficulty and as_of", short(key))
}

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
