package queries

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
)

func readCSV(r io.Reader, c *collector) error {
	limit := &recordLimit{r: r, left: maxRecord}
	records := csv.NewReader(limit)
	records.ReuseRecord = true
	header, err := records.Read()
	if err != nil {
		return csvFault(err, 1, c)
	}
	columns := slices.Clone(header)
	if !checkHeader(columns, c) {
		return nil
	}
	for !c.full() {
		limit.left = maxRecord
		record, err := records.Read()
		var parse *csv.ParseError
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, csv.ErrFieldCount):
			line, _ := records.FieldPos(0)
			c.fail(line, "has %d fields where the header has %d", len(record), len(columns))
		case errors.As(err, &parse):
			c.fail(parse.StartLine, "%v", parse.Err) // the next record begins on the line after
		case err != nil:
			return csvFault(err, after(c), c)
		default:
			line, _ := records.FieldPos(0)
			c.add(line, recordQuery(columns, record))
		}
		c.bad = false
	}
	return nil
}

// after is the first line on which a record that could not be read may begin.
func after(c *collector) int {
	if n := len(c.set.lines); n > 0 {
		return c.set.lines[n-1] + 1
	}
	return 2
}

// csvFault reports what is wrong with the file and passes on what is wrong
// with reading it.
func csvFault(err error, line int, c *collector) error {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, errRecordTooLong):
		c.fail(line, "%v; is a closing quote missing?", errRecordTooLong)
	case errors.As(err, &parse):
		c.fail(parse.StartLine, "%v", parse.Err)
	case errors.Is(err, io.EOF):
		c.fail(1, "empty; the first line names the columns, such as id,prompt,keyword,aliases")
	default:
		return err
	}
	return nil
}

// checkHeader reports what is wrong with the columns and says whether the
// records can be read all the same.
func checkHeader(columns []string, c *collector) (usable bool) {
	usable = true
	seen := map[string]bool{}
	var known Query
	for _, name := range columns {
		if name != "aliases" && known.field(name) == nil {
			c.fail(1, "%v", unknownKey(name))
		}
		if seen[name] {
			c.fail(1, "column %q stands twice", name)
			usable = false
		}
		seen[name] = true
	}
	for _, name := range []string{"id", "prompt", "keyword"} {
		if !seen[name] {
			c.fail(1, "column %q is missing", name)
			usable = false
		}
	}
	c.bad = false
	return usable
}

func recordQuery(columns, record []string) Query {
	var q Query
	for i, name := range columns {
		switch to := q.field(name); {
		case to != nil:
			*to = record[i]
		case name == "aliases" && record[i] != "":
			q.Aliases = strings.Split(record[i], "|")
		}
	}
	return q
}

var errRecordTooLong = errors.New("record longer than 1 MiB")

// recordLimit ends a file whose record does not end, before it fills the
// memory: encoding/csv keeps a record whole, however long.
type recordLimit struct {
	r    io.Reader
	left int // bytes until the record is too long; set again before each
}

func (l *recordLimit) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errRecordTooLong
	}
	n, err := l.r.Read(p)
	l.left -= n
	return n, err
}
