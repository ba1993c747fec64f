package files

import (
	"context"
	"io"
	"strings"

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
	row.CPUEnergyKWh, row.CPUPowerW = sumZones(m, func(z string) bool { return !isMemory(z) && !isGPU(z) })
	row.GPUEnergyKWh, row.GPUPowerW = sumZones(m, isGPU)
	row.RAMEnergyKWh, row.RAMPowerW = sumZones(m, isMemory)
	return row
}

func isMemory(zone string) bool {
	return strings.Contains(zone, "dram") || strings.Contains(zone, "memory")
}

func isGPU(zone string) bool { return strings.Contains(zone, "gpu") }

// sumZones adds up the counted zones of one kind; nil where there is none.
func sumZones(m reports.Model, kind func(string) bool) (kwh, watts *float64) {
	var sum emissions.Energy
	found := false
	for _, z := range m.Energy.Zones {
		if z.Counted && kind(strings.ToLower(z.Name)) {
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
