package reports

import (
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/text"
)

// Span is a part of a reply's text, in bytes: from Start up to, but not
// including, End.
type Span struct{ Start, End int }

// Spans are the parts of a reply that made its scores, each in order.
type Spans struct {
	Keyword []Span // where em found the keyword: one, or none where it did not
	Shared  []Span // words in common with the reference by ROUGE-L
}

// mostAligned bounds the work of finding a longest common subsequence, in
// bytes of the reference times bytes of the scored text. Beyond it nothing is
// marked as shared.
const mostAligned = 1 << 22

// Marker finds spans, for one reply after the other.
type Marker struct {
	scoring scoring.Config
	scorer  text.Scorer
	words   text.Words
	spans   Spans
}

// Marker returns a Marker that goes by the report's scoring.
func (r Report) Marker() *Marker {
	m := new(Marker)
	if r.Scoring != nil {
		m.scoring.IncludePrompt = r.Scoring.Scoring.IncludePrompt
	}
	return m
}

// Mark returns the spans of one reply; they are valid until the next call. The
// scored text may be more than the reply, or less: only what lies in both is
// marked.
func (m *Marker) Mark(s eval.ScoredReply) Spans {
	m.spans.Keyword, m.spans.Shared = m.spans.Keyword[:0], m.spans.Shared[:0]
	if s.Reply.Failure != nil {
		return m.spans
	}
	reply := s.Reply.Text
	pair := m.scoring.Pair(s.Query, reply)
	common := commonSuffix(pair.Text, reply)
	from, shift := len(pair.Text)-common, len(reply)-len(pair.Text)
	add := func(to []Span, start, end int) []Span {
		if end <= from {
			return to
		}
		return append(to, Span{max(start, from) + shift, end + shift})
	}
	if em := metrics.Find(s.Scores, metrics.EM).Number(); em != nil && *em == 1 {
		m.words.Reset(pair.Text)
		if found := m.scorer.Keyword(pair.Keyword, pair.Aliases, pair.Text, &m.words); found.Found {
			m.spans.Keyword = add(m.spans.Keyword, found.Start, found.End)
		}
	}
	if len(pair.Reference)*len(pair.Text) <= mostAligned && m.scorer.Rouge(pair.Reference, pair.Text).LCS > 0 {
		shared, _ := m.scorer.Align(pair.Reference, pair.Text)
		for _, t := range shared {
			m.spans.Shared = add(m.spans.Shared, t.TextStart, t.TextEnd)
		}
	}
	return m.spans
}

// commonSuffix is the length of the longest text that both end in.
func commonSuffix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}
