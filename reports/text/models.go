package text

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
)

// WriteModels writes a table of models; as a check with what their servers can
// do, and below it what the plan asks of them that they lack.
func WriteModels(w io.Writer, rows []eval.Described, check bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tMODEL\tDIGEST\tPARAMETERS\tQUANTIZATION\tCONTEXT\tSIZE\tLOADED"+map[bool]string{true: "\tSERVER\tCAN"}[check])
	for _, r := range rows {
		m := r.Model
		if r.Err != nil {
			fmt.Fprintf(t, "%s\t%s\t%s\n", reports.Line(m.Name), reports.Line(m.Model), reports.Line(firstLine(r.Err)))
			continue
		}
		context, size := "-", "-"
		if m.ContextLength > 0 {
			context = strconv.Itoa(m.ContextLength)
		}
		if m.SizeBytes > 0 {
			size = humanize.Bytes(uint64(m.SizeBytes))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", reports.Line(m.Name), reports.Line(m.Model), reports.Line(orDash(shortDigest(m.Digest))),
			reports.Line(orDash(m.Parameters)), reports.Line(orDash(m.Quantization)), context, size, r.Loaded)
		if check {
			fmt.Fprintf(t, "\t%s\t%s", reports.Line(strings.TrimSpace(m.ProviderVersion+" "+m.Host)), m.Capabilities)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil || !check {
		return err
	}
	for _, r := range rows {
		if r.Lacks != nil {
			fmt.Fprintf(w, "! %s\n", reports.Line(r.Lacks.Error()))
		}
	}
	return nil
}

// shortDigest is as much of a digest as ollama list shows.
func shortDigest(d string) string {
	d = strings.TrimPrefix(d, "sha256:")
	return d[:min(len(d), 12)]
}

// orDash stands for what a provider does not say.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func firstLine(err error) string {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) && len(joined.Unwrap()) > 0 {
		return joined.Unwrap()[0].Error()
	}
	return err.Error()
}
