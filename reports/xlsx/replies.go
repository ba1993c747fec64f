package xlsx

import (
	"context"
	"fmt"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// repliesName is the sheet with a row per outcome.
const repliesName = "Replies"

// series is a table that goes on in further sheets where one is full.
type series struct {
	book  *workbook
	name  string
	cols  []column
	top   func(*sheet) // writes what stands above the head; may be nil
	above int          // rows that top writes
	keep  int          // columns that stay in view
	parts []*sheet
	done  func(*sheet, int) error // adds to a finished part whose head is at the row; may be nil
}

// next returns the sheet that the next row belongs to.
func (t *series) next() (*sheet, error) {
	if n := len(t.parts); n > 0 && t.parts[n-1].row < t.book.maxRows {
		return t.parts[n-1], nil
	}
	name := t.name
	if n := len(t.parts) + 1; n > 1 {
		name = fmt.Sprintf("%s %d", t.name, n)
	}
	var widths []float64
	for _, c := range t.cols {
		widths = append(widths, c.width)
	}
	s, err := t.book.open(name, widths)
	if err != nil {
		return nil, err
	}
	t.parts = append(t.parts, s)
	if err := s.freeze(t.above+1, t.keep); err != nil {
		return nil, err
	}
	if t.top != nil {
		t.top(s)
	}
	s.putHead(t.cols)
	return s, nil
}

// close finishes all parts.
func (t *series) close() error {
	if len(t.parts) == 0 {
		if _, err := t.next(); err != nil {
			return err
		}
	}
	for _, s := range t.parts {
		row := t.above + 1
		s.offerFilter(t.cols, row)
		if err := s.colour(t.cols, row+1); err != nil {
			return err
		}
		if t.done != nil {
			if err := t.done(s, row); err != nil {
				return err
			}
		}
	}
	return nil
}

// replies writes a row per outcome to Replies and, in another order, one per
// answer to Review.
func (b *workbook) replies(ctx context.Context, r reports.Report) error {
	all := &series{book: b, name: repliesName, cols: replyColumns(r.Plan.Samples > 1), keep: 2}
	offered := offer{most: b.mostReviewed}
	err := each(ctx, r, func(sr eval.ScoredReply) error {
		offered.add(sr)
		return all.reply(sr)
	})
	if err != nil {
		return err
	}
	if err := all.close(); err != nil {
		return err
	}
	items, err := offered.draw(ctx, r)
	if err != nil {
		return err
	}
	return b.reviews(r, items, offered.answers)
}

// each goes over the outcomes.
func each(ctx context.Context, r reports.Report, do func(eval.ScoredReply) error) error {
	if r.Replies == nil {
		return nil
	}
	for sr, err := range r.Replies(ctx) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = do(sr)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func replyColumns(sampled bool) []column {
	cols := []column{
		{head: "Model", kind: text, width: 20}, {head: "Query", kind: text, width: 24},
		{head: "Category", kind: text, width: 14}, {head: "Prompt", kind: text, width: 45},
		{head: "Keyword", kind: text, width: 18}, {head: "Reply", kind: text, width: 60},
		{head: "Failure", kind: text, width: 12}, {head: "Failure's message", kind: text, width: 30},
	}
	for _, m := range metrics.All() {
		k := score
		if m.Binary {
			k = count
		}
		cols = append(cols, column{head: m.Title, kind: k, rule: ruleOf(m.Name), width: 12})
	}
	cols = append(cols,
		column{head: "Flags", kind: text, width: 16}, column{head: "Done because", kind: text, width: 11},
		column{head: "Prompt tokens", kind: count, width: 12}, column{head: "Completion tokens", kind: count, width: 14},
		column{head: "Latency (ms)", kind: rate, width: 12}, column{head: "Energy (J)", kind: general, width: 11},
		column{head: "Attempts", kind: count, width: 12}, column{head: "Asked (UTC)", kind: instant, width: 20})
	if sampled {
		cols = append(cols, column{head: headSample, kind: count, width: 10})
	}
	return cols
}

func (t *series) reply(sr eval.ScoredReply) error {
	s, err := t.next()
	if err != nil {
		return err
	}
	r, q := sr.Reply, sr.Query
	i := 0
	add := func(v any) {
		if v != nil {
			s.set(i, t.cols[i].kind, v)
		}
		i++
	}
	add(r.JobID.Model)
	add(r.JobID.Query)
	add(optional(q.Category))
	add(q.Prompt)
	add(q.Keyword)
	if f := r.Failure; f == nil {
		add(r.Text)
		i += 2
	} else {
		add(optional(r.Text))
		add(string(f.Kind))
		add(f.Message)
	}
	for k := range metrics.All() {
		if score := metrics.At(sr.Scores, k); score.Status == metrics.Scored && isFinite(score.Value) {
			s.number(i, t.cols[i].kind, score.Value)
		}
		i++
	}
	add(optional(strings.Join(sr.Flags, " ")))
	add(optional(r.DoneReason))
	if r.Failure == nil {
		add(orEmpty(r.Usage.PromptTokens))
		add(orEmpty(r.Usage.CompletionTokens))
	} else {
		i += 2
	}
	add(latencyOf(r.Timing))
	add(joules(r))
	add(r.Timing.Attempts)
	if !r.Timing.Start.IsZero() {
		add(r.Timing.Start)
	}
	if sample := len(t.cols) - 1; t.cols[sample].head == headSample {
		s.set(sample, count, r.JobID.Sample)
	}
	s.end(0)
	return nil
}

func latencyOf(t eval.Timing) any {
	if t.Start.IsZero() || t.End.IsZero() {
		return nil
	}
	return t.Latency().Seconds() * 1000
}

func joules(r eval.Reply) any {
	if r.Energy == nil {
		return nil
	}
	return r.Energy.Joules()
}
