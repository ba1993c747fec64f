package text

import (
	"fmt"
	"io"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
)

// WriteConditions writes a line for each thing that works or does not, and its
// cure below it.
func WriteConditions(w io.Writer, all []eval.Condition, color bool) error {
	var b strings.Builder
	paint := painter(color)
	for _, c := range all {
		state := fmt.Sprintf("%-6s", c.State)
		switch c.State {
		case eval.Works:
			state = paint.green(state)
		case eval.Partly:
			state = paint.yellow(state)
		default:
			state = paint.red(state)
		}
		fmt.Fprintf(&b, "%s  %-22s %s\n", state, reports.Line(c.Name), reports.Line(c.Found))
		if c.Cure != "" {
			indent := strings.Repeat(" ", 31)
			fmt.Fprintf(&b, "%sdo: %s\n", indent, strings.ReplaceAll(reports.Lines(c.Cure), "\n", "\n"+indent+"    "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
