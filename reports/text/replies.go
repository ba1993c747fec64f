package text

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
	"github.com/disteval/disteval/reports"
)

// WriteRepliesJSONL writes replies.jsonl: one line per model and query that
// has an outcome, in the report's order, in memory that does not grow with
// their number. Texts are kept exactly, but for bytes that are no UTF-8, which
// become U+FFFD. Times are in milliseconds; what a provider does not state is
// null, and so is all that a failure has no value for.
func WriteRepliesJSONL(ctx context.Context, w io.Writer, r reports.Report) error {
	const block = 64 << 10
	buf := make([]byte, 0, 2*block)
	models := make(map[string]eval.Model, len(r.Models))
	for _, m := range r.Models {
		models[m.Model.Name] = m.Model
	}
	for reply, err := range r.Replies(ctx) {
		if err != nil {
			return fmt.Errorf("write the replies of run %s: %w", r.RunID, err)
		}
		buf = appendReply(buf, reply)
		buf = append(appendAsked(buf, r.Plan, models[reply.Reply.JobID.Model], reply), "}\n"...)
		if len(buf) < block {
			continue
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		buf = buf[:0]
	}
	_, err := w.Write(buf)
	return err
}

// appendReply writes a line but for its end.
func appendReply(b []byte, s eval.ScoredReply) []byte {
	r := s.Reply
	b = appendString(append(b, `{"model":`...), r.JobID.Model)
	b = appendString(append(b, `,"query_id":`...), r.JobID.Query)
	b = appendString(append(b, `,"prompt":`...), s.Query.Prompt)
	b = appendString(append(b, `,"keyword":`...), s.Query.Keyword)
	b = appendString(append(b, `,"text":`...), r.Text)
	b = appendString(append(b, `,"done_reason":`...), r.DoneReason)
	b = append(b, `,"failure":`...)
	if f := r.Failure; f != nil {
		b = appendString(append(b, `{"kind":`...), string(f.Kind))
		b = append(appendString(append(b, `,"message":`...), f.Message), '}')
	} else {
		b = append(b, "null"...)
	}
	b = appendTokens(append(b, `,"tokens":`...), r)
	b = appendTiming(append(b, `,"timing":`...), r.Timing)
	b = append(b, `,"energy_j":`...)
	if r.Energy != nil {
		b = appendFloat(b, r.Energy.Joules())
	} else {
		b = append(b, "null"...)
	}
	b = appendScores(append(b, `,"scores":`...), s.Scores)
	if s.Probe != nil {
		b = appendLikelihood(append(b, `,"likelihood":`...), s.Probe)
	}
	b = append(b, `,"flags":[`...)
	for i, flag := range s.Flags {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, flag)
	}
	b = append(b, ']')
	for _, f := range []struct{ name, value string }{{"host", r.Host}, {"reused_from", r.ReusedFrom}} {
		if f.value != "" {
			b = appendString(append(b, `,"`+f.name+`":`...), f.value)
		}
	}
	return b
}

// appendAsked writes which sample a reply is, where there are several, and the
// text as sent, where it is not the prompt.
func appendAsked(b []byte, p eval.Plan, m eval.Model, s eval.ScoredReply) []byte {
	if p.Samples > 1 {
		b = strconv.AppendInt(append(b, `,"sample":`...), int64(s.Reply.JobID.Sample), 10)
	}
	if sent := p.Prompt(m, s.Query); sent != s.Query.Prompt {
		b = appendString(append(b, `,"asked":`...), sent)
	}
	return b
}

func appendTokens(b []byte, r eval.Reply) []byte {
	if r.Failure != nil {
		return append(b, `{"prompt":null,"completion":null}`...)
	}
	b = appendCount(append(b, `{"prompt":`...), r.Usage.PromptTokens)
	b = appendCount(append(b, `,"completion":`...), r.Usage.CompletionTokens)
	return append(b, '}')
}

func appendCount(b []byte, n *int) []byte {
	if n == nil {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, int64(*n), 10)
}

// appendTiming writes no start and no latency for what was never asked.
func appendTiming(b []byte, t eval.Timing) []byte {
	b = append(b, `{"start":`...)
	if t.Attempts > 0 {
		b = t.Start.UTC().AppendFormat(append(b, '"'), time.RFC3339Nano)
		b = appendFloat(append(b, `","latency_ms":`...), milliseconds(t.Latency()))
	} else {
		b = append(b, `null,"latency_ms":null`...)
	}
	b = appendProvided(append(b, `,"load_ms":`...), t.Load)
	b = appendProvided(append(b, `,"prompt_eval_ms":`...), t.PromptEval)
	b = appendProvided(append(b, `,"eval_ms":`...), t.Eval)
	b = strconv.AppendInt(append(b, `,"attempts":`...), int64(t.Attempts), 10)
	return append(b, '}')
}

func appendProvided(b []byte, d time.Duration) []byte {
	if d == 0 {
		return append(b, "null"...)
	}
	return appendFloat(b, milliseconds(d))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// metricKeys are the metrics' names in canonical order, ready to be written.
var metricKeys = func() (keys []string) {
	for _, m := range metrics.All() {
		keys = append(keys, m.Name)
	}
	return keys
}()

func appendScores(b []byte, scores []metrics.Score) []byte {
	b = append(b, '{')
	for i, name := range metricKeys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), name...), '"', ':')
		if s := metrics.At(scores, i); s.Status == metrics.Scored {
			b = appendFloat(b, s.Value)
		} else {
			b = append(b, "null"...)
		}
	}
	return append(b, '}')
}

// score is a metric's value, nil where it is Unscored or absent.
func score(scores []metrics.Score, name string) *float64 {
	return finite(metrics.Find(scores, name).Number())
}

// appendFloat writes a number as encoding/json does: the shortest that reads
// back the same, without exponent between 1e-6 and 1e21.
func appendFloat(b []byte, x float64) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(b, "null"...)
	}
	if size := math.Abs(x); size != 0 && (size < 1e-6 || size >= 1e21) {
		return strconv.AppendFloat(b, x, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, x, 'f', -1, 64)
}

// appendString writes a JSON string. Beside what JSON demands, <, > and & are
// escaped, so that the line can stand in a page's script, and so are invisible
// characters, so that a terminal shows the text in its true order.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if c >= 0x80 && !(r == utf8.RuneError && size == 1) && !reports.Hidden(r) {
			i += size
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = appendEscape(b, r)
		}
		i += size
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// appendEscape writes \uXXXX, twice for a rune outside the basic plane.
func appendEscape(b []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return appendEscape(appendEscape(b, high), low)
	}
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
