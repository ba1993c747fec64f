package text

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
)

// WriteCSV writes one row per reply with all its scores, under a header, as
// RFC 4180 has it. A score that does not exist is an empty cell. Text cells
// that a spreadsheet would take for a formula (first = + - @, also in their
// full-width forms and after blanks, or a tab or line end at the start) get a
// leading apostrophe; invisible characters other than line feed and tab are
// shown as escapes. replies.jsonl holds the texts unchanged.
func WriteCSV(ctx context.Context, w io.Writer, r reports.Report) error {
	out := csv.NewWriter(w)
	head := []string{"model", "query_id", "category", "prompt", "keyword", "text", "done_reason", "failure_kind",
		"failure_message", "prompt_tokens", "completion_tokens", "start", "latency_ms", "energy_j"}
	row := append(append(head, metricKeys...), "flags")
	if err := out.Write(row); err != nil {
		return err
	}
	for reply, err := range r.Replies(ctx) {
		if err != nil {
			return fmt.Errorf("write the replies of run %s: %w", r.RunID, err)
		}
		if err := out.Write(appendRow(row[:0], reply)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func appendRow(row []string, s eval.ScoredReply) []string {
	r := s.Reply
	row = append(row, inert(r.Job.Model), inert(r.Job.Query), inert(s.Query.Category), inert(s.Query.Prompt),
		inert(s.Query.Keyword), inert(r.Text), inert(r.DoneReason))
	if f := r.Failure; f != nil {
		row = append(row, inert(string(f.Kind)), inert(f.Message), "", "")
	} else {
		row = append(row, "", "", strconv.Itoa(r.Usage.PromptTokens), strconv.Itoa(r.Usage.CompletionTokens))
	}
	if r.Timing.Attempts > 0 {
		row = append(row, r.Timing.Start.UTC().Format(time.RFC3339Nano), number(milliseconds(r.Timing.Latency())))
	} else {
		row = append(row, "", "")
	}
	if r.Energy != nil {
		row = append(row, number(r.Energy.Joules()))
	} else {
		row = append(row, "")
	}
	for i, name := range metricKeys {
		if v := scoreAt(s.Scores, i, name); v != nil {
			row = append(row, number(*v))
		} else {
			row = append(row, "")
		}
	}
	return append(row, inert(strings.Join(s.Flags, " ")))
}

func number(x float64) string { return string(appendFloat(nil, x)) }

// inert makes a cell that no spreadsheet calculates.
func inert(s string) string {
	s = reports.VisibleText(s)
	rest := strings.TrimLeft(s, " \u00a0\u3000")
	if rest == "" || !strings.ContainsRune("=+-@\t\n＝＋－＠", []rune(rest)[0]) && !strings.HasPrefix(rest, `\r`) {
		return s
	}
	return "'" + s
}
