package xlsx

import (
	"fmt"
	"slices"

	"github.com/xuri/excelize/v2"

	"github.com/disteval/disteval/reports"
)

// Sizes in pixels, and how charts are laid out.
const (
	chartWidth  = 460
	chartHeight = 300
	chartGap    = 20
	chartsARow  = 3
	chartRows   = 16 // rows of the default height that a chart and its gap take
	digitWidth  = 7  // of the default font: a column's width counts digits
)

// summaryCharts draws the headline metrics with their intervals, and what
// they cost, under the sheet's last row.
func (s *sheet) summaryCharts(r reports.Report, models block) error {
	d := drawing{sheet: s, below: s.row + 2, first: 2, last: 1 + len(r.Models)}
	at := func(head string) int {
		return 1 + slices.IndexFunc(models.cols, func(c column) bool { return c.head == head })
	}
	for _, name := range headline {
		mean := at(titleOf(name))
		if mean == 0 || !models.has(mean) {
			continue
		}
		if err := d.add(d.interval(titleOf(name), mean)); err != nil {
			return err
		}
	}
	for _, head := range []string{"Duration (s)", "Wh per 1,000 queries"} {
		if c := at(head); models.has(c) {
			if err := d.add(d.bars(head, []int{c})); err != nil {
				return err
			}
		}
	}
	return nil
}

// categoryChart draws em by category, a series per model.
func (s *sheet) categoryChart(categories, models int) error {
	if categories == 0 || models == 0 {
		return nil
	}
	d := drawing{sheet: s, below: s.row + 2, first: 2, last: 1 + categories}
	var cols []int
	for i := range models {
		cols = append(cols, 3+i)
	}
	c := d.bars("EM by category", cols)
	c.Dimension.Width = 2*chartWidth + chartGap
	c.Legend = excelize.ChartLegend{Position: "bottom"}
	c.PlotArea.ShowVal = false
	return d.add(c)
}

// has reports whether a column, counted from 1, holds anything.
func (b block) has(col int) bool {
	return slices.ContainsFunc(b.rows, func(r []any) bool { return r[col-1] != nil })
}

// drawing places charts of one table in rows beside each other.
type drawing struct {
	sheet       *sheet
	below       int // the row at which the first chart stands
	first, last int // rows of the table
	n           int // charts so far
}

func (d *drawing) add(c *excelize.Chart) error {
	if d.n == 0 { // printed on a page of their own, charts are whole
		if err := d.sheet.book.file.InsertPageBreak(d.sheet.name, cell(1, d.below)); err != nil {
			return err
		}
	}
	c.Format.Positioning = "oneCell" // a widened column shall not stretch it
	at := cell(d.columnAt(d.n%chartsARow*(chartWidth+chartGap)), d.below+d.n/chartsARow*chartRows)
	d.n++
	return d.sheet.book.file.AddChart(d.sheet.name, at, c)
}

// columnAt is the first column, from 1, that begins so many pixels in or more.
func (d *drawing) columnAt(x int) int {
	left, col := 0.0, 1
	for _, w := range d.sheet.widths {
		if left >= float64(x) {
			break
		}
		left += w * digitWidth
		col++
	}
	return col
}

// interval is a high-low-close chart: the mean and its 95 % interval. The
// ends stand in the two columns after the mean's.
func (d *drawing) interval(title string, mean int) *excelize.Chart {
	c := d.chart(excelize.StockHighLowClose, title+": mean and 95 % interval")
	for _, s := range []struct {
		col    int
		symbol string
		size   int
	}{{mean + 2, "dash", 9}, {mean + 1, "dash", 9}, {mean, "diamond", 8}} {
		one := d.series(s.col)
		one.Marker = excelize.ChartMarker{Symbol: s.symbol, Size: s.size,
			Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{colourMark}}}
		c.Series = append(c.Series, one)
	}
	c.YAxis.NumFmt = excelize.ChartNumFmt{CustomNumFmt: "0.00"}
	return c
}

func (d *drawing) bars(title string, cols []int) *excelize.Chart {
	c := d.chart(excelize.Col, title)
	for _, col := range cols {
		c.Series = append(c.Series, d.series(col))
	}
	c.PlotArea.ShowVal = true
	return c
}

func (d *drawing) chart(t excelize.ChartType, title string) *excelize.Chart {
	axis := excelize.Font{Family: family, Size: 9, Color: colourAxis}
	return &excelize.Chart{
		Type:         t,
		Title:        excelize.ChartTitle{Paragraph: []excelize.RichTextRun{{Text: title}}},
		Legend:       excelize.ChartLegend{Position: "none"},
		Dimension:    excelize.ChartDimension{Width: chartWidth, Height: chartHeight},
		XAxis:        excelize.ChartAxis{Font: axis},
		YAxis:        excelize.ChartAxis{Font: axis, MajorGridLines: true},
		ShowBlanksAs: "gap",
		Format:       excelize.GraphicOptions{AltText: title + ", from the table on this sheet"},
	}
}

// series is one column of the table; its head is the name.
func (d *drawing) series(col int) excelize.ChartSeries {
	area := func(col, first, last int) string {
		from, _ := excelize.CoordinatesToCellName(col, first, true)
		to, _ := excelize.CoordinatesToCellName(col, last, true)
		if first == last {
			return fmt.Sprintf("'%s'!%s", d.sheet.name, from)
		}
		return fmt.Sprintf("'%s'!%s:%s", d.sheet.name, from, to)
	}
	return excelize.ChartSeries{
		Name:       area(col, 1, 1),
		Categories: area(1, d.first, d.last),
		Values:     area(col, d.first, d.last),
	}
}
