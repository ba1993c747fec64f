// Package codecarbon gives CodeCarbon's users what they expect: its
// emissions.csv, and its constant mode as version 2.3 had it, for comparison
// with published work.
//
// Policy: the columns are CodeCarbon's, in its order and units. A figure that
// is not known is an empty field, never 0. The constant mode is an
// assumption and is called one.
package codecarbon

import (
	"encoding/csv"
	"io"
	"strconv"
	"time"
)

// Row is one tracked task: here, one model. Pointers are nil where a figure
// is not known.
type Row struct {
	Timestamp                           time.Time
	ProjectName, RunID, ExperimentID    string
	DurationS                           *float64
	EmissionsKg, EmissionsRateKgPerS    *float64
	CPUPowerW, GPUPowerW, RAMPowerW     *float64
	CPUEnergyKWh, GPUEnergyKWh          *float64
	RAMEnergyKWh, EnergyConsumedKWh     *float64
	WaterConsumedL                      *float64
	CountryName, CountryISOCode, Region string
	CloudProvider, CloudRegion          string
	OS, PythonVersion, Version          string
	CPUCount                            *int
	CPUModel                            string
	GPUCount                            *int
	GPUModel                            string
	Longitude, Latitude, RAMTotalGB     *float64
	TrackingMode                        string // machine or process
	CPUUtilizationPercent               *float64
	GPUUtilizationPercent               *float64
	RAMUtilizationPercent, RAMUsedGB    *float64
	OnCloud                             string // Y or N
	PUE, WUE                            *float64
}

// columns are CodeCarbon's, with the way each is written.
var columns = []struct {
	name  string
	value func(Row) string
}{
	{"timestamp", func(r Row) string { return stamp(r.Timestamp) }},
	{"project_name", func(r Row) string { return r.ProjectName }},
	{"run_id", func(r Row) string { return r.RunID }},
	{"experiment_id", func(r Row) string { return r.ExperimentID }},
	{"duration", func(r Row) string { return float(r.DurationS) }},
	{"emissions", func(r Row) string { return float(r.EmissionsKg) }},
	{"emissions_rate", func(r Row) string { return float(r.EmissionsRateKgPerS) }},
	{"cpu_power", func(r Row) string { return float(r.CPUPowerW) }},
	{"gpu_power", func(r Row) string { return float(r.GPUPowerW) }},
	{"ram_power", func(r Row) string { return float(r.RAMPowerW) }},
	{"cpu_energy", func(r Row) string { return float(r.CPUEnergyKWh) }},
	{"gpu_energy", func(r Row) string { return float(r.GPUEnergyKWh) }},
	{"ram_energy", func(r Row) string { return float(r.RAMEnergyKWh) }},
	{"energy_consumed", func(r Row) string { return float(r.EnergyConsumedKWh) }},
	{"water_consumed", func(r Row) string { return float(r.WaterConsumedL) }},
	{"country_name", func(r Row) string { return r.CountryName }},
	{"country_iso_code", func(r Row) string { return r.CountryISOCode }},
	{"region", func(r Row) string { return r.Region }},
	{"cloud_provider", func(r Row) string { return r.CloudProvider }},
	{"cloud_region", func(r Row) string { return r.CloudRegion }},
	{"os", func(r Row) string { return r.OS }},
	{"python_version", func(r Row) string { return r.PythonVersion }},
	{"codecarbon_version", func(r Row) string { return r.Version }},
	{"cpu_count", func(r Row) string { return whole(r.CPUCount) }},
	{"cpu_model", func(r Row) string { return r.CPUModel }},
	{"gpu_count", func(r Row) string { return whole(r.GPUCount) }},
	{"gpu_model", func(r Row) string { return r.GPUModel }},
	{"longitude", func(r Row) string { return float(r.Longitude) }},
	{"latitude", func(r Row) string { return float(r.Latitude) }},
	{"ram_total_size", func(r Row) string { return float(r.RAMTotalGB) }},
	{"tracking_mode", func(r Row) string { return r.TrackingMode }},
	{"cpu_utilization_percent", func(r Row) string { return float(r.CPUUtilizationPercent) }},
	{"gpu_utilization_percent", func(r Row) string { return float(r.GPUUtilizationPercent) }},
	{"ram_utilization_percent", func(r Row) string { return float(r.RAMUtilizationPercent) }},
	{"ram_used_gb", func(r Row) string { return float(r.RAMUsedGB) }},
	{"on_cloud", func(r Row) string { return r.OnCloud }},
	{"pue", func(r Row) string { return float(r.PUE) }},
	{"wue", func(r Row) string { return float(r.WUE) }},
}

// stamp is CodeCarbon's form: local time to the second, without a zone.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02T15:04:05")
}

func float(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'g', -1, 64)
}

func whole(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

// WriteCSV writes the header and the rows.
func WriteCSV(w io.Writer, rows []Row) error {
	out := csv.NewWriter(w)
	record := make([]string, len(columns))
	for i, c := range columns {
		record[i] = c.name
	}
	if err := out.Write(record); err != nil {
		return err
	}
	for _, row := range rows {
		for i, c := range columns {
			record[i] = c.value(row)
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
