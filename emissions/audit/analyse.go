package audit

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/disteval/disteval/emissions"
)

// What is physically possible, generously: a machine that works draws more
// than a watt, and one machine less than ten kilowatts.
const (
	minHostW = 1.0
	maxHostW = 10_000.0
)

// How far a row's rate may be from the others' before something is wrong: an
// accelerator makes a factor of some ten between machines; beside rows of
// one constant nothing makes one of five.
const (
	beyondReason   = 20.0
	beyondConstant = 5.0
)

// precise is the widest relative range of a rate with which two rows can
// show that they share it.
const precise = 0.11

// Finding is what the audit says of one row.
type Finding struct {
	Row         Row
	Watts       span      // mean power in W by the factors that could have applied
	AtFactors   []Implied // by factor; only where a country is stated
	Assumed     bool      // one of a group whose emissions are a constant times the duration
	Factor      float64   // by which the rate is off the others', 0 where there is no telling; above 1 too high, below 1 too low
	Implausible []string  // why the row cannot be true
	Constants   []string  // parts that the file itself shows to be assumed
}

// Implied is the mean power of a row at one factor.
type Implied struct {
	Watts  float64
	Factor emissions.CarbonFactor
}

// Group is a set of rows whose emissions are one constant times the duration.
type Group struct {
	Rows         []int // indices
	Rate         span  // kg/s, common to the rows' printed digits
	Combinations []Combination
	Stated       []Combination // the constant powers of the machine that the rows state, without a factor
}

// Combination is a constant power and a factor that reproduce a group's rows
// to the printed digits.
type Combination struct {
	CPUW, RAMW float64
	CPU, RAM   string // how each came about
	Factor     emissions.CarbonFactor
}

// Report is the outcome of an audit.
type Report struct {
	Findings []Finding // by row
	Groups   []Group
}

// Implausible tells whether any row is.
func (r Report) Implausible() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return len(f.Implausible) > 0 })
}

// Analyse audits the rows.
func Analyse(rows []Row, factors Factors) Report {
	var r Report
	for _, row := range rows {
		r.Findings = append(r.Findings, physical(row, factors))
	}
	r.Groups = constants(rows)
	for i := range r.Groups {
		g := &r.Groups[i]
		g.Combinations = combinations(rows, *g, factors)
		if first := rows[g.Rows[0]]; first.RAMGB != nil && oneMachine(rows, *g) {
			g.Stated = powers(first)
		}
		for _, k := range g.Rows {
			r.Findings[k].Assumed = true
		}
	}
	outliers(&r, rows)
	return r
}

// physical looks at a row by itself.
func physical(row Row, factors Factors) Finding {
	f := Finding{Row: row, Watts: span{math.Inf(1), 0}}
	rate := row.rate()
	for _, c := range factors.factorsFor(row) {
		w := span{rate.lo * wattsPer / c.GPerKWh, rate.hi * wattsPer / c.GPerKWh}
		f.Watts = span{min(f.Watts.lo, w.lo), max(f.Watts.hi, w.hi)}
		if row.Country != "" {
			f.AtFactors = append(f.AtFactors, Implied{row.middle() * wattsPer / c.GPerKWh, c})
		}
	}
	if row.Parts != nil {
		f.Implausible, f.Constants = row.Parts.implausible(row), row.Parts.assumed(row)
	}
	if row.EnergyKWh != nil {
		f.Watts = span{row.EnergyKWh.lo() * 3.6e6 / row.Duration.hi(), row.EnergyKWh.hi() * 3.6e6 / row.Duration.lo()}
		f.Implausible = append(f.Implausible, impliedFactor(row, factors)...)
	}
	switch {
	case row.Emissions.Text == "" && row.EnergyKWh == nil: // negative, as is said already
	case row.Emissions.Text != "" && row.Emissions.Value == 0:
		f.Implausible = append(f.Implausible, "no emissions at all: a failed measurement is not zero")
	case f.Watts.hi < minHostW:
		f.Implausible = append(f.Implausible, fmt.Sprintf("implies at most %.2g W, less than any working machine", f.Watts.hi))
	case f.Watts.lo > maxHostW:
		f.Implausible = append(f.Implausible, fmt.Sprintf("implies at least %.3g W, more than any one machine", f.Watts.lo))
	}
	return f
}

// impliedFactor compares emissions with the stated energy. Factors move from
// year to year, so a third to three times of the known ones will pass.
func impliedFactor(row Row, factors Factors) []string {
	low, high := math.Inf(1), 0.0
	for _, c := range factors.factorsFor(row) {
		low, high = min(low, c.GPerKWh/3), max(high, c.GPerKWh*3)
	}
	if row.EnergyKWh.Value < 1e-12 {
		return []string{"no energy at all: a failed measurement is not zero"}
	}
	if row.Emissions.Text == "" {
		return nil
	}
	if row.Parts != nil {
		high *= row.Parts.PUE // its energy may be the computers' alone
	}
	g := span{row.Emissions.lo() * 1000 / row.EnergyKWh.hi(), row.Emissions.hi() * 1000 / max(row.EnergyKWh.lo(), math.SmallestNonzeroFloat64)}
	if _, ok := g.meets(span{low, high}); ok {
		return nil
	}
	return []string{fmt.Sprintf("its emissions and energy imply %.3g g/kWh, no grid's factor (%.3g to %.3g)",
		row.Emissions.Value*1000/row.EnergyKWh.Value, low, high)}
}

// constants finds groups of rows that share a rate to the printed digits,
// the largest first. Rows of (nearly) one duration say nothing.
func constants(rows []Row) []Group {
	free := make([]int, 0, len(rows))
	for i, r := range rows {
		if s := r.rate(); r.Emissions.Value > 0 && s.hi-s.lo <= precise*r.middle() {
			free = append(free, i)
		}
	}
	var groups []Group
	for {
		g := largest(rows, free)
		if len(g.Rows) < 2 || !durationsDiffer(rows, g.Rows) {
			return groups
		}
		groups = append(groups, g)
		free = slices.DeleteFunc(free, func(i int) bool { return slices.Contains(g.Rows, i) })
	}
}

// largest returns the rows whose rates meet in the point that most share:
// one such point is always the lower end of some row's range.
func largest(rows []Row, free []int) Group {
	var best Group
	for _, i := range free {
		at := rows[i].rate().lo
		g := Group{Rate: span{0, math.Inf(1)}}
		for _, k := range free {
			if s := rows[k].rate(); s.lo <= at && at <= s.hi {
				g.Rows = append(g.Rows, k)
				g.Rate, _ = g.Rate.meets(s)
			}
		}
		if len(g.Rows) > len(best.Rows) || len(g.Rows) == len(best.Rows) && g.Rate.hi-g.Rate.lo > best.Rate.hi-best.Rate.lo {
			best = g
		}
	}
	return best
}

func durationsDiffer(rows []Row, group []int) bool {
	low, high := math.Inf(1), 0.0
	for _, i := range group {
		low, high = min(low, rows[i].Duration.Value), max(high, rows[i].Duration.Value)
	}
	return high > 1.05*low
}

// outliers compares every row's rate with the others': in power where every
// row has a country, else in emissions.
func outliers(r *Report, rows []Row) {
	level := make([]float64, len(rows))
	for i, row := range rows {
		level[i] = row.middle()
		if !slices.ContainsFunc(rows, func(o Row) bool { return len(r.Findings[0].AtFactors) == 0 || o.Country == "" }) {
			level[i] = r.Findings[i].AtFactors[len(r.Findings[i].AtFactors)-1].Watts
		}
	}
	limit, usual, ok := reference(r, level)
	for i := range rows {
		f := &r.Findings[i]
		if !ok || f.Assumed || level[i] == 0 {
			continue
		}
		f.Factor = level[i] / usual
		if off := max(f.Factor, 1/f.Factor); off > limit {
			direction := "high"
			if f.Factor < 1 {
				direction = "low"
			}
			f.Implausible = append(f.Implausible, fmt.Sprintf("%s by a factor of about %s against the other rows", direction, three(off)))
		}
	}
}

// reference is what the rows are compared with: the largest group of one
// constant, or else the median of those that are possible by themselves. Of
// two rows that is the higher one.
func reference(r *Report, level []float64) (limit, usual float64, ok bool) {
	if len(r.Groups) > 0 {
		return beyondConstant, level[r.Groups[0].Rows[0]], true
	}
	var possible []float64
	for i, l := range level {
		if l > 0 && len(r.Findings[i].Implausible) == 0 {
			possible = append(possible, l)
		}
	}
	if len(level) < 2 || len(possible) == 0 {
		return 0, 0, false
	}
	slices.Sort(possible)
	return beyondReason, possible[len(possible)/2], true
}

// combinations searches the constant mode of CodeCarbon 2: half a TDP, its
// default where none is stated, plus 3/8 W for each GB of memory, at every
// factor that could have applied.
func combinations(rows []Row, g Group, factors Factors) []Combination {
	if !oneMachine(rows, g) {
		return nil
	}
	first := rows[g.Rows[0]]
	var found []Combination
	for _, c := range factors.factorsFor(first) {
		for _, p := range powers(first) {
			p.Factor = c
			rate := (p.CPUW + p.RAMW) * c.GPerKWh / wattsPer
			if g.Rate.lo <= rate && rate <= g.Rate.hi {
				found = append(found, p)
			}
		}
	}
	centre := (g.Rate.lo + g.Rate.hi) / 2
	slices.SortStableFunc(found, func(a, b Combination) int {
		return cmp.Or(cmp.Compare(a.age(), b.age()), cmp.Compare(a.miss(centre), b.miss(centre)))
	})
	return found
}

// oneMachine tells whether a group's rows state one machine and one grid: one
// constant over different ones is no formula.
func oneMachine(rows []Row, g Group) bool {
	first := rows[g.Rows[0]]
	return !slices.ContainsFunc(g.Rows, func(i int) bool {
		return !equal(rows[i].TDPW, first.TDPW) || !equal(rows[i].RAMGB, first.RAMGB) || rows[i].Country != first.Country
	})
}

func (c Combination) watts() float64 { return c.CPUW + c.RAMW }

// age puts the factors that tools used before today's.
func (c Combination) age() int {
	if slices.Contains(Dated, c.Factor) {
		return 0
	}
	return 1
}

// miss is how far the combination is from the rate, relatively.
func (c Combination) miss(rate float64) float64 {
	return math.Abs(c.watts()*c.Factor.GPerKWh/wattsPer/rate - 1)
}

func equal(a, b *float64) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

// powers are the constant powers that CodeCarbon 2 could have assumed for a
// row; memory that is not stated may have been of any usual size, or left out.
func powers(row Row) []Combination {
	cpus := []Combination{{CPUW: 42.5, CPU: "85 W × 0.5"}}
	if row.TDPW != nil {
		cpus = append(cpus, Combination{CPUW: *row.TDPW / 2, CPU: fmt.Sprintf("%g W × 0.5", *row.TDPW)})
	}
	sizes := []float64{0, 8, 12, 16, 24, 32, 48, 64, 80, 96, 128, 192, 256, 384, 512, 768, 1024}
	if row.RAMGB != nil {
		sizes = []float64{*row.RAMGB}
	}
	var out []Combination
	for _, c := range cpus {
		for _, gb := range sizes {
			c.RAMW, c.RAM = gb*3/8, fmt.Sprintf("%g GB × 3/8 W", gb)
			out = append(out, c)
		}
	}
	return out
}
