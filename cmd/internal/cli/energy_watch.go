package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions"
)

// energyWatch writes the watts of every zone each period until ctx ends: a
// plain line, or on a terminal a table that is redrawn.
func energyWatch(ctx context.Context, out io.Writer, tty bool, period time.Duration, sysfs, procfs string) error {
	m, err := energySource(MeterConfig{Method: "auto", Sysfs: sysfs, Procfs: procfs})
	if err != nil {
		return err
	}
	if err := m.Start(ctx); err != nil {
		return err
	}
	defer m.Close()
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	drawn := 0
	for from := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		to := time.Now()
		r := m.Read(from, to)
		from = to
		if r.Quality == emissions.Unavailable {
			return fmt.Errorf("watch energy: %s; see disteval energy probe", r.Reason)
		}
		text := watchLine(r)
		if tty {
			text = fmt.Sprintf("\x1b[%dA\x1b[J%s", drawn, watchTable(r))
			if drawn == 0 {
				text = watchTable(r)
			}
			drawn = strings.Count(watchTable(r), "\n")
		}
		if _, err := io.WriteString(out, text); err != nil {
			return err
		}
	}
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
