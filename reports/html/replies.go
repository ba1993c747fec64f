package html

import (
	"bufio"
	"context"
	"strconv"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

// blockSize is how many replies one data block of the page holds.
const blockSize = 2_000

// writeReplies streams every outcome as arrays of JSON in data blocks, and the
// queries after them, each once.
func writeReplies(ctx context.Context, out *bufio.Writer, r reports.Report) error {
	e := newEncoder(r)
	n := 0
	if r.Replies != nil {
		for reply, err := range r.Replies(ctx) {
			if err != nil {
				return err
			}
			e.line = append(e.line[:0], ',')
			if n%blockSize == 0 {
				e.line = append(e.line[:0], `<script type="application/json" class="replies">[`...)
			}
			e.reply(reply)
			n++
			if n%blockSize == 0 {
				e.line = append(e.line, "]</script>\n"...)
			}
			if _, err := out.Write(e.line); err != nil {
				return err
			}
		}
	}
	if n%blockSize != 0 {
		out.WriteString("]</script>\n")
	}
	return e.writeQueries(out)
}

// encoder turns replies into the rows that app.js reads; the order of a row's
// fields stands there as well.
type encoder struct {
	models  map[string]int // by name: index in names
	names   []string
	queries map[string]int // by ID: index in order
	order   []queries.Query
	marker  *reports.Marker
	offsets []int // of the spans of a reply
	line    []byte
}

func newEncoder(r reports.Report) *encoder {
	e := &encoder{models: map[string]int{}, queries: make(map[string]int, r.Queries.N), marker: r.Marker()}
	for _, m := range r.Models {
		e.model(m.Model.Name)
	}
	return e
}

// reply appends one row: model, query, text, its length in characters where it
// was cut, done reason, failure kind, failure message, scores (a string says
// why there is none), flags, latency in ms, prompt tokens, completion tokens,
// joules as text, spans of the keyword, spans of the common subsequence.
func (e *encoder) reply(s eval.ScoredReply) {
	shown, all := clip(s.Reply.Text)
	d := append(e.line, '[')
	d = strconv.AppendInt(d, int64(e.model(s.Reply.JobID.Model)), 10)
	d = append(d, ',')
	d = strconv.AppendInt(d, int64(e.query(reports.Sampled(s))), 10)
	d = append(d, ',')
	d = appendString(d, shown)
	d = append(d, ',')
	d = strconv.AppendInt(d, int64(all), 10)
	d = append(d, ',')
	d = appendString(d, s.Reply.DoneReason)
	d = append(d, ',')
	d = appendFailure(d, s.Reply.Failure)
	d = append(d, ',')
	d = appendScores(d, s)
	d = append(d, ',')
	d = appendStrings(d, s.Flags)
	d = append(d, ',')
	d = appendFigures(d, s.Reply)
	spans := e.marker.Mark(s)
	for _, list := range [][]reports.Span{spans.Keyword, spans.Shared} {
		e.offsets = appendSpans(e.offsets[:0], shown, list)
		d = appendInts(append(d, ','), e.offsets)
	}
	e.line = append(d, ']')
}

// model returns the number of a model, giving it the next one at first sight.
func (e *encoder) model(name string) int {
	i, known := e.models[name]
	if !known {
		i = len(e.names)
		e.models[name] = i
		e.names = append(e.names, name)
	}
	return i
}

// query returns the number of a query, giving it the next one at first sight.
func (e *encoder) query(q queries.Query) int {
	i, known := e.queries[q.ID]
	if !known {
		i = len(e.order)
		e.queries[q.ID] = i
		e.order = append(e.order, q)
	}
	return i
}

func appendFailure(d []byte, f *eval.Failure) []byte {
	if f == nil {
		return append(d, `"",""`...)
	}
	message, _ := clip(f.Message)
	d = appendString(d, string(f.Kind))
	d = append(d, ',')
	return appendString(d, message)
}

// scoreDecimals is how exact the scores in the page are.
const scoreDecimals = 4

func appendScores(d []byte, s eval.ScoredReply) []byte {
	d = append(d, '[')
	for i := range metrics.All() {
		if s.Reply.Failure != nil {
			break
		}
		if i > 0 {
			d = append(d, ',')
		}
		score := metrics.At(s.Scores, i)
		if score.Status == metrics.Scored {
			d = appendNumber(d, score.Value, scoreDecimals)
		} else {
			d = appendString(d, score.Reason)
		}
	}
	return append(d, ']')
}

func appendFigures(d []byte, r eval.Reply) []byte {
	if r.Timing.Start.IsZero() || r.Timing.End.IsZero() {
		d = append(d, "null"...)
	} else {
		d = appendNumber(d, float64(r.Timing.Latency().Nanoseconds())/1e6, 1)
	}
	for _, n := range []*int{r.Usage.PromptTokens, r.Usage.CompletionTokens} {
		if d = append(d, ','); n == nil {
			d = append(d, "null"...)
		} else {
			d = strconv.AppendInt(d, int64(*n), 10)
		}
	}
	d = append(d, ',')
	if r.Energy == nil {
		return append(d, "null"...)
	}
	joules := r.Energy.Joules()
	return appendString(d, reports.Significant(&joules, 3))
}

// writeQueries writes the questions that replies refer to: id, prompt,
// keyword, aliases, reference, category; and the models' names and the metrics.
func (e *encoder) writeQueries(out *bufio.Writer) error {
	out.WriteString(`<script type="application/json" id="queries">[`)
	for i, q := range e.order {
		d := append(e.line[:0], '[')
		if i > 0 {
			d = append(e.line[:0], ",["...)
		}
		for _, s := range []string{q.ID, q.Prompt, q.Keyword} {
			shown, _ := clip(s)
			d = append(appendString(d, shown), ',')
		}
		d = append(appendStrings(d, q.Aliases), ',')
		reference, _ := clip(q.Reference)
		d = append(appendString(d, reference), ',')
		d = append(appendString(d, q.Category), ']')
		e.line = d
		if _, err := out.Write(d); err != nil {
			return err
		}
	}
	out.WriteString("]</script>\n")
	e.line = append(e.line[:0], `<script type="application/json" id="models">`...)
	e.line = append(appendStrings(e.line, e.names), "</script>\n"...)
	e.line = append(appendMetrics(e.line), "</script>\n"...)
	_, err := out.Write(e.line)
	return err
}

// appendMetrics names the metrics in the order of a reply's scores: name,
// title, decimals.
func appendMetrics(d []byte) []byte {
	d = append(d, `<script type="application/json" id="metrics">[`...)
	for i, m := range metrics.All() {
		if i > 0 {
			d = append(d, ',')
		}
		decimals := int64(scoreDecimals)
		if m.Binary {
			decimals = 0
		}
		d = append(appendString(append(d, '['), m.Name), ',')
		d = append(appendString(d, m.Title), ',')
		d = append(strconv.AppendInt(d, decimals, 10), ']')
	}
	return append(d, ']')
}
