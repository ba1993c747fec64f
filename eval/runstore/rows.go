package runstore

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
)

// replyRow is a reply as the table has it.
type replyRow struct {
	query, sample               int
	text, reasoning, doneReason string
	promptTokens, completed     sql.NullInt64
	start, end                  int64 // ns since 1970
	attempts                    int
	load, promptEval, evaluated int64 // ns
	energy                      sql.NullInt64
	kind, message               sql.NullString
	tokens, host, reusedFrom    string
	sum                         []byte // as it is read
}

// rowOf is the row of a reply to a query.
func rowOf(query int, r eval.Reply) (row replyRow, err error) {
	t := r.Timing
	row = replyRow{query: query, sample: r.Sample, text: r.Text, reasoning: r.Reasoning, doneReason: r.DoneReason,
		promptTokens: nullable(r.Usage.PromptTokens), completed: nullable(r.Usage.CompletionTokens),
		start: t.Start.UnixNano(), end: t.End.UnixNano(), attempts: t.Attempts,
		load: int64(t.Load), promptEval: int64(t.PromptEval), evaluated: int64(t.Eval), energy: nullable(r.Energy),
		host: r.Host, reusedFrom: r.ReusedFrom}
	if f := r.Failure; f != nil {
		row.kind, row.message = textOf(string(f.Kind)), textOf(f.Message)
	}
	if r.Tokens != nil {
		var tokens []byte
		tokens, err = json.Marshal(r.Tokens)
		row.tokens = string(tokens)
	}
	return row, err
}

func textOf(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }

func nullable[T ~int | ~int64 | ~uint64](n *T) sql.NullInt64 {
	if n == nil {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: int64(*n), Valid: true}
}

// values are the columns in the table's order, all but the checksum.
func (row *replyRow) values(model int) []any {
	return append(make([]any, 0, 21), model, row.query, row.sample, row.text, row.reasoning, row.doneReason,
		valueOf(row.promptTokens), valueOf(row.completed), row.start, row.end, row.attempts, row.load, row.promptEval, row.evaluated,
		valueOf(row.energy), valueOf(row.kind), valueOf(row.message), row.tokens, row.host, row.reusedFrom)
}

// reply is the reply of a row.
func (row *replyRow) reply(s *Store, model int) (r eval.Reply, err error) {
	if r.JobID, err = s.jobAt(model, row.query, row.sample); err != nil {
		return r, err
	}
	r.Text, r.Reasoning, r.DoneReason, r.Host, r.ReusedFrom = row.text, row.reasoning, row.doneReason, row.host, row.reusedFrom
	r.Usage = eval.Usage{PromptTokens: countOf(row.promptTokens), CompletionTokens: countOf(row.completed)}
	r.Timing = eval.Timing{Start: time.Unix(0, row.start), End: time.Unix(0, row.end), Attempts: row.attempts,
		Load: time.Duration(row.load), PromptEval: time.Duration(row.promptEval), Eval: time.Duration(row.evaluated)}
	if row.energy.Valid {
		e := emissions.Energy(row.energy.Int64)
		r.Energy = &e
	}
	if row.kind.Valid {
		r.Failure = &eval.Failure{Kind: eval.FailureKind(row.kind.String), Message: row.message.String}
	}
	if row.tokens != "" {
		if err := json.Unmarshal([]byte(row.tokens), &r.Tokens); err != nil {
			return r, damaged(s.dir, fmt.Sprintf("the tokens of %s cannot be read: %v", r.JobID, err))
		}
	}
	return r, nil
}

func valueOf(v driver.Valuer) any {
	value, _ := v.Value() // of a NullInt64 or NullString: no error
	return value
}

func countOf(v sql.NullInt64) *int {
	if !v.Valid {
		return nil
	}
	n := int(v.Int64)
	return &n
}

// scoredRow is a reply's row joined to its scores and to its probe.
type scoredRow struct {
	replyRow
	vals, flags sql.NullString
	probe       probeRow
}

// check refuses a row of a model that is not as it was stored; reply are its
// columns up to the checksum.
func (row *scoredRow) check(s *Store, model int, reply []any) error {
	id, err := s.jobAt(model, row.query, row.sample)
	if err != nil {
		return err
	}
	if !s.intact(row.sum, append(append(make([]any, 0, 1+len(reply)), model), reply...)...) {
		return damaged(s.dir, fmt.Sprintf("the reply of %s is not what was stored", id))
	}
	if p := &row.probe; p.there() && !s.intact(p.sum, p.checked(model, row.query)...) {
		return damaged(s.dir, fmt.Sprintf("the probabilities of %s are not what was stored", id))
	}
	return nil
}

// decoder makes scored replies of a model's rows. Several goroutines may use it
// while nobody refreshes the record.
type decoder struct {
	store    *Store
	model    int
	floor    *float64        // nil: not known
	unprobed []metrics.Score // what there is to say of a query without a probe
}

func (s *Store) decoder(model int) decoder {
	rec := &s.record
	return decoder{store: s, model: model, floor: s.floor(model), unprobed: rec.LikelihoodScores(rec.Plan.Models[model], queries.Query{}, nil)}
}

func (d decoder) decode(row *scoredRow) (out eval.ScoredReply, err error) {
	if out.Reply, err = row.reply(d.store, d.model); err != nil {
		return out, err
	}
	rec := &d.store.record
	out.Query = rec.Plan.Queries.Queries[row.query]
	out.Flags = strings.Fields(row.flags.String)
	if out.Probe, err = row.probe.decode(d.store, d.model, row.query); err != nil {
		return out, err
	}
	out.Scores, err = decodeScores(row.vals, d.floor, out.Reply.Failure)
	if row.sample == 0 && err == nil {
		known := d.unprobed
		if out.Probe != nil {
			known = rec.LikelihoodScores(rec.Plan.Models[d.model], out.Query, out.Probe)
		}
		copy(out.Scores[len(metrics.Text()):], known)
	}
	return out, err
}
