package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/machine"
)

// energyWatch writes the watts of every zone each period until ctx ends: a
// plain line, or on a terminal a table that is redrawn.
func energyWatch(ctx context.Context, out io.Writer, tty bool, period time.Duration, o machine.Options) error {
	drawn := 0
	return machine.Watch(ctx, o, period, func(r emissions.Reading) error {
		text := watchLine(r)
		if tty {
			table := watchTable(r)
			text = table
			if drawn > 0 {
				text = fmt.Sprintf("\x1b[%dA\x1b[J%s", drawn, table)
			}
			drawn = strings.Count(table, "\n")
		}
		_, err := io.WriteString(out, text)
		return err
	})
}

func watts(e emissions.Energy, r emissions.Reading) float64 {
	return e.Joules() / r.End.Sub(r.Start).Seconds()
}

// watchLine is one reading: time, sum with quality, zones. Zones that are not
// part of the sum stand in brackets.
func watchLine(r emissions.Reading) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s total %.1f W %s", r.End.Format(time.RFC3339), watts(r.Energy, r), r.Quality)
	if r.Quality != emissions.Measured {
		fmt.Fprintf(&b, " (%.1f to %.1f W)", watts(r.Low, r), watts(r.High, r))
	}
	for _, z := range r.Zones {
		if z.Counted {
			fmt.Fprintf(&b, "  %s %.1f W", z.Name, watts(z.Energy, r))
		} else {
			fmt.Fprintf(&b, "  [%s %.1f W]", z.Name, watts(z.Energy, r))
		}
	}
	b.WriteString("\n")
	return b.String()
}

func watchTable(r emissions.Reading) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-24s %9s  %s\n", "zone", "W", r.End.Format(time.TimeOnly))
	for _, z := range r.Zones {
		fmt.Fprintf(&b, "%-24s %9.1f  %s\n", z.Name, watts(z.Energy, r), z.Note)
	}
	fmt.Fprintf(&b, "%-24s %9.1f  %s, %.1f to %.1f W, by %s\n", "total", watts(r.Energy, r), r.Quality, watts(r.Low, r), watts(r.High, r), r.Method)
	return b.String()
}
