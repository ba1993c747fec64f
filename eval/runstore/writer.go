package runstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/disteval/disteval/eval"
)

// groupMost is how many queued changes go into one commit.
const groupMost = 512

// linger is how long a change waits for others to share its commit. Until
// then it is in flight: a kill may lose it, and a resumption asks it again.
const linger = 20 * time.Millisecond

// patience is how long scores wait for replies to share a commit with. What a kill
// takes of them is scored again.
const patience = 250 * time.Millisecond

// writer is the goroutine that alone writes while a run asks. It commits in
// groups of what comes within linger, or while the commit before is under way.
type writer struct {
	store    *Store
	queue    chan change
	ended    chan struct{}
	once     sync.Once
	prepared map[string]*sql.Stmt // by query

	mu     sync.Mutex
	err    error            // the first; nothing is written after it
	follow func(eval.Reply) // is told of what is stored; nil: nobody is
}

// change is one thing to write, or only a sign that all before is on disk.
type change struct {
	query string // ends in VALUES and its row, or is no insert; empty: nothing is written
	args  []any
	reply *eval.Reply   // that it stores, for who follows
	fact  fact          // that the memory takes in; nil: none
	done  chan struct{} // closed after the commit; nil where nobody waits
}

var errClosed = errors.New("the record is closed")

func startWriter(s *Store) *writer {
	w := &writer{store: s, queue: make(chan change, groupMost), ended: make(chan struct{}), prepared: make(map[string]*sql.Stmt)}
	go w.loop()
	return w
}

func (w *writer) loop() {
	defer close(w.ended)
	for first := range w.queue {
		group := w.gather(first)
		if w.failed() == nil {
			w.fail(w.commit(group))
		}
		w.tell(group)
	}
	for _, stmt := range w.prepared {
		_ = stmt.Close() // nothing is written by it any more
	}
}

// tell lets those know who wait for a group, or follow what is stored.
func (w *writer) tell(group []change) {
	w.mu.Lock()
	follow, stored := w.follow, w.err == nil
	w.mu.Unlock()
	for _, c := range group {
		if c.fact != nil && stored {
			w.store.memory.take(c.fact)
		}
		if c.reply != nil && stored && follow != nil {
			follow(*c.reply)
		}
		if c.done != nil {
			close(c.done)
		}
	}
}

func (w *writer) gather(first change) []change {
	group := []change{first}
	patient := first.patient()
	late := time.NewTimer(patience)
	defer late.Stop()
	if !patient {
		late.Reset(linger)
	}
	for len(group) < groupMost && group[len(group)-1].done == nil {
		select {
		case c, ok := <-w.queue:
			if !ok {
				return group
			}
			if group = append(group, c); patient && !c.patient() {
				patient = false
				late.Reset(linger)
			}
		case <-late.C:
			return group
		}
	}
	return group
}

// patient reports whether a change may wait for others.
func (c change) patient() bool {
	_, scores := c.fact.(scoresFact)
	return scores
}

func (w *writer) commit(group []change) error {
	ctx := context.Background() // an interrupt must not undo what was received
	if err := w.store.inPlace(); err != nil {
		return err
	}
	steps := statements(group)
	if err := w.prepare(ctx, steps); err != nil {
		return err
	}
	return w.store.inTx(ctx, func(tx *sql.Tx) error {
		for _, s := range steps {
			if _, err := tx.StmtContext(ctx, w.prepared[s.query]).ExecContext(ctx, s.args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// statement is what SQLite is asked to do at once.
type statement struct {
	query string
	args  []any
}

// together is how many rows of one table that come one after the other go into
// one statement, which saves a fifth of the time of writing them.
const together = 16

// statements lists what changes ask for, in their order.
func statements(group []change) (out []statement) {
	for len(group) > 0 {
		first := group[0]
		alike := slices.IndexFunc(group, func(c change) bool { return c.query != first.query })
		if alike < 0 {
			alike = len(group)
		}
		n := 1
		into, row, rows := strings.Cut(first.query, " VALUES ")
		if rows && alike >= together {
			n = together
		}
		if first.query != "" {
			s := statement{first.query, first.args}
			if n > 1 {
				s = statement{query: into + " VALUES " + row + strings.Repeat(","+row, n-1), args: make([]any, 0, n*len(first.args))}
				for _, c := range group[:n] {
					s.args = append(s.args, c.args...)
				}
			}
			out = append(out, s)
		}
		group = group[n:]
	}
	return out
}

// prepare prepares statements, once for the life of the writer.
func (w *writer) prepare(ctx context.Context, steps []statement) error {
	for _, s := range steps {
		if w.prepared[s.query] != nil {
			continue
		}
		stmt, err := w.store.db.PrepareContext(ctx, s.query)
		if err != nil {
			return explain(err)
		}
		w.prepared[s.query] = stmt
	}
	return nil
}

// inPlace notices that the folder has gone: the system would go on writing to
// a file without a name.
func (s *Store) inPlace() error {
	now, err := os.Stat(filepath.Join(s.dir, FileName))
	if err == nil && os.SameFile(now, s.file) {
		return nil
	}
	return fmt.Errorf("the run's folder was moved or deleted while it was written; what came since is lost (%w)", cmp.Or(err, fs.ErrNotExist))
}

func (w *writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && err != nil {
		w.err = fmt.Errorf("store in %s: %w", w.store.dir, err)
	}
}

func (w *writer) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// stop writes what is queued and waits for the goroutine. No Put may follow.
func (w *writer) stop() error {
	w.once.Do(func() { close(w.queue) })
	<-w.ended
	return w.failed()
}

func (s *Store) enqueue(ctx context.Context, c change) error {
	if s.writer == nil {
		return fmt.Errorf("store in %s: the record was opened to read", s.dir)
	}
	if err := s.writer.failed(); err != nil {
		return err
	}
	select {
	case s.writer.queue <- c:
		return nil
	case <-s.writer.ended:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) job(id eval.JobID) (model, query int, err error) {
	model, ok := s.models[id.Model]
	query, ok2 := s.queries[id.Query]
	if !ok || !ok2 {
		return 0, 0, fmt.Errorf("store in %s: the plan has no job %s", s.dir, id)
	}
	return model, query, nil
}

const putReply = `INSERT OR REPLACE INTO replies VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`

// Put queues an outcome; a later one of the same job replaces it.
func (s *Store) Put(ctx context.Context, r eval.Reply) error {
	model, query, err := s.job(r.JobID)
	if err != nil {
		return err
	}
	row, err := rowOf(query, r)
	if err != nil {
		return fmt.Errorf("encode the reply of %s: %w", r.JobID, err)
	}
	values := row.values(model)
	return s.enqueue(ctx, change{query: putReply, args: append(values, checksumOf(values...)), reply: &r, fact: replyFact{model, row}})
}

// Follow has f told of every reply that is put from now on, once it is on disk,
// in the order of the writing, and before Flush returns. f is called by the
// goroutine that writes and must not wait.
func (s *Store) Follow(f func(eval.Reply)) {
	s.writer.mu.Lock()
	defer s.writer.mu.Unlock()
	s.writer.follow = f
}

// PutPhase queues a phase, in place of the same phase of the same process.
func (s *Store) PutPhase(ctx context.Context, p eval.Phase) error {
	reading, err := json.Marshal(p.Reading)
	if err != nil {
		return fmt.Errorf("encode the energy of %s %s: %w", p.Model, p.Name, err)
	}
	row := []any{s.models[p.Model], p.Host, p.Process, string(p.Name), p.Start.UnixNano(), p.End.UnixNano(), string(reading)}
	return s.enqueue(ctx, change{query: `INSERT OR REPLACE INTO phases VALUES (?,?,?,?,?,?,?,?)`, args: append(row, checksumOf(row...))})
}

// GiveUp queues why a model was stopped; an empty reason takes it back.
func (s *Store) GiveUp(ctx context.Context, model, reason string) error {
	if reason == "" {
		return s.enqueue(ctx, change{query: `DELETE FROM gave_up WHERE model = ?`, args: []any{s.models[model]}})
	}
	return s.enqueue(ctx, change{query: `INSERT OR REPLACE INTO gave_up VALUES (?,?,?)`,
		args: []any{s.models[model], reason, checksumOf(s.models[model], reason)}})
}

// Warn queues a warning of the run itself.
func (s *Store) Warn(ctx context.Context, text string) error {
	return s.enqueue(ctx, change{query: `INSERT OR IGNORE INTO warnings VALUES (?,?)`, args: []any{text, checksumOf(text)}})
}

// MoveTo queues that the run goes on on another machine than it began on.
func (s *Store) MoveTo(ctx context.Context, fingerprint string) error {
	return s.enqueue(ctx, change{query: `INSERT OR IGNORE INTO meta VALUES (?, ?)`, args: []any{"moved to " + fingerprint, fingerprint}})
}

// reusedPrefix begins the keys in meta that say where all of a model's replies
// come from; the model's name follows.
const reusedPrefix = "reused by "

func reusedChecksum(model string, from eval.Reused) string {
	return checksumText(fmt.Sprintf("%q %+v", model, from))
}

// PutReused queues that all of a model's replies are those of an earlier run.
func (s *Store) PutReused(ctx context.Context, model string, from eval.Reused) error {
	b, err := json.Marshal(struct {
		eval.Reused
		Checksum string
	}{from, reusedChecksum(model, from)})
	if err != nil {
		return fmt.Errorf("encode what is reused of %s: %w", model, err)
	}
	return s.enqueue(ctx, change{query: `INSERT OR REPLACE INTO meta VALUES (?, ?)`, args: []any{reusedPrefix + model, string(b)}})
}

// Flush waits until everything queued is on disk.
func (s *Store) Flush(ctx context.Context) error {
	done := make(chan struct{})
	if err := s.enqueue(ctx, change{done: done}); err != nil {
		return err
	}
	select {
	case <-done:
		return s.writer.failed()
	case <-ctx.Done():
		return ctx.Err()
	}
}
