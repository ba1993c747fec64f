package eval

import (
	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/grid"
)

// Factor is the carbon factor that the plan asks for; nil where it names none.
func (e Emissions) Factor() (*emissions.CarbonFactor, error) {
	if e.CarbonIntensity > 0 {
		return &emissions.CarbonFactor{GPerKWh: e.CarbonIntensity, Source: e.CarbonSource}, nil
	}
	if e.Country == "" {
		return nil, nil
	}
	f, err := grid.Lookup(e.Country)
	if err != nil {
		return nil, BadInput(err, "set emissions.country (or --country) to an ISO code such as AUS, or state carbon_intensity_g_per_kwh with its source")
	}
	return &f, nil
}
