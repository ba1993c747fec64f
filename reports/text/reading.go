package text

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/reports"
)

// WriteReading writes a reading as one line: time, sum with quality, zones.
// Zones that are not part of the sum are in brackets.
func WriteReading(w io.Writer, r emissions.Reading) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s total %.1f W %s", r.End.Format(time.RFC3339), r.MeanW(), qualityText(r))
	for _, z := range r.Zones {
		if z.Counted {
			fmt.Fprintf(&b, "  %s %.1f W", z.Name, r.ZoneW(z))
		} else {
			fmt.Fprintf(&b, "  [%s %.1f W]", z.Name, r.ZoneW(z))
		}
	}
	_, err := io.WriteString(w, reports.Line(b.String())+"\n")
	return err
}

// qualityText is the quality, how much of it is measured where that is not
// all, and the bounds.
func qualityText(r emissions.Reading) string {
	text := string(r.Quality)
	if share := r.MeasuredShare(); share != nil && *share > 0 && *share < 1 {
		text += fmt.Sprintf(", %.0f %% of it measured", 100**share)
	}
	if low, high := r.BoundsW(); r.Low != r.High {
		text += fmt.Sprintf(" (%.1f to %.1f W)", low, high)
	}
	return text
}

// WatchScreen is a table of readings on a terminal, drawn anew with each. It
// keeps to the terminal's columns and rows, since a line that the terminal breaks,
// or a table that it scrolls, could not be drawn over.
type WatchScreen struct {
	Out    io.Writer
	Size   func() (columns, rows int) // 0: not known; nil: neither is
	course map[string][]float64       // W by zone, the newest last
	drawn  int                        // lines
}

const (
	minute                      = 60 // periods that the screen shows the course of
	figures                     = 10 // columns of watts, with a space in front
	leastZoneName, mostZoneName = 8, 24
)

// Draw takes a reading and draws the table.
func (s *WatchScreen) Draw(r emissions.Reading) error {
	columns, rows := 0, 0
	if s.Size != nil {
		columns, rows = s.Size()
	}
	lines := s.lines(r, cmp.Or(columns, 120))
	if most := rows - 1; rows > 0 && len(lines) > most { // the cursor has a line of its own
		lines = shortened(lines, max(most, 1))
	}
	var b strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", s.drawn)
	}
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	s.drawn = len(lines)
	_, err := io.WriteString(s.Out, b.String())
	return err
}

// shortened keeps the head, the first zones and the total.
func shortened(lines []string, most int) []string {
	total := lines[len(lines)-1]
	if most < 4 {
		return []string{total}
	}
	left := fmt.Sprintf("… %d more zones", len(lines)-most+1)
	return append(slices.Clone(lines[:most-2]), left, total)
}

func (s *WatchScreen) lines(r emissions.Reading, columns int) []string {
	if s.course == nil {
		s.course = map[string][]float64{}
	}
	name := min(max(columns/4, leastZoneName), mostZoneName)
	room := max(0, min(minute, columns-name-figures-4))
	row := func(zone string, w float64, note string) string {
		c := append(s.course[zone], w)
		c = c[max(0, len(c)-minute):]
		s.course[zone] = c
		line := fmt.Sprintf("%-*s %*.1f  %-*s", name, fit(zone, name), figures-1, w, room, sparkline(c[max(0, len(c)-room):]))
		if room == minute {
			line += "  " + reports.Line(note)
		}
		return fit(line, columns)
	}
	head := r.End.Format(time.TimeOnly)
	if room < minute { // no note has a place behind the course
		head += "  " + qualityText(r)
	}
	out := []string{fit(fmt.Sprintf("%-*s %*s  %s", name, "zone", figures-1, "W", head), columns)}
	for _, z := range r.Zones {
		out = append(out, row(z.Name, r.ZoneW(z), z.Note))
	}
	return append(out, row("total", r.MeanW(), qualityText(r)+", by "+r.Method))
}

// sparkline draws values from 0 to their highest.
func sparkline(values []float64) string {
	levels := []rune("▁▂▃▄▅▆▇█")
	highest := 0.0
	for _, v := range values {
		highest = math.Max(highest, v)
	}
	var b strings.Builder
	for _, v := range values {
		level := 0
		if highest > 0 {
			level = int(math.Round(math.Max(0, v) / highest * float64(len(levels)-1)))
		}
		b.WriteRune(levels[level])
	}
	return b.String()
}

// readingJSON is a reading for scripts; its names are those of summary.json.
type readingJSON struct {
	Start         time.Time         `json:"start"`
	DurationS     float64           `json:"duration_s"`
	Quality       emissions.Quality `json:"quality"`
	Method        string            `json:"method"`
	Wh            float64           `json:"wh"`
	LowWh         float64           `json:"low_wh"`
	HighWh        float64           `json:"high_wh"`
	MeasuredWh    float64           `json:"measured_wh"`
	MeasuredShare *float64          `json:"measured_share"`
	MeanW         float64           `json:"mean_w"`
	Zones         []zoneJSON        `json:"zones"`
	Gaps          []emissions.Gap   `json:"gaps"`
	Reason        string            `json:"reason"`
	Warnings      []string          `json:"warnings"`
}

type zoneJSON struct {
	Name    string         `json:"name"`
	Kind    emissions.Kind `json:"kind"`
	Wh      float64        `json:"wh"`
	MeanW   float64        `json:"mean_w"`
	Counted bool           `json:"counted"`
	Note    string         `json:"note"`
}

// WriteReadingJSON writes a reading as one line of JSON.
func WriteReadingJSON(out io.Writer, r emissions.Reading) error {
	j := readingJSON{Start: r.Start, DurationS: r.End.Sub(r.Start).Seconds(), Quality: r.Quality, Method: r.Method, Wh: r.Energy.WattHours(),
		LowWh: r.Low.WattHours(), HighWh: r.High.WattHours(), MeasuredWh: r.MeasuredPart().WattHours(), MeasuredShare: r.MeasuredShare(),
		MeanW: r.MeanW(), Zones: []zoneJSON{}, Gaps: append([]emissions.Gap{}, r.Gaps...), Reason: r.Reason, Warnings: append([]string{}, r.Warnings...)}
	for _, z := range r.Zones {
		j.Zones = append(j.Zones, zoneJSON{z.Name, z.Kind, z.Energy.WattHours(), r.ZoneW(z), z.Counted, z.Note})
	}
	return json.NewEncoder(out).Encode(j)
}
