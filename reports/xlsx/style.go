package xlsx

import (
	"github.com/xuri/excelize/v2"

	"github.com/disteval/disteval/reports"
)

// kind is how a cell looks.
type kind int

const (
	head    kind = iota // of a table
	title               // above a table
	line                // a sentence of its own
	text                // may come from a model
	wrapped             // text over several lines
	count               // whole number
	share               // of replies, and what is shown with as many decimals
	score               // of a metric that is no share
	seconds
	rate     // and latencies
	general  // any size, shown with three significant digits
	tiny     // general, with an exponent; the kinds after it have decimals
	decimal0 // general, as are the five after it
	decimal1
	decimal2
	decimal3
	decimal4
	decimal5
	exact
	chance  // a p value
	instant // date and time, UTC
	entry   // for people to fill in
	nKinds
)

// formats are the number formats by kind; the others have none. They round as
// the other reports do.
var formats = map[kind]string{
	count:    "#,##0",
	share:    "0.000",
	score:    "0.0000",
	seconds:  "#,##0.00",
	rate:     "#,##0.0",
	tiny:     "0.00E+00",
	decimal0: "#,##0",
	decimal1: "0.0",
	decimal2: "0.00",
	decimal3: "0.000",
	decimal4: "0.0000",
	decimal5: "0.00000",
	chance:   "[<0.001]0.0E+00;0.000",
	instant:  "yyyy-mm-dd hh:mm:ss",
}

// sized is the kind of a number of any size.
func sized(v float64) kind {
	decimals, plain := reports.SignificantDecimals(v, 3)
	if !plain {
		return tiny
	}
	return decimal0 + kind(decimals)
}

// kindOf is the kind of a metric's mean.
func kindOf(metric string) kind {
	if reports.Decimals(metric) == 3 {
		return share
	}
	return score
}

// measured is a figure of a metric in a column for several.
type measured struct {
	metric string
	value  float64
}

// Colours of the workbook: quiet ones, on which black text can be read.
const (
	colourHead  = "DDE6EF"
	colourEntry = "FFF8DC"
	colourLow   = "F4B8AE"
	colourMid   = "FFFFFF"
	colourHigh  = "B5DDBF"
	colourAlarm = "9C1C1C"
	colourAxis  = "404040"
	colourMark  = "1F4E79"
)

// family is the file's default font.
const family = "Calibri"

func (b *workbook) addStyles() error {
	for k := range nKinds {
		id, err := b.file.NewStyle(styleOf(k))
		if err != nil {
			return err
		}
		b.styles[k] = id
		switch k {
		case head, title, line, text, wrapped:
			prefixed := true
			b.file.Styles.CellXfs.Xf[id].QuotePrefix = &prefixed
		}
	}
	var err error
	b.alarm, err = b.file.NewConditionalStyle(&excelize.Style{Font: &excelize.Font{Bold: true, Color: colourAlarm}})
	return err
}

func styleOf(k kind) *excelize.Style {
	s := &excelize.Style{Alignment: &excelize.Alignment{Vertical: "top"}}
	if f, ok := formats[k]; ok {
		s.CustomNumFmt = &f
	}
	switch k {
	case head:
		s.Font = &excelize.Font{Family: family, Size: 11, Bold: true}
		s.Fill = excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{colourHead}}
		s.Alignment = &excelize.Alignment{Vertical: "center", WrapText: true}
	case title:
		s.Font = &excelize.Font{Family: family, Size: 13, Bold: true}
	case line:
		s.Alignment = &excelize.Alignment{Vertical: "center"}
	case wrapped:
		s.Alignment.WrapText = true
	case entry:
		s.Fill = excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{colourEntry}}
		s.Alignment.WrapText = true
	}
	return s
}

// rule colours the cells of a column by their value.
type rule int

const (
	noRule   rule = iota
	upToOne       // 0 to 1, the more the better
	cosine        // -1 to 1, the more the better
	signed        // below and above 0
	smallP        // below 0.05
	positive      // anything above 0 needs a look
)

func (b *workbook) conditional(r rule) []excelize.ConditionalFormatOptions {
	scale := func(low, mid, high string) []excelize.ConditionalFormatOptions {
		return []excelize.ConditionalFormatOptions{{Type: "3_color_scale", Criteria: "=",
			MinType: "num", MidType: "num", MaxType: "num", MinValue: low, MidValue: mid, MaxValue: high,
			MinColor: "#" + colourLow, MidColor: "#" + colourMid, MaxColor: "#" + colourHigh}}
	}
	switch r {
	case upToOne:
		return scale("0", "0.5", "1")
	case cosine, signed:
		return scale("-1", "0", "1")
	case smallP:
		return []excelize.ConditionalFormatOptions{{Type: "cell", Criteria: "<", Value: "0.05", Format: &b.alarm}}
	case positive:
		return []excelize.ConditionalFormatOptions{{Type: "cell", Criteria: ">", Value: "0", Format: &b.alarm}}
	}
	return nil
}
