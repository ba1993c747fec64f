package runstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/disteval/disteval/eval"
)

// pageRows is how many replies are read at a time; between pages others may use
// the file.
const pageRows = 500

// place is where a reply stands among those of a model.
type place struct{ query, sample int }

func (p place) before(o place) bool {
	return p.query < o.query || p.query == o.query && p.sample < o.sample
}

// scan reads the rows of one model, page by page.
type scan struct {
	decoder
	rows      *sql.Stmt // compiled once and not for every page
	scores    *sql.Stmt
	probed    bool // rows reads probes too
	lastProbe int  // index of the last query with a probe; below 0: none
}

const (
	replyColumns = `r.query, r.sample, r.text, r.reasoning, r.done_reason, r.prompt_tokens, r.completion_tokens, r.start_ns, r.end_ns, r.attempts,
	r.load_ns, r.prompt_eval_ns, r.eval_ns, r.energy_uj, r.failure_kind, r.failure_message, r.tokens, r.host, r.reused_from, r.checksum`
	probeColumns = `, p.answers, p.choices, p.divergences, p.incomparable, p.start_ns, p.end_ns, p.failure_kind, p.failure_message, p.checksum, p.host`
	probeJoin    = ` LEFT JOIN probes p ON p.model = r.model AND p.query = r.query AND r.sample = 0`

	pageAfter = ` WHERE r.model = ? AND (r.query, r.sample) > (?, ?) ORDER BY r.query, r.sample LIMIT ?`

	scoreColumns = `query, sample, vals, flags`
	// Going along the scores of a page takes less than half of what it takes to
	// look each up.
	scoresBetween = `SELECT ` + scoreColumns + ` FROM scores WHERE scoring = ? AND model = ? AND (query, sample) > (?, ?) AND (query, sample) <= (?, ?) ORDER BY query, sample`
)

// scan begins to read a model's rows. Beyond the last probe none is looked for;
// to a record that is written more may come.
func (s *Store) scan(ctx context.Context, model int) (*scan, error) {
	sc := &scan{decoder: s.decoder(model), lastProbe: math.MaxInt}
	if s.writer == nil {
		err := s.db.QueryRowContext(ctx, "SELECT COALESCE(MAX(query), -1) FROM probes WHERE model = ?", model).Scan(&sc.lastProbe)
		if err != nil {
			return nil, explain(err)
		}
	}
	var err error
	if sc.scores, err = s.db.PrepareContext(ctx, scoresBetween); err != nil {
		return nil, explain(err)
	}
	if err := sc.prepare(ctx, sc.lastProbe >= 0); err != nil {
		return nil, errors.Join(err, sc.scores.Close())
	}
	return sc, nil
}

// prepare compiles the statement, which reads probes or does not.
func (sc *scan) prepare(ctx context.Context, probed bool) error {
	query := "SELECT " + replyColumns + " FROM replies r" + pageAfter
	if probed {
		query = "SELECT " + replyColumns + probeColumns + " FROM replies r" + probeJoin + pageAfter
	}
	rows, err := sc.store.db.PrepareContext(ctx, query)
	if err != nil {
		return explain(err)
	}
	if sc.rows != nil {
		_ = sc.rows.Close() // nothing hangs on it
	}
	sc.rows, sc.probed = rows, probed
	return nil
}

func (sc *scan) close() { _, _ = sc.rows.Close(), sc.scores.Close() } // nothing hangs on these

// table is rows as the driver gives their columns.
type table struct {
	cells []any // row after row
	width int   // columns of a row
}

func (t *table) len() int          { return len(t.cells) / max(t.width, 1) }
func (t *table) row(i int) []any   { return t.cells[i*t.width : (i+1)*t.width] }
func (t *table) place(i int) place { return placeOf(t.row(i)) }

// placeOf is the place in the first two columns of a row.
func placeOf(row []any) place {
	c := cells{rest: row}
	return place{c.number(), c.number()}
}

// tableOf reads what a statement finds; room is how many rows to expect.
func tableOf(ctx context.Context, stmt *sql.Stmt, room int, args ...any) (t table, err error) {
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return t, explain(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return t, explain(err)
	}
	t.width = len(names)
	t.cells = make([]any, 0, room*t.width)
	none, to := make([]any, t.width), make([]any, t.width)
	for rows.Next() {
		t.cells = append(t.cells, none...)
		for i := range to {
			to[i] = &t.cells[len(t.cells)-t.width+i]
		}
		if err := rows.Scan(to...); err != nil {
			return t, explain(err)
		}
	}
	return t, explain(rows.Err())
}

// page is a part of a model's replies, and their scores.
type page struct {
	replies table
	scores  table // scoreColumns of those that have any
	last    place // of the last reply
}

// read reads the rows after a place.
func (sc *scan) read(ctx context.Context, after place, most int) (p page, err error) {
	if sc.probed && after.query > sc.lastProbe {
		if err := sc.prepare(ctx, false); err != nil {
			return p, err
		}
	}
	p.replies, err = tableOf(ctx, sc.rows, most, sc.model, after.query, after.sample, most)
	if err != nil || p.replies.len() == 0 {
		return p, err
	}
	p.last = p.replies.place(p.replies.len() - 1)
	p.scores, err = tableOf(ctx, sc.scores, p.replies.len(), sc.store.scoring(), sc.model, after.query, after.sample, p.last.query, p.last.sample)
	return p, err
}

// page checks the rows of a page and makes replies of them.
func (d decoder) page(p page) ([]eval.ScoredReply, error) {
	out := make([]eval.ScoredReply, p.replies.len())
	next := 0 // of the scores
	for i := range out {
		var row scoredRow
		columns := p.replies.row(i)
		err := row.take(columns)
		at := place{row.query, row.sample}
		for next < p.scores.len() && p.scores.place(next).before(at) {
			next++
		}
		if next < p.scores.len() && p.scores.place(next) == at {
			err = errors.Join(err, row.takeScores(p.scores.row(next)))
		}
		if err != nil {
			return nil, damaged(d.store.dir, fmt.Sprintf("a reply of %s cannot be read: %v", d.store.record.Plan.Models[d.model].Name, err))
		}
		if err := row.check(d.store, d.model, columns[:checkedColumns]); err != nil {
			return nil, err
		}
		if out[i], err = d.decode(&row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// pageRead is a page that is being decoded, and once it is ready what it holds
// or why it cannot be read.
type pageRead struct {
	replies []eval.ScoredReply
	err     error
	ready   chan struct{} // closed then
}

// decode makes a page ready, unless something was wrong with it before.
func (p *pageRead) decode(do func() ([]eval.ScoredReply, error)) {
	defer close(p.ready)
	if p.err == nil {
		p.replies, p.err = do()
	}
}

// yieldReplies returns false where nothing more is wanted. While a page is used
// the next one is decoded, and the one after it read.
func (s *Store) yieldReplies(ctx context.Context, model int, yield func(eval.ScoredReply, error) bool) bool {
	return s.yieldPages(yield, func(to chan<- *pageRead, enough <-chan struct{}) { s.readPages(ctx, model, to, enough) })
}

// yieldPages yields the replies of what produce sends until it closes its channel,
// which it does once it is enough.
func (s *Store) yieldPages(yield func(eval.ScoredReply, error) bool, produce func(to chan<- *pageRead, enough <-chan struct{})) bool {
	pages, enough := make(chan *pageRead, 1), make(chan struct{})
	defer func() {
		close(enough)
		for p := range pages { // nothing reads or decodes any more when this returns
			<-p.ready
		}
	}()
	go produce(pages, enough)
	for p := range pages {
		<-p.ready
		for _, r := range p.replies {
			if !yield(r, nil) {
				return false
			}
		}
		if p.err != nil {
			yield(eval.ScoredReply{}, fmt.Errorf("read the replies in %s: %w", s.dir, p.err))
			return false
		}
	}
	return true
}

// readPages reads a model's replies page by page to the last one, or until it is
// enough or ctx ends. A page that has begun is read to its end: the driver gives
// up a connection on which a query was broken off, and with it the transaction.
// What is sent is decoded by a goroutine that ends when it is ready.
func (s *Store) readPages(ctx context.Context, model int, to chan<- *pageRead, enough <-chan struct{}) {
	defer close(to)
	send := func(p *pageRead) bool {
		select {
		case to <- p:
			return true
		case <-enough:
			return false
		}
	}
	fail := func(err error) {
		p := &pageRead{err: err, ready: make(chan struct{})}
		close(p.ready)
		send(p)
	}
	sc, err := s.scan(ctx, model)
	if err != nil {
		fail(err)
		return
	}
	defer sc.close()
	for after := (place{query: -1}); ; {
		p, err := sc.read(context.WithoutCancel(ctx), after, pageRows)
		if err = errors.Join(err, ctx.Err()); err != nil {
			fail(err)
			return
		}
		out := &pageRead{ready: make(chan struct{})}
		if !send(out) {
			return
		}
		go out.decode(func() ([]eval.ScoredReply, error) { return sc.page(p) })
		if p.replies.len() < pageRows {
			return
		}
		after = p.last
	}
}
