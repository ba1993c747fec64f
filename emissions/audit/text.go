package audit

import (
	"fmt"
	"io"
	"strings"
)

// listed is how many of the combinations are.
const listed = 3

// Write writes the report as text; name is what was audited.
func (r Report) Write(w io.Writer, name string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Audit of %s: %d rows\n", name, len(r.Findings))
	for i, f := range r.Findings {
		f.write(&b, i+1)
	}
	for _, g := range r.Groups {
		g.write(&b)
	}
	bad := 0
	for _, f := range r.Findings {
		if len(f.Implausible) > 0 {
			bad++
		}
	}
	if bad == 0 {
		fmt.Fprintf(&b, "\nNo row is implausible.\n")
	} else {
		fmt.Fprintf(&b, "\n%d of %d rows implausible.\n", bad, len(r.Findings))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// assumed is what is said of a row whose energy nobody measured.
const assumed = "assumed, not measured: a constant times the duration"

// Sentences are what speaks against the row; none where nothing does.
func (f Finding) Sentences() []string {
	var out []string
	if f.Assumed {
		out = append(out, assumed)
	}
	return append(out, f.Implausible...)
}

func (f Finding) write(b *strings.Builder, number int) {
	kg := f.Row.Emissions.Text + " kgCO2e"
	if f.Row.Emissions.Text == "" {
		kg = "emissions not stated"
	}
	fmt.Fprintf(b, "\nrow %d (line %d) %q: %s s, %s\n", number, f.Row.Line, f.Row.Name, f.Row.Duration.Text, kg)
	switch {
	case f.Row.EnergyKWh == nil && f.Row.Emissions.Text == "":
		fmt.Fprintf(b, "  no mean power follows from it\n")
	case f.Row.EnergyKWh != nil:
		fmt.Fprintf(b, "  implied mean power: %s by its stated %s kWh\n", f.Watts, f.Row.EnergyKWh.Text)
	case len(f.AtFactors) > 0:
		for _, a := range f.AtFactors {
			fmt.Fprintf(b, "  implied mean power: %s W at %g g/kWh (%s %d, %s)\n", digits(a.Watts), a.Factor.GPerKWh, a.Factor.ISO3, a.Factor.Year, a.Factor.Source)
		}
	default:
		fmt.Fprintf(b, "  implied mean power: %s by the world's range of factors, since no country is stated\n", f.Watts)
	}
	if f.Assumed {
		fmt.Fprintf(b, "  %s\n", assumed)
	} else if f.Factor != 0 && len(f.Implausible) == 0 {
		fmt.Fprintf(b, "  its rate is %.3g times the other rows'\n", f.Factor)
	}
	for _, c := range f.Constants {
		fmt.Fprintf(b, "  %s\n", c)
	}
	for _, why := range f.Implausible {
		fmt.Fprintf(b, "  IMPLAUSIBLE: %s\n", why)
	}
}

func (g Group) write(b *strings.Builder) {
	numbers := make([]string, len(g.Rows))
	for i, k := range g.Rows {
		numbers[i] = fmt.Sprint(k + 1)
	}
	list := numbers[0]
	if n := len(numbers); n > 1 {
		list = strings.Join(numbers[:n-1], ", ") + " and " + numbers[n-1]
	}
	fmt.Fprintf(b, "\nrows %s: assumed, not measured: emissions = %s kg/s × duration to the printed digits\n", list, g.Rate.format("%.5g"))
	if len(g.Combinations) == 0 {
		fmt.Fprintf(b, "  no constant power of CodeCarbon's with a known factor reproduces them; the product of power and factor is %s W·g/kWh\n",
			span{g.Rate.lo * wattsPer, g.Rate.hi * wattsPer}.format("%.5g"))
		for _, p := range g.Stated {
			fmt.Fprintf(b, "  at %g W (%s + %s) the digits allow a factor of %s g/kWh, which is none that is known for it\n", p.watts(), p.CPU, p.RAM, g.factor(p.watts()))
		}
		return
	}
	for i, c := range g.Combinations {
		if i == listed {
			fmt.Fprintf(b, "  and %d further combinations that these digits cannot tell apart\n", len(g.Combinations)-listed)
			break
		}
		fmt.Fprintf(b, "  rows %s = %g W × %g g/kWh: (%s + %s) at %s %d, %s\n", list, c.watts(), c.Factor.GPerKWh, c.CPU, c.RAM, c.Factor.ISO3, c.Factor.Year, c.Factor.Source)
	}
	w := g.Combinations[0].watts()
	fmt.Fprintf(b, "  at %g W the digits allow a factor of %s g/kWh\n", w, g.factor(w))
}

// factor is the carbon factor in g/kWh that the group's digits allow at a power.
func (g Group) factor(watts float64) string {
	return span{g.Rate.lo * wattsPer / watts, g.Rate.hi * wattsPer / watts}.format("%.5g")
}

func (s span) format(verb string) string {
	lo, hi := fmt.Sprintf(verb, s.lo), fmt.Sprintf(verb, s.hi)
	if lo == hi {
		return lo
	}
	return lo + " to " + hi
}

func (s span) String() string {
	if lo, hi := digits(s.lo), digits(s.hi); lo != hi {
		return lo + " to " + hi + " W"
	}
	return digits(s.lo) + " W"
}

// digits prints watts to a hundredth below ten, a tenth above, and three
// digits beyond any machine's.
func digits(w float64) string {
	if w >= 1e6 {
		return fmt.Sprintf("%.3g", w)
	}
	if w < 10 {
		return fmt.Sprintf("%.2f", w)
	}
	return fmt.Sprintf("%.1f", w)
}

// three prints a factor above 1 to three digits, never as a power of ten
// before a million.
func three(factor float64) string {
	if factor >= 100 && factor < 1e6 {
		return fmt.Sprintf("%.0f", factor)
	}
	return fmt.Sprintf("%.3g", factor)
}
