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

// scan reads the rows of one model, page by page.
type scan struct {
	decoder
	rows      *sql.Stmt // compiled once and not for every page
	probed    bool      // rows reads probes too
	lastProbe int       // index of the last query with a probe; below 0: none
}

const (
	replyColumns = `r.query, r.sample, r.text, r.reasoning, r.done_reason, r.prompt_tokens, r.completion_tokens, r.start_ns, r.end_ns, r.attempts,
	r.load_ns, r.prompt_eval_ns, r.eval_ns, r.energy_uj, r.failure_kind, r.failure_message, r.tokens, r.host, r.reused_from, r.checksum,
	s.vals, s.flags`
	replyJoin = ` FROM replies r LEFT JOIN scores s ON s.scoring = ? AND s.model = r.model AND s.query = r.query AND s.sample = r.sample`

	probeColumns = `, p.answers, p.choices, p.divergences, p.incomparable, p.start_ns, p.end_ns, p.failure_kind, p.failure_message, p.checksum, p.host`
	probeJoin    = ` LEFT JOIN probes p ON p.model = r.model AND p.query = r.query AND r.sample = 0`

	pageAfter = ` WHERE r.model = ? AND (r.query, r.sample) > (?, ?) ORDER BY r.query, r.sample LIMIT ?`
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
	return sc, sc.prepare(ctx, sc.lastProbe >= 0)
}

// prepare compiles the statement, which reads probes or does not.
func (sc *scan) prepare(ctx context.Context, probed bool) (err error) {
	query := "SELECT " + replyColumns + replyJoin + pageAfter
	if probed {
		query = "SELECT " + replyColumns + probeColumns + replyJoin + probeJoin + pageAfter
	}
	sc.close()
	sc.probed = probed
	sc.rows, err = sc.store.db.PrepareContext(ctx, query)
	return explain(err)
}

func (sc *scan) close() {
	if sc.rows != nil {
		_ = sc.rows.Close() // nothing hangs on it
	}
}

// page is a part of a model's rows, as the driver gives their columns.
type page struct {
	rows  []any // the columns of all of them, row after row
	width int   // columns of a row
	last  place // of the last row
}

func (p *page) len() int { return len(p.rows) / max(p.width, 1) }

// read reads the rows after a place.
func (sc *scan) read(ctx context.Context, after place, most int) (p page, err error) {
	if sc.probed && after.query > sc.lastProbe {
		if err := sc.prepare(ctx, false); err != nil {
			return p, err
		}
	}
	rows, err := sc.rows.QueryContext(ctx, sc.store.scoring(), sc.model, after.query, after.sample, most)
	if err != nil {
		return p, explain(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return p, explain(err)
	}
	p.width, p.last = len(names), after
	p.rows = make([]any, 0, most*p.width)
	to := make([]any, p.width)
	for rows.Next() {
		p.rows = p.rows[:len(p.rows)+p.width]
		row := p.rows[len(p.rows)-p.width:]
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			return p, explain(err)
		}
	}
	if n := len(p.rows); n > 0 {
		key := cells{rest: p.rows[n-p.width:]}
		p.last = place{key.number(), key.number()}
	}
	return p, explain(rows.Err())
}

// page checks the rows of a page and makes replies of them.
func (d decoder) page(p page) ([]eval.ScoredReply, error) {
	out := make([]eval.ScoredReply, p.len())
	for i := range out {
		var row scoredRow
		columns := p.rows[i*p.width : (i+1)*p.width]
		if err := row.take(columns); err != nil {
			return nil, damaged(d.store.dir, fmt.Sprintf("a reply of %s cannot be read: %v", d.store.record.Plan.Models[d.model].Name, err))
		}
		if err := row.check(d.store, d.model, columns[:checkedColumns]); err != nil {
			return nil, err
		}
		var err error
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

// yieldReplies returns false where nothing more is wanted. While a page is used
// the next one is decoded, and the one after it read.
func (s *Store) yieldReplies(ctx context.Context, model int, yield func(eval.ScoredReply, error) bool) bool {
	pages, enough := make(chan *pageRead, 1), make(chan struct{})
	defer func() {
		close(enough)
		for p := range pages { // nothing reads or decodes any more when this returns
			<-p.ready
		}
	}()
	go s.readPages(ctx, model, pages, enough)
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
		go func() {
			out.replies, out.err = sc.page(p)
			close(out.ready)
		}()
		if p.len() < pageRows {
			return
		}
		after = p.last
	}
}
