package html

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

// A page of at most fewReplies replies holds them as they are, with all that
// there is to say of each. Of more it holds columns of a few facts of every
// reply, to filter and sort by, and the texts in compressed pieces, as many as
// fit into repliesBytes; docs/decisions/0012 says why.
const (
	fewReplies   = 10_000
	repliesBytes = 18_000_000 // of the page: columns and pieces, as they stand in it
)

// Texts that are left out of a page are those of the last class first. A query
// is of the first one that fits.
const (
	classDiffers = iota // models differ in the outcome, or one has none
	classWrong          // none is right
	classRight
	classes
)

// many writes replies that are too many to stand in the page as they are.
type many struct {
	report     reports.Report
	columns    *columns
	pieces     *pieces
	categories map[string]int
	names      []string // of the categories
	answered   int      // queries with an outcome
	entry      []byte
}

// writeMany writes the pieces, the columns and what tells how to read them.
func writeMany(ctx context.Context, out *bufio.Writer, r reports.Report, budget int) error {
	set := r.Plan.Queries.Queries
	m := &many{report: r, columns: newColumns(len(r.Plan.Models), len(set), max(1, r.Plan.Samples)),
		pieces: newPieces(len(r.Plan.Models)*max(1, r.Plan.Samples), budget), categories: make(map[string]int)}
	for a, err := range r.ByQuery(ctx) {
		if err != nil {
			return err
		}
		if err := m.add(a, set[a.Query]); err != nil {
			return err
		}
	}
	ids, err := m.finish(set)
	if err != nil {
		return err
	}
	for i, p := range m.pieces.all() {
		m.columns.place(p.queries, i+1)
		writeBinary(out, `class="piece"`, p.data)
	}
	// Now that the pieces have their numbers.
	columns, err := m.pieces.pack(m.columns.bytes())
	if err != nil {
		return err
	}
	writeBinary(out, `id="columns"`, columns)
	writeBinary(out, `id="ids"`, ids)
	return m.writeIndex(out)
}

// add takes in one query's replies.
func (m *many) add(a reports.Answers, q queries.Query) error {
	m.answered++
	m.columns.category[a.Query] = m.category(q.Category)
	for model, samples := range a.Replies {
		for _, s := range samples {
			if err := m.columns.add(model, a.Query, s); err != nil {
				return err
			}
		}
	}
	class := classOf(a)
	if !m.pieces.takes(class) {
		return nil
	}
	m.entry = m.appendEntry(m.entry[:0], a, q)
	return m.pieces.add(class, a.Query, m.entry)
}

// furtherCategories is what all those are called that a column cannot number.
const furtherCategories = "further categories"

// category returns the number of a category, giving it the next one at first
// sight.
func (m *many) category(name string) uint16 {
	if len(m.names) == math.MaxUint16 {
		if _, known := m.categories[name]; !known {
			name = furtherCategories
		}
	}
	at, known := m.categories[name]
	if !known {
		at = len(m.names)
		m.categories[name] = at
		m.names = append(m.names, name)
	}
	return uint16(at)
}

// classOf says how much there is to see in the replies to a query.
func classOf(a reports.Answers) int {
	var right, others, failed int
	for _, samples := range a.Replies {
		for _, s := range samples {
			switch outcomeOf(s) {
			case outcomeRight:
				right++
			case outcomeFailed:
				failed++
			default:
				others++
			}
		}
	}
	switch {
	case failed > 0 || right > 0 && others > 0:
		return classDiffers
	case right == 0:
		return classWrong
	}
	return classRight
}

// appendEntry writes a query and its replies: its number, prompt, keyword,
// aliases, reference, and a list with a place for every sample of every model.
// A reply that ended by itself and is shown whole is its text; another one is a
// list of text, length in characters where it was cut, done reason, failure's
// kind and message; 0 is none.
func (m *many) appendEntry(d []byte, a reports.Answers, q queries.Query) []byte {
	d = append(strconv.AppendInt(append(d, '['), int64(a.Query), 10), ',')
	for _, s := range []string{q.Prompt, q.Keyword} {
		shown, _ := clip(s)
		d = append(appendString(d, shown), ',')
	}
	d = append(appendStrings(d, q.Aliases), ',')
	reference, _ := clip(q.Reference)
	d = append(appendString(d, reference), ",["...)
	for i, samples := range a.Replies {
		at := 0
		for sample := range m.columns.samples {
			if i+sample > 0 {
				d = append(d, ',')
			}
			if at == len(samples) || samples[at].Reply.JobID.Sample != sample {
				d = append(d, '0')
				continue
			}
			d = appendText(d, samples[at].Reply)
			at++
		}
	}
	return append(d, "]]"...)
}

// doneByItself is how providers say that a reply ended of itself.
const doneByItself = "stop"

func appendText(d []byte, r eval.Reply) []byte {
	shown, all := clip(r.Text)
	if all == 0 && r.DoneReason == doneByItself && r.Failure == nil {
		return appendString(d, shown)
	}
	d = append(appendString(append(d, '['), shown), ',')
	d = append(strconv.AppendInt(d, int64(all), 10), ',')
	d = append(appendString(d, r.DoneReason), ',')
	return append(appendFailure(d, r.Failure), ']')
}

// finish packs what does not depend on the pieces and leaves out pieces until
// all fits.
func (m *many) finish(set []queries.Query) (ids []byte, err error) {
	list := append(make([]byte, 0, 16*len(set)), '[')
	for i, q := range set {
		if i > 0 {
			list = append(list, ',')
		}
		list = appendString(list, q.ID)
	}
	if ids, err = m.pieces.pack(append(list, ']')); err != nil {
		return nil, err
	}
	columns, err := m.pieces.pack(m.columns.bytes())
	if err != nil {
		return nil, err
	}
	const numbers = 4 // bytes for the number of a query's piece, at most
	return ids, m.pieces.finish(base64.StdEncoding.EncodedLen(len(columns) + len(ids) + numbers*len(set)/2))
}

// index says how columns and pieces are to be read.
type index struct {
	Queries    int      `json:"queries"`
	Samples    int      `json:"samples"`
	Replies    int      `json:"replies"`
	Held       int      `json:"held"` // queries whose texts are in the page
	Answered   int      `json:"answered"`
	Categories []string `json:"categories"`
	Flags      []string `json:"flags"`
}

func (m *many) writeIndex(out *bufio.Writer) error {
	x := index{Queries: m.columns.queries, Samples: m.columns.samples, Replies: m.columns.replies, Held: m.columns.held(), Answered: m.answered,
		Categories: m.names, Flags: m.columns.flags}
	text, err := json.Marshal(x)
	if err != nil {
		return err
	}
	d := append(m.entry[:0], `<script type="application/json" id="index">`...)
	d = append(appendEscaped(d, text), "</script>\n"...)
	d = append(d, `<script type="application/json" id="models">`...)
	d = append(appendStrings(d, modelNames(m.report)), "</script>\n"...)
	d = append(appendMetrics(d), "</script>\n"...)
	_, err = out.Write(d)
	return err
}

// writeBinary writes bytes into an element that no browser executes.
func writeBinary(out *bufio.Writer, attribute string, data []byte) {
	out.WriteString(`<script type="application/octet-stream" ` + attribute + `>`)
	e := base64.NewEncoder(base64.StdEncoding, out)
	_, _ = e.Write(data) // errors stay with out until it is flushed
	_ = e.Close()
	out.WriteString("</script>\n")
}

// The outcomes of a reply; 0 is none.
const (
	outcomeRight = 1 + iota
	outcomeWrong
	outcomeUnscored
	outcomeFailed
)

func outcomeOf(s eval.ScoredReply) uint16 {
	if s.Reply.Failure != nil {
		return outcomeFailed
	}
	em := metrics.Find(s.Scores, metrics.EM)
	switch {
	case em.Status != metrics.Scored:
		return outcomeUnscored
	case em.Value == 1:
		return outcomeRight
	}
	return outcomeWrong
}
