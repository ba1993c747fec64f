package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/text"
)

// mostSummary is how many bytes of summary GitHub takes of one step; of more it
// shows nothing.
const mostSummary = 1 << 20

// stepSummary adds the run's summary to the file that GitHub names, as much of
// it as there is room for.
func stepSummary(path string, r reports.Report) error {
	return appendSummary(path, func(room int) string {
		var b strings.Builder
		if err := text.WriteMarkdownWithin(&b, r, min(room, text.MostMarkdown)); err != nil {
			return "" // a strings.Builder takes everything
		}
		return b.String()
	})
}

// appendSummary adds what write makes of the room that is left.
func appendSummary(path string, write func(room int) string) (err error) {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	room := mostSummary - int(info.Size())
	s := write(room)
	if len(s) > room || s == "" {
		return eval.WithHint(fmt.Errorf("write the step's summary: %d bytes of it are left", max(room, 0)), "run this in a step of its own")
	}
	_, err = f.WriteString(s)
	return err
}
