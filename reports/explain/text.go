package explain

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/scoring"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/metrics/text"
	"github.com/disteval/disteval/metrics/vector"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports"
)

// explanation derives one reply's scores for a reader.
type explanation struct {
	bytes.Buffer
	pair   metrics.Pair // what was scored
	result scoring.Result
	floor  *float64 // the model's; nil where it is not known
	sent   string   // the text as sent
	system string   // message before it; empty: none
	stored eval.ScoredReply
	words  text.Words
}

// asked finds what the model was sent.
func (e *explanation) asked(p eval.Plan, id eval.JobID, q queries.Query) {
	for _, m := range p.Models {
		if m.Name == id.Model {
			e.sent, e.system = p.Prompt(m, q), m.Prompting.System
		}
	}
}

// write shows how each score of a reply comes about. embedding names the
// server's model, empty for the built-in word vectors. Characters that could
// move the cursor are shown escaped.
func (e *explanation) write(w io.Writer, q queries.Query, embedding string) error {
	e.words.Reset(e.pair.Text)
	e.line("query", "%s", escape(q.ID))
	e.line("prompt", "%s", escape(q.Prompt))
	if e.system != "" {
		e.line("system message", "%s", escape(e.system))
	}
	if e.sent != q.Prompt {
		e.line("text as sent", "%s", escape(e.sent))
	}
	e.line("keyword", "%s", quotedList(append([]string{e.pair.Keyword}, e.pair.Aliases...)))
	e.line("reference", "%s", escape(e.pair.Reference))
	e.line("scored text", "%s", escape(e.pair.Text))
	e.line("words", "%s", wordList(&e.words))
	e.keyword()
	e.alignment()
	e.window()
	if embedding == "" {
		e.vectors()
	} else {
		e.line("vectors", "of the embedding model %s", escape(embedding))
	}
	e.probabilities(e.stored.Probe)
	e.WriteByte('\n')
	e.formulas()
	for line := range strings.Lines(e.String()) {
		if _, err := io.WriteString(w, reports.Line(strings.TrimSuffix(line, "\n"))+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func (e *explanation) line(name, format string, args ...any) {
	fmt.Fprintf(e, "%-18s "+format+"\n", append([]any{name}, args...)...)
}

// keyword shows where the keyword stands, or what comes nearest to it.
func (e *explanation) keyword() {
	m := e.result.Match
	switch {
	case m.Found:
		e.line("keyword found", "%q as words %d to %d: %s", m.Answer, m.Word+1, m.Word+m.Words, marked(e.pair.Text, [][2]int{{m.Start, m.End}}))
	case !m.Searchable:
		e.line("keyword", "holds no letter or digit, so it cannot be looked for")
	default:
		near, ok := text.Nearest(e.pair.Keyword, e.pair.Aliases, &e.words)
		if !ok {
			e.line("keyword not found", "and nothing like it")
			break
		}
		e.line("keyword not found", "nearest to %q, edit distance %d: %s", near.Answer, near.Distance, marked(e.pair.Text, [][2]int{{near.Start, near.End}}))
	}
	if m.Negated != "" {
		e.line("negated", "%q stands within three words before the keyword", m.Negated)
	}
	if m.Disagrees() {
		e.line("em disagrees", "as whole words: %v; as a substring: %v", m.Found, m.Substring)
	}
}

// alignment shows the longest common subsequence in both texts.
func (e *explanation) alignment() {
	var s text.Scorer
	shared, ok := s.Align(e.pair.Reference, e.pair.Text)
	if !ok {
		e.line("LCS", "%d tokens; the texts are too long to show it", e.result.Rouge.LCS)
		return
	}
	var inReference, inText [][2]int
	for _, t := range shared {
		inReference = append(inReference, [2]int{t.ReferenceStart, t.ReferenceEnd})
		inText = append(inText, [2]int{t.TextStart, t.TextEnd})
	}
	e.line("LCS in reference", "%s", marked(e.pair.Reference, inReference))
	e.line("LCS in text", "%s", marked(e.pair.Text, inText))
}

func (e *explanation) window() {
	if e.result.BestEnd == 0 {
		e.line("nearest window", "none")
		return
	}
	e.line("nearest window", "%s", marked(e.pair.Text, [][2]int{{e.result.BestStart, e.result.BestEnd}}))
}

// vectors names the words that have no word vector, and so no say in cosine.
func (e *explanation) vectors() {
	const most = 20
	var bag vector.Bag
	for i := range e.words.Len() {
		bag.Add(e.words.At(i))
	}
	missing := scoring.Missing(&bag, &e.words, most)
	if len(missing) == 0 {
		e.line("word vectors", "of %d words; the others are stop words", bag.Len())
		return
	}
	e.line("word vectors", "of %d words; none for %s", bag.Len(), quotedList(missing))
}

// formulas writes each metric with its formula filled in.
func (e *explanation) formulas() {
	scores := slices.Clone(e.result.Scores)
	metrics.FillLift(scores, e.floor)
	for i, s := range scores {
		if slices.ContainsFunc(metrics.Likelihood(), func(m metrics.Metric) bool { return m.Name == s.Metric }) {
			scores[i] = metrics.Find(e.stored.Scores, s.Metric) // derived from what the model said of the query
		}
	}
	for _, metric := range metrics.All() {
		s := metrics.Find(scores, metric.Name)
		if s.Status == metrics.Scored {
			e.line(metric.Name, "%-8s %s", strconv.FormatFloat(s.Value, 'f', 4, 64), e.formula(s))
		} else {
			e.line(metric.Name, "%-8s %s", "unscored", escape(s.Reason))
		}
	}
}

// formula is how a score is computed, in figures.
func (e *explanation) formula(s metrics.Score) string {
	r, m := e.result.Rouge, e.result.Match
	switch s.Metric {
	case metrics.EM:
		return fmt.Sprintf("the keyword occurs in the text as whole words: %v", m.Found)
	case metrics.EMSubstring:
		return fmt.Sprintf("the keyword is a substring, letter case aside: %v", m.Substring)
	case metrics.EMStrict:
		return fmt.Sprintf("%s equals %s: %v", shortened(text.NormalizeAnswer(e.pair.Text)), quotedList(e.normalised()), s.Value == 1)
	case metrics.RougeLPrecision:
		return fmt.Sprintf("LCS / tokens of the text = %d/%d", r.LCS, r.Text)
	case metrics.RougeLRecall:
		return fmt.Sprintf("LCS / tokens of the reference = %d/%d", r.LCS, r.Reference)
	case metrics.RougeLF1:
		if r.LCS == 0 {
			return "no token is shared"
		}
		return fmt.Sprintf("2PR/(P+R) = 2 x %.4f x %.4f / (%.4f + %.4f)", r.Precision, r.Recall, r.Precision, r.Recall)
	case metrics.Cosine:
		return "u.v / (|u| |v|), of the text and the reference"
	case metrics.CosineBest:
		return "the same, of the nearest window and the reference"
	case metrics.CosineLift:
		cosine := metrics.Find(e.result.Scores, metrics.Cosine).Value
		return fmt.Sprintf("(cosine - floor)/(1 - floor) = (%.4f - %.4f)/(1 - %.4f)", cosine, *e.floor, *e.floor)
	}
	return likelihoodFormula(s)
}

func (e *explanation) normalised() []string {
	list := []string{text.NormalizeAnswer(e.pair.Keyword)}
	for _, alias := range e.pair.Aliases {
		list = append(list, text.NormalizeAnswer(alias))
	}
	return list
}

// escape shows s on one line: what does not print stands as an escape.
func escape(s string) string {
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

// marked shows s with brackets around the parts, which are in order.
func marked(s string, parts [][2]int) string {
	var b strings.Builder
	last := 0
	for _, p := range parts {
		b.WriteString(escape(s[last:p[0]]))
		b.WriteString("[" + escape(s[p[0]:p[1]]) + "]")
		last = p[1]
	}
	b.WriteString(escape(s[last:]))
	return b.String()
}

func quotedList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = strconv.Quote(s)
	}
	return strings.Join(quoted, " or ")
}

func wordList(words *text.Words) string {
	list := make([]string, words.Len())
	for i := range list {
		list[i] = string(words.At(i))
	}
	return escape(strings.Join(list, " | "))
}

// shortened quotes the beginning of a text that may be long.
func shortened(s string) string {
	const longest = 80
	if len(s) <= longest {
		return strconv.Quote(s)
	}
	return strconv.Quote(strings.ToValidUTF8(s[:longest], "")) + "…"
}
