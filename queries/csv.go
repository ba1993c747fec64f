package queries

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
)

// readCSV reads what spreadsheets save, as far as it can be read in one way
// only; dialect finds out how it is written.
func readCSV(in *bufio.Reader, c *collector) error {
	d, err := newDialect(in, c)
	if err != nil || d == nil {
		return err
	}
	limit := &recordLimit{r: d.in, left: maxRecord}
	records := csv.NewReader(limit)
	records.ReuseRecord, records.Comma, records.FieldsPerRecord = true, d.comma, -1
	var columns []string
	for !c.full() {
		limit.left = maxRecord
		record, err := records.Read()
		line := d.before + 1
		if len(record) > 0 {
			at, _ := records.FieldPos(0)
			line = d.before + at
		}
		var parse *csv.ParseError
		switch {
		case err == io.EOF && columns != nil:
			return nil
		case errors.As(err, &parse) && columns != nil:
			c.fail(d.before+parse.StartLine, "%v", parse.Err) // the next record begins on the line after
		case err != nil && columns != nil:
			return csvFault(err, after(c), d, c)
		case err != nil:
			return csvFault(err, line, d, c)
		case isEmpty(record):
		case columns == nil:
			if columns = header(record); !checkHeader(columns, line, c) {
				return nil
			}
		default:
			readRecord(columns, record, line, c)
		}
		c.bad = false
	}
	return nil
}

// isEmpty says whether a record is a row that a spreadsheet has saved without
// anything in it.
func isEmpty(record []string) bool {
	return !slices.ContainsFunc(record, func(field string) bool { return strings.TrimSpace(field) != "" })
}

// header returns the columns' names in lower case, without the unnamed ones at
// the end.
func header(record []string) []string {
	columns := make([]string, len(record))
	for i, name := range record {
		columns[i] = strings.ToLower(strings.TrimSpace(name))
	}
	for len(columns) > 0 && columns[len(columns)-1] == "" {
		columns = columns[:len(columns)-1]
	}
	return columns
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
func csvFault(err error, line int, d *dialect, c *collector) error {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, errRecordTooLong):
		c.fail(line, "%v; is a closing quote missing?", errRecordTooLong)
	case errors.As(err, &parse):
		c.fail(d.before+parse.StartLine, "%v", parse.Err)
	case errors.Is(err, io.EOF):
		c.fail(1, "empty; the first line names the columns, such as id,prompt,keyword,aliases")
	default:
		return err
	}
	return nil
}

// checkHeader reports what is wrong with the columns and says whether the
// records can be read all the same.
func checkHeader(columns []string, line int, c *collector) (usable bool) {
	if len(columns) == 1 && columns[0] != "id" {
		c.fail(line, "one column only, %q; the columns are separated by commas, semicolons or tabs", short(columns[0]))
		return false
	}
	usable = true
	seen := map[string]bool{}
	var known Query
	for _, name := range columns {
		if name == "" {
			continue // a column without a name must be empty
		}
		if name != "aliases" && known.field(name) == nil {
			c.fail(line, "%s", UnknownKey(name, keys))
		}
		if seen[name] {
			c.fail(line, "column %q appears twice", name)
			usable = false
		}
		seen[name] = true
	}
	for _, name := range []string{"id", "prompt", "keyword"} {
		if !seen[name] {
			c.fail(line, "column %q is missing", name)
			usable = false
		}
	}
	c.bad = false
	return usable
}

// readRecord adds the query of a row. Fields beyond the columns, or in a column
// without a name, must be empty.
func readRecord(columns, record []string, line int, c *collector) {
	for i, field := range record {
		if strings.TrimSpace(field) != "" && (i >= len(columns) || columns[i] == "") {
			c.fail(line, "has %q in field %d, a column without a name; the header names %d", short(field), i+1, len(columns))
			return
		}
	}
	if len(record) < len(columns) {
		c.fail(line, "has %d fields where the header has %d", len(record), len(columns))
		return
	}
	c.add(line, recordQuery(columns, record))
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
