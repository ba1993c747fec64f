package text

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/disteval/disteval/emissions/machine"
)

// WriteProbe writes what this machine can measure, zone by zone, why not,
// and what to do about it.
func WriteProbe(out io.Writer, p machine.Probe) error {
	var b strings.Builder
	for _, f := range p.Findings {
		fmt.Fprintf(&b, "%s (%s): %s\n", f.Title, f.Method, f.Quality)
		probeZones(&b, f.Zones)
		for _, m := range f.Missing {
			fmt.Fprintf(&b, "  missing: %s\n", m)
		}
		for _, n := range f.Notes {
			fmt.Fprintf(&b, "  %s\n", n)
		}
		if f.Reason != "" {
			fmt.Fprintf(&b, "  %s\n", f.Reason)
		}
		b.WriteString("\n")
	}
	without := ""
	if len(p.Without) > 0 {
		without = " without " + strings.Join(p.Without, ", ")
	}
	fmt.Fprintf(&b, "method auto would give: %s%s (quality %s)\n", cmp.Or(strings.Join(p.Auto, " and "), "nothing"), without, p.Quality)
	_, err := io.WriteString(out, b.String())
	return err
}

func probeZones(b *strings.Builder, zones []machine.Zone) {
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, z := range zones {
		counted := "shown, not summed"
		if z.Counted {
			counted = "summed"
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\n", z.Name, z.ID, counted, z.Detail, z.State)
	}
	_ = table.Flush() // into memory
}
