package emissions

// CarbonFactor is what a kilowatt-hour of a grid's electricity emits.
type CarbonFactor struct {
	GPerKWh float64 `json:"g_per_kwh"` // gCO2e/kWh, life cycle unless Source says otherwise
	ISO3    string  `json:"iso3"`      // ISO 3166-1 alpha-3; empty for a factor the user stated
	Country string  `json:"country"`   // English name
	Year    int     `json:"year"`      // year of the data; 0 where the source does not say
	Source  string  `json:"source"`    // who says so
}

// KgCO2e returns the emissions of e in kilograms of CO2 equivalent. pue is
// the data centre's power usage effectiveness, total energy over the energy
// of its computers: 1 for a computer that needs no building around it.
func KgCO2e(e Energy, pue float64, f CarbonFactor) float64 {
	return e.WattHours() / 1000 * pue * f.GPerKWh / 1000
}
