// Package grid knows what a kilowatt-hour of each country's electricity
// emits.
//
// Policy: a factor carries its year and its source, and a country that is not
// in the table is an error with the nearest names, never a world average.
package grid

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/agnivade/levenshtein"

	"github.com/disteval/disteval/emissions"
)

//go:generate go run gen.go ../../node_modules/@tgwf/co2

//go:embed factors.tsv
var table string

const (
	// year is that of the newest of Ember's yearly figures in the package,
	// whose table has the latest year of each country and does not say which.
	year   = 2024
	source = "Ember, yearly electricity data, latest year of each country (2024 or the last before it), as npm @tgwf/co2 0.19.0 carries it; CC BY-SA 4.0"
)

type entry struct {
	alpha2 string
	factor emissions.CarbonFactor
}

var entries = sync.OnceValue(func() []entry {
	var all []entry
	for line := range strings.Lines(table) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		g, err := strconv.ParseFloat(f[3], 64)
		if err != nil {
			panic(err) // the table is embedded and tested
		}
		all = append(all, entry{f[1], emissions.CarbonFactor{GPerKWh: g, ISO3: f[0], Country: f[2], Year: year, Source: source}})
	}
	return all
})

// All returns every factor, by code.
func All() []emissions.CarbonFactor {
	var all []emissions.CarbonFactor
	for _, e := range entries() {
		all = append(all, e.factor)
	}
	return all
}

// Lookup returns the factor of a country by its ISO 3166-1 code of three or
// two letters or a name that people give it, in any case; regions such as
// WORLD and EU have factors too. A name of several countries is refused.
func Lookup(country string) (emissions.CarbonFactor, error) {
	key := strings.TrimSpace(country)
	for _, e := range entries() {
		if strings.EqualFold(key, e.factor.ISO3) || strings.EqualFold(key, e.factor.Country) || key != "" && strings.EqualFold(key, e.alpha2) {
			return stated(e.factor)
		}
	}
	if code := codeOf(key); code != "" {
		if i := slices.IndexFunc(entries(), func(e entry) bool { return e.alpha2 == code || e.factor.ISO3 == code }); i >= 0 {
			return stated(entries()[i].factor)
		}
	}
	return emissions.CarbonFactor{}, fmt.Errorf("no carbon factor for country %q: the nearest are %s; use an ISO 3166-1 code or set carbon_intensity_g_per_kwh with its source",
		country, strings.Join(nearest(key), ", "))
}

// stated refuses a factor of 0: a life-cycle figure cannot be, so that it
// stands for a figure that the source does not have.
func stated(f emissions.CarbonFactor) (emissions.CarbonFactor, error) {
	if f.GPerKWh == 0 {
		return emissions.CarbonFactor{}, fmt.Errorf("the carbon factor of %s (%s) is 0 in the source, which is not a figure: set carbon_intensity_g_per_kwh with its source", f.ISO3, f.Country)
	}
	return f, nil
}

// nearest returns the three countries whose code or name is most alike, those
// first that an unclear name may mean.
func nearest(key string) []string {
	may := meant(key)
	key = strings.ToLower(key)
	if r := []rune(key); len(r) > 60 {
		key = string(r[:60])
	}
	distance := func(e entry) int {
		if i := slices.Index(may, e.alpha2); i >= 0 {
			return i - len(may)
		}
		name := strings.ToLower(e.factor.Country)
		d := min(levenshtein.ComputeDistance(key, name), levenshtein.ComputeDistance(key, strings.ToLower(e.factor.ISO3)))
		if len(key) > 2 && strings.Contains(name, key) || strings.Contains(" "+key+" ", " "+name+" ") {
			return min(d, 1)
		}
		return d
	}
	sorted := slices.Clone(entries())
	slices.SortStableFunc(sorted, func(a, b entry) int { return cmp.Compare(distance(a), distance(b)) })
	var names []string
	for _, e := range sorted[:3] {
		names = append(names, fmt.Sprintf("%s (%s)", e.factor.ISO3, e.factor.Country))
	}
	return names
}
