package runstore

import (
	"context"
	"database/sql"
	"fmt"

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
	rows   *sql.Stmt
	probes bool // the model's probes are read beside them
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

// scan begins to read a model's rows. Its statement is compiled once and not for
// every page. A record that is only read says at once whether to look for probes.
func (s *Store) scan(ctx context.Context, model int) (*scan, error) {
	sc := &scan{decoder: s.decoder(model), probes: true}
	if s.writer == nil {
		if err := s.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM probes WHERE model = ?)", model).Scan(&sc.probes); err != nil {
			return nil, explain(err)
		}
	}
	query := "SELECT " + replyColumns + replyJoin + pageAfter
	if sc.probes {
		query = "SELECT " + replyColumns + probeColumns + replyJoin + probeJoin + pageAfter
	}
	var err error
	sc.rows, err = s.db.PrepareContext(ctx, query)
	return sc, explain(err)
}

func (sc *scan) close() { _ = sc.rows.Close() } // nothing hangs on it

// page is a part of a model's rows, as the driver gives their columns.
type page struct {
	rows  []any // the columns of all of them, row after row
	width int   // columns of a row
	last  place
}

func (p *page) len() int { return len(p.rows) / p.width }

// read reads the rows after a place.
func (sc *scan) read(ctx context.Context, after place, most int) (p page, err error) {
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

// decode checks the rows of a page and makes replies of them.
func (sc *scan) decode(p page) ([]eval.ScoredReply, error) {
	out := make([]eval.ScoredReply, p.len())
	var row scoredRow
	for i := range out {
		columns := p.rows[i*p.width : (i+1)*p.width]
		if err := row.take(columns, sc.probes); err != nil {
			return nil, damaged(sc.store.dir, fmt.Sprintf("a reply of %s cannot be read: %v", sc.store.record.Plan.Models[sc.model].Name, err))
		}
		if err := row.check(sc.store, sc.model, columns[:checkedColumns]); err != nil {
			return nil, err
		}
		var err error
		if out[i], err = sc.decoder.decode(&row); err != nil {
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
// enough. A page that has begun is read to its end: the driver gives up a
// connection on which a query was broken off, and with it the transaction. What
// is sent is decoded by a goroutine that ends with it.
func (s *Store) readPages(ctx context.Context, model int, to chan<- *pageRead, enough <-chan struct{}) {
	defer close(to)
	sc, err := s.scan(ctx, model)
	if err == nil {
		defer sc.close()
	}
	for after, more := (place{query: -1}), true; more; {
		out := &pageRead{err: err, ready: make(chan struct{})}
		var p page
		if err == nil {
			p, out.err = sc.read(ctx, after, pageRows)
		}
		select {
		case to <- out:
		case <-enough:
			return
		}
		if out.err != nil {
			close(out.ready)
			return
		}
		after, more = p.last, p.len() == pageRows
		go func() {
			out.replies, out.err = sc.decode(p)
			close(out.ready)
		}()
	}
}
