package runstore

import (
	"context"
	"database/sql"
	"slices"
	"sync"

	"github.com/disteval/disteval/eval"
)

// memory holds what a store has written, so that the process that asked need
// not read it again to report it. It takes in what is committed, of a record
// that the process began: it knows all of it or, beyond memoryBytes, nothing.
type memory struct {
	mu      sync.Mutex
	samples int             // of a query
	bytes   int             // about what it takes
	scoring int             // whose scores it has; 0: none
	rows    [][]*remembered // by model, then by query and sample; nil: nothing is known
}

// remembered is a reply's row with its scores and its probe, where it has them.
type remembered struct {
	scoredRow
	replied bool
}

const (
	memoryBytes = 32 << 20
	rowBytes    = 1 << 10 // about what a row takes beside its texts
)

// fact is a change that a memory takes in.
type fact interface{ enter(m *memory) }

type replyFact struct {
	model int
	row   replyRow
}

type scoresFact struct {
	scoring, model, query, sample int
	vals, flags                   string
}

type probeFact struct {
	model, query int
	row          probeRow
}

// scoringFact begins a scoring: earlier scores no longer count.
type scoringFact int

// remember begins a memory of a record that holds nothing yet.
func (s *Store) remember() {
	plan := s.record.Plan
	s.memory.samples = max(1, plan.Samples)
	s.memory.rows = make([][]*remembered, len(plan.Models))
}

func (m *memory) take(f fact) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows == nil {
		return
	}
	f.enter(m)
	if m.bytes > memoryBytes {
		m.rows = nil
	}
}

// at is the row of a job, which is made where there is none.
func (m *memory) at(model, query, sample int) *remembered {
	rows, i := m.rows[model], query*m.samples+sample
	for len(rows) <= i {
		rows = append(rows, nil)
	}
	if m.rows[model] = rows; rows[i] == nil {
		rows[i] = new(remembered)
		m.bytes += rowBytes
	}
	return rows[i]
}

func (f replyFact) enter(m *memory) {
	m.bytes += len(f.row.text) + len(f.row.reasoning) + len(f.row.tokens) + len(f.row.message.String)
	row := m.at(f.model, f.row.query, f.row.sample)
	row.replyRow, row.replied = f.row, true
}

func (f probeFact) enter(m *memory) {
	m.bytes += len(f.row.answers.String) + len(f.row.choices.String) + len(f.row.divergences.String)
	m.at(f.model, f.query, 0).probe = f.row
}

func (f scoresFact) enter(m *memory) {
	if f.scoring != m.scoring {
		return
	}
	m.bytes += len(f.vals)
	row := m.at(f.model, f.query, f.sample)
	row.vals, row.flags = textOf(f.vals), textOf(f.flags)
}

func (f scoringFact) enter(m *memory) {
	m.scoring = int(f)
	for _, rows := range m.rows {
		for _, row := range rows {
			if row != nil {
				row.vals, row.flags = sql.NullString{}, sql.NullString{}
			}
		}
	}
}

// handOver gives up the rows with the scores of a scoring: what is read again is
// read from the disk. ok is false where the memory does not hold them; replies
// that are yet to be scored, scoring 0, are always read from the disk.
func (m *memory) handOver(scoring int) (rows [][]*remembered, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows == nil || scoring == 0 || m.scoring != scoring {
		return nil, false
	}
	rows, m.rows = m.rows, nil
	return rows, true
}

// yieldRemembered yields the outcomes of a model's rows and lets go of these: some
// are decoded while others are used. It returns false where nothing more is
// wanted.
func (s *Store) yieldRemembered(ctx context.Context, model int, rows []*remembered, yield func(eval.ScoredReply, error) bool) bool {
	return s.yieldPages(yield, func(to chan<- *pageRead, enough <-chan struct{}) {
		defer close(to)
		decoder := s.decoder(model)
		for some := range slices.Chunk(rows, pageRows) {
			p := &pageRead{err: ctx.Err(), ready: make(chan struct{})}
			select {
			case to <- p:
			case <-enough:
				return
			}
			go p.decode(func() ([]eval.ScoredReply, error) { return decoder.remembered(some) })
		}
	})
}

// remembered decodes those of the rows that have a reply, and lets go of them.
func (d decoder) remembered(rows []*remembered) ([]eval.ScoredReply, error) {
	out := make([]eval.ScoredReply, 0, len(rows))
	for i, row := range rows {
		if row == nil || !row.replied {
			continue
		}
		r, err := d.decode(&row.scoredRow)
		if err != nil {
			return out, err
		}
		out, rows[i] = append(out, r), nil
	}
	return out, nil
}
