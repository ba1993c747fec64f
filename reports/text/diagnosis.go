package text

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/disteval/disteval/eval/hub"
	"github.com/disteval/disteval/reports"
)

// WriteDiagnosis writes what the examination of a checkpoint found.
func WriteDiagnosis(w io.Writer, d *hub.Diagnosis) error {
	var b strings.Builder
	verdict := "sound"
	if !d.Sound {
		verdict = "at fault"
	}
	fmt.Fprintf(&b, "%s: %s\n", reports.Line(d.Source), verdict)
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(d.Types)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", d.Types[kind], reports.Line(kind)))
	}
	fmt.Fprintf(&b, "  %s, %s, %s parameters in %s (tensors: %s)\n", d.Format, reports.Line(orDash(d.Architecture)), humanize.Comma(d.Parameters), humanize.Bytes(uint64(max(d.Bytes, 0))), strings.Join(kinds, ", "))
	for _, f := range d.Findings {
		where := ""
		if f.Where != "" {
			where = " " + reports.Line(f.Where) + ":"
		}
		fmt.Fprintf(&b, "  %s (%s):%s %s\n    do: %s\n", f.Level, f.Check, where, reports.Line(f.What), reports.Line(f.Mend))
	}
	if d.Rotary != nil && d.Rotary.Undecided == "" {
		for i, r := range d.Rotary.Readings {
			stored := ""
			if i == 0 {
				stored = ", as stored"
			}
			fmt.Fprintf(&b, "  read in %s%s: %.2f bits per byte\n", r.Layout, stored, r.BitsPerByte)
		}
	}
	for _, s := range d.Context {
		fmt.Fprintf(&b, "  positions %d to %d: %.2f bits per byte (%d tokens)\n", s.From, s.To, s.BitsPerByte, s.Tokens)
	}
	for _, n := range d.NotDone {
		fmt.Fprintf(&b, "  not done: %s\n", reports.Line(n))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
