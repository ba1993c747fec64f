package files

import (
	"context"
	"io"
	"slices"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/emissions/codecarbon"
	"github.com/disteval/disteval/reports"
)

// writeEmissions writes a row a model with CodeCarbon's columns.
func writeEmissions(_ context.Context, w io.Writer, r reports.Report) error {
	rows := make([]codecarbon.Row, 0, len(r.Models))
	for _, m := range r.Models {
		rows = append(rows, emissionsRow(r, m))
	}
	return codecarbon.WriteCSV(w, rows)
}

func emissionsRow(r reports.Report, m reports.Model) codecarbon.Row {
	cpus, pue, ram := r.Host.CPUs, r.PUE, r.Host.MemoryGB
	row := codecarbon.Row{
		Timestamp: r.Created, ProjectName: "disteval", RunID: r.RunID, ExperimentID: reports.Cell(m.Model.Name),
		DurationS: m.DurationS, EmissionsKg: m.EmissionsKg, EmissionsRateKgPerS: quotient(m.EmissionsKg, m.DurationS),
		OS: r.Host.OS, Version: "disteval " + r.ToolVersion, CPUModel: reports.Cell(r.Host.CPUModel), CPUCount: &cpus,
		RAMTotalGB: &ram, TrackingMode: "machine", PUE: &pue,
	}
	if f := r.Factor; f != nil {
		row.CountryName, row.CountryISOCode = f.Country, f.ISO3
	}
	if m.Energy.Wh == nil {
		return row
	}
	kwh := *m.Energy.Wh / 1000
	row.EnergyConsumedKWh = &kwh
	row.CPUEnergyKWh, row.CPUPowerW = sumZones(m, emissions.CPU, emissions.Platform)
	row.GPUEnergyKWh, row.GPUPowerW = sumZones(m, emissions.GPU)
	row.RAMEnergyKWh, row.RAMPowerW = sumZones(m, emissions.Memory)
	return row
}

// sumZones adds up the counted zones of these kinds; nil where there is none.
func sumZones(m reports.Model, kinds ...emissions.Kind) (kwh, watts *float64) {
	var sum emissions.Energy
	found := false
	for _, z := range m.Energy.Zones {
		if z.Counted && slices.Contains(kinds, z.Kind) {
			sum, found = sum+z.Energy, true
		}
	}
	if !found {
		return nil, nil
	}
	k, j := sum.WattHours()/1000, sum.Joules()
	return &k, quotient(&j, m.DurationS)
}

func quotient(a, b *float64) *float64 {
	if a == nil || b == nil || *b <= 0 {
		return nil
	}
	v := *a / *b
	return &v
}
