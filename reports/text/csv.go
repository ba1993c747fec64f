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
// RFC 4180 has it. A score that does not exist is an empty cell, and texts are
// made inert by reports.Cell. replies.jsonl holds the texts unchanged.
func WriteCSV(ctx context.Context, w io.Writer, r reports.Report) error {
	out := csv.NewWriter(w)
	head := []string{"model", "query_id", "category", "prompt", "keyword", "text", "done_reason", "failure_kind",
		"failure_message", "prompt_tokens", "completion_tokens", "start", "latency_ms", "energy_j"}
	row := append(append(head, metricKeys...), "flags")
	if r.Plan.Samples > 1 {
		row = append(row, "sample")
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for reply, err := range r.Replies(ctx) {
		if err != nil {
			return fmt.Errorf("write the replies of run %s: %w", r.RunID, err)
		}
		row = appendRow(row[:0], reply)
		if r.Plan.Samples > 1 {
			row = append(row, strconv.Itoa(reply.Reply.JobID.Sample))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// count is empty where there is none.
func count(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func appendRow(row []string, s eval.ScoredReply) []string {
	r := s.Reply
	row = append(row, reports.Cell(r.JobID.Model), reports.Cell(r.JobID.Query), reports.Cell(s.Query.Category), reports.Cell(s.Query.Prompt),
		reports.Cell(s.Query.Keyword), reports.Cell(r.Text), reports.Cell(r.DoneReason))
	if f := r.Failure; f != nil {
		row = append(row, reports.Cell(string(f.Kind)), reports.Cell(f.Message), "", "")
	} else {
		row = append(row, "", "", count(r.Usage.PromptTokens), count(r.Usage.CompletionTokens))
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
	for _, name := range metricKeys {
		if v := score(s.Scores, name); v != nil {
			row = append(row, number(*v))
		} else {
			row = append(row, "")
		}
	}
	return append(row, reports.Cell(strings.Join(s.Flags, " ")))
}

func number(x float64) string { return string(appendFloat(nil, x)) }
