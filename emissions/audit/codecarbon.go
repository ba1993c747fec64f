package audit

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disteval/disteval/emissions/codecarbon"
)

// What CodeCarbon's emissions.csv has beside a table of ours. Its columns
// differ from version to version: those that are not read are let pass.
const (
	ccProject  = "project_name"
	ccModel    = "experiment_id" // in disteval's own, the model
	ccTime     = "timestamp"
	ccDuration = "duration"
	ccKg       = "emissions"
	ccKWh      = "energy_consumed"
	ccVersion  = "codecarbon_version"
)

// ours is how codecarbon_version begins in a file that disteval wrote.
const ours = "disteval "

// isCodeCarbon tells whether a header is that of an emissions.csv.
func isCodeCarbon(header []string) bool {
	has := func(name string) bool { return slices.Contains(header, name) }
	return has(ccDuration) && has(ccKg) && (has(ccProject) || has(ccKWh) || has(ccVersion))
}

// Parts is what CodeCarbon states of a row's parts, in its units; nil where it
// states nothing. Its energies are the data centre's, PUE included.
type Parts struct {
	CPUW, GPUW, RAMW       *float64
	CPUKWh, GPUKWh, RAMKWh *float64
	TotalKWh, Kg           *float64
	GPU                    string  // model
	PUE                    float64 // 1 where it states none
	Version                string  // of what wrote the file
}

// errNothing is a row without figures: a run that was not metered.
var errNothing = errors.New("neither emissions nor energy")

// codeCarbonRow reads one row. Impossible figures are for the audit to find,
// not for the reader to refuse.
func codeCarbonRow(header, record []string, lookup Lookup) (Row, error) {
	value := func(column string) string {
		if i := slices.Index(header, column); i >= 0 && i < len(record) {
			return strings.TrimSpace(record[i])
		}
		return ""
	}
	row := partsOf(value)
	p := row.Parts
	row.Name = cmp.Or(value(ccProject), "unnamed")
	if strings.HasPrefix(p.Version, ours) {
		row.Name = cmp.Or(value(ccModel), row.Name)
	}
	if f, err := lookup(value("country_iso_code")); err == nil {
		row.Country = f.ISO3
	}
	if p.Kg == nil && p.TotalKWh == nil {
		return row, errNothing
	}
	for _, column := range []struct {
		name, as string
		stated   *float64 // what is negative is not a figure to go on with
	}{{ccDuration, "duration_s", new(float64)}, {ccKg, "emissions_kg", p.Kg}, {ccKWh, "energy_kwh", p.TotalKWh}} {
		if column.stated == nil || *column.stated < 0 {
			continue
		}
		if err := row.set(column.as, value(column.name), lookup); err != nil {
			return row, fmt.Errorf("%s: %w", column.name, err)
		}
	}
	return row, nil
}

// partsOf reads what a row states of its parts; what is no number is not
// stated.
func partsOf(value func(column string) string) Row {
	var row Row
	p := &Parts{GPU: value("gpu_model"), Version: value(ccVersion), PUE: 1}
	for column, to := range map[string]**float64{
		"cpu_power": &p.CPUW, "gpu_power": &p.GPUW, "ram_power": &p.RAMW, "cpu_energy": &p.CPUKWh, "gpu_energy": &p.GPUKWh,
		"ram_energy": &p.RAMKWh, ccKWh: &p.TotalKWh, ccKg: &p.Kg, "ram_total_size": &row.RAMGB,
	} {
		if v, err := strconv.ParseFloat(value(column), 64); err == nil && !math.IsNaN(v) && math.Abs(v) <= most {
			*to = &v
		}
	}
	if v, err := strconv.ParseFloat(value("pue"), 64); err == nil && v >= 1 && v <= 10 {
		p.PUE = v
	}
	row.Parts = p
	return row
}

// distinct gives a row another name where an earlier one has it: projects are
// tracked again and again.
func distinct(rows []Row, name, stamp string) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(rows, func(r Row) bool { return r.Name == name })
	}
	if !taken(name) {
		return name
	}
	if t, err := time.Parse("2006-01-02T15:04:05", stamp); err == nil && !taken(name+" "+t.Format(time.DateTime)) {
		return name + " " + t.Format(time.DateTime)
	}
	for n := 2; ; n++ {
		if next := fmt.Sprintf("%s #%d", name, n); !taken(next) {
			return next
		}
	}
}

// maxCPUW is more than the processors of one machine draw: eight of 400 W.
const maxCPUW = 3200.0

// implausible says what cannot be in the parts of a row.
func (p *Parts) implausible(row Row) []string {
	var out []string
	for _, part := range []struct {
		name  string
		value *float64
	}{
		{"the processor's energy", p.CPUKWh}, {"the accelerator's energy", p.GPUKWh}, {"the memory's energy", p.RAMKWh},
		{"the energy", p.TotalKWh}, {"the emission", p.Kg}, {"the processor's power", p.CPUW}, {"the accelerator's power", p.GPUW}, {"the memory's power", p.RAMW},
	} {
		if part.value != nil && *part.value < 0 {
			out = append(out, fmt.Sprintf("%s is negative (%g): a counter that wrapped or was reset was read wrongly", part.name, *part.value))
		}
	}
	if p.CPUKWh != nil {
		if w := *p.CPUKWh * 3.6e6 / row.Duration.Value; w > maxCPUW {
			out = append(out, fmt.Sprintf("its processors' energy implies %s W, more than those of one machine draw: a failed read that counts as 0 adds a counter's whole range, some 0.07 kWh", digits(w)))
		}
	}
	if sum, ok := p.sum(); ok && p.TotalKWh != nil && math.Abs(sum-*p.TotalKWh) > 0.02*math.Max(sum, *p.TotalKWh)+2e-6 {
		out = append(out, fmt.Sprintf("its parts add up to %.4g kWh and its energy is %.4g", sum, *p.TotalKWh))
	}
	if p.GPU != "" && p.GPUKWh != nil && *p.GPUKWh == 0 {
		out = append(out, fmt.Sprintf("it lists an accelerator (%s) whose energy is 0: it was not read", p.GPU))
	}
	return out
}

func (p *Parts) sum() (kwh float64, ok bool) {
	for _, part := range []*float64{p.CPUKWh, p.GPUKWh, p.RAMKWh} {
		if part != nil {
			kwh, ok = kwh+*part, true
		}
	}
	return kwh, ok
}

// assumed says which of the parts are constants that nobody measured.
func (p *Parts) assumed(row Row) []string {
	var out []string
	if p.CPUW != nil && constant(*p.CPUW, p.CPUKWh, row, p.PUE) && *p.CPUW == codecarbon.DefaultTDPW*codecarbon.CPUShare {
		out = append(out, fmt.Sprintf("the processor's %g W is half of CodeCarbon's default of %g W: assumed, not measured", *p.CPUW, codecarbon.DefaultTDPW))
	}
	if p.RAMW != nil && row.RAMGB != nil && *row.RAMGB > 0 && near(*p.RAMW, *row.RAMGB*codecarbon.RAMWPerGB, 0.005) {
		out = append(out, fmt.Sprintf("the memory's %.4g W is 3/8 W × %.4g GB: assumed, not measured", *p.RAMW, *row.RAMGB))
	} else if p.RAMW != nil && *p.RAMW > 0 && constant(*p.RAMW, p.RAMKWh, row, p.PUE) && !strings.HasPrefix(p.Version, ours) {
		out = append(out, fmt.Sprintf("the memory's %.4g W is a constant: assumed from its size, not measured", *p.RAMW))
	}
	return out
}

// constant tells whether an energy is a power times the duration.
func constant(w float64, kwh *float64, row Row, pue float64) bool {
	return kwh != nil && near(*kwh*3.6e6, w*row.Duration.Value*pue, 0.02)
}

func near(a, b, relative float64) bool { return math.Abs(a-b) <= relative*math.Abs(b) }
