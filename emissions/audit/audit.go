// Package audit tells whether a table of durations and emissions can be true.
//
// Policy: a printed figure stands for every number that rounds to it, so that
// a finding holds for the printed digits and claims no more. A row is called
// implausible only if no factor that could have applied, or nothing else in
// the table, makes sense of it.
package audit

import (
	_ "embed"
	"io"
	"strings"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/grid"
)

// Row is a line of the table that is audited.
type Row struct {
	Line      int // in the file, from 1
	Name      string
	Duration  Printed // s, more than 0
	Emissions Printed // kgCO2e, not negative; without Text where only the energy is stated
	Country   string  // ISO 3166-1 alpha-3, empty where not stated
	EnergyKWh *Printed
	TDPW      *float64 // W
	RAMGB     *float64 // GB
	Parts     *Parts   // what CodeCarbon's file states besides; nil for any other table
}

// Factors are the carbon factors of today that an audit reckons with, beside
// the Dated ones.
type Factors []emissions.CarbonFactor

// Dated are factors that tools used when their figures were published, beside
// today's.
var Dated = []emissions.CarbonFactor{
	{GPerKWh: 501.7, ISO3: "AUS", Country: "Australia", Year: 2024, Source: "CodeCarbon as used in October 2024"},
	{GPerKWh: 531.247, ISO3: "AUS", Country: "Australia", Year: 2021, Source: "CodeCarbon's energy mix of 2021, from Our World in Data"},
	{GPerKWh: 475, ISO3: "WORLD", Country: "world average", Year: 2019, Source: "CodeCarbon's default, from the IEA"},
}

//go:embed published.csv
var published string

// Published is the published table of LLaMA-2-7B and its students: CodeCarbon
// on 80 GB of memory and 32 cores of an Intel Xeon Gold 6448H, Melbourne,
// October 2024. Its last row is the authors' earlier student, published apart.
func Published() *strings.Reader { return strings.NewReader(published) }

// Table audits a table with today's factors.
func Table(in io.Reader) (Report, error) {
	rows, err := Parse(in, grid.Lookup)
	if err != nil {
		return Report{}, err
	}
	return Analyse(rows, grid.All()), nil
}

// factorsFor returns what could have applied to a row: its country's, or
// without a country every one.
func (f Factors) factorsFor(r Row) []emissions.CarbonFactor {
	var out []emissions.CarbonFactor
	for _, list := range [][]emissions.CarbonFactor{Dated, f} {
		for _, c := range list {
			if c.GPerKWh > 0 && (r.Country == "" || c.ISO3 == r.Country) {
				out = append(out, c)
			}
		}
	}
	if len(out) == 0 && r.Country != "" {
		return f.factorsFor(Row{}) // no factor of its own is known
	}
	return out
}

// wattsPer is the power in W of 1 kg/s at 1 g/kWh.
const wattsPer = 3.6e9

// span is a closed range of numbers.
type span struct{ lo, hi float64 }

func (s span) meets(o span) (span, bool) {
	both := span{max(s.lo, o.lo), min(s.hi, o.hi)}
	return both, both.lo <= both.hi
}

// rate is what emissions over duration can be by the printed digits, in kg/s.
func (r Row) rate() span {
	return span{r.Emissions.lo() / r.Duration.hi(), r.Emissions.hi() / r.Duration.lo()}
}

// middle is the rate of the printed numbers themselves.
func (r Row) middle() float64 { return r.Emissions.Value / r.Duration.Value }
