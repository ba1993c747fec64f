package text

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"github.com/disteval/disteval/reports"
)

// grid is a table for the terminal: the first column and those in left stand
// flush left, numbers flush right.
type grid struct {
	rows [][]string
	left map[int]bool
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// write appends the rows, their columns aligned and two blanks apart, each
// line after the indent; the first line is emphasised where colour is on.
func (g *grid) write(b *strings.Builder, paint painter) {
	widths := g.widths()
	for i, row := range g.rows {
		var line strings.Builder
		for j, cell := range row {
			if j > 0 {
				line.WriteString("  ")
			}
			pad := strings.Repeat(" ", widths[j]-columns(cell))
			if j == 0 || g.left[j] {
				line.WriteString(cell + pad)
			} else {
				line.WriteString(pad + cell)
			}
		}
		text := strings.TrimRight(line.String(), " ")
		if i == 0 {
			text = paint.bold(text)
		}
		b.WriteString(text + "\n")
	}
}

func (g *grid) widths() []int {
	var widths []int
	for _, row := range g.rows {
		for j, cell := range row {
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], columns(cell))
		}
	}
	return widths
}

// columns is the number of terminal columns a text takes.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// fit makes untrusted text safe for a terminal and at most so wide.
func fit(s string, most int) string {
	s = reports.Line(s)
	if columns(s) <= most {
		return s
	}
	n := 0
	for i, r := range s {
		if n += runeColumns(r); n > most-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// painter colours text, or leaves it alone.
type painter bool

func (p painter) bold(s string) string   { return p.paint("1", s) }
func (p painter) red(s string) string    { return p.paint("31", s) }
func (p painter) green(s string) string  { return p.paint("32", s) }
func (p painter) yellow(s string) string { return p.paint("33", s) }

func (p painter) paint(code, s string) string {
	if !p {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
