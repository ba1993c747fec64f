package runstore

import (
	"database/sql"
	"fmt"
)

// cells are the columns of a row as the driver gives them, taken one after the
// other. SQLite stores any type in any column: a value of another type than the
// column's is a damaged one.
type cells struct {
	rest  []any
	wrong error // the first
}

// next is the value of the next column; ok is false where it is NULL or no T.
func next[T int64 | string | []byte](c *cells, null bool) (v T, ok bool) {
	cell := c.rest[0]
	c.rest = c.rest[1:]
	if v, ok = cell.(T); !ok && (cell != nil || !null) && c.wrong == nil {
		c.wrong = fmt.Errorf("%T in place of %T", cell, v)
	}
	return v, ok
}

func (c *cells) integer() int64 { v, _ := next[int64](c, false); return v }
func (c *cells) number() int    { return int(c.integer()) }
func (c *cells) text() string   { v, _ := next[string](c, false); return v }
func (c *cells) blob() []byte   { v, _ := next[[]byte](c, true); return v }

func (c *cells) nullInteger() sql.NullInt64 {
	v, ok := next[int64](c, true)
	return sql.NullInt64{Int64: v, Valid: ok}
}

func (c *cells) nullText() sql.NullString {
	v, ok := next[string](c, true)
	return sql.NullString{String: v, Valid: ok}
}

// checkedColumns are those at the beginning of replyColumns that a row's
// checksum covers, in its order.
const checkedColumns = 19

// take reads the columns of a row: replyColumns and, where they were read,
// probeColumns.
func (row *scoredRow) take(columns []any) error {
	c := cells{rest: columns}
	row.query, row.sample = c.number(), c.number()
	row.text, row.reasoning, row.doneReason = c.text(), c.text(), c.text()
	row.promptTokens, row.completed = c.nullInteger(), c.nullInteger()
	row.start, row.end, row.attempts = c.integer(), c.integer(), c.number()
	row.load, row.promptEval, row.evaluated = c.integer(), c.integer(), c.integer()
	row.energy, row.kind, row.message = c.nullInteger(), c.nullText(), c.nullText()
	row.tokens, row.host, row.reusedFrom, row.sum = c.text(), c.text(), c.text(), c.blob()
	if p := &row.probe; len(c.rest) > 0 {
		p.answers, p.choices, p.divergences, p.incomparable = c.nullText(), c.nullText(), c.nullText(), c.nullText()
		p.start, p.end = c.nullInteger(), c.nullInteger()
		p.kind, p.message, p.sum, p.host = c.nullText(), c.nullText(), c.blob(), c.nullText()
	}
	return c.wrong
}

// takeScores reads scoreColumns.
func (row *scoredRow) takeScores(columns []any) error {
	c := cells{rest: columns[2:]} // after the place
	row.vals, row.flags = textOf(c.text()), textOf(c.text())
	return c.wrong
}
