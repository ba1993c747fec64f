package codecarbon

import (
	"encoding/csv"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions"
)

const header = "timestamp,project_name,run_id,experiment_id,duration,emissions,emissions_rate,cpu_power,gpu_power,ram_power,cpu_energy,gpu_energy,ram_energy,energy_consumed,water_consumed,country_name,country_iso_code,region,cloud_provider,cloud_region,os,python_version,codecarbon_version,cpu_count,cpu_model,gpu_count,gpu_model,longitude,latitude,ram_total_size,tracking_mode,cpu_utilization_percent,gpu_utilization_percent,ram_utilization_percent,ram_used_gb,on_cloud,pue,wue"

func TestWriteCSV(t *testing.T) {
	duration, cpus := 77.12, 32
	rows := []Row{{Timestamp: time.Date(2024, 10, 5, 1, 2, 3, 0, time.UTC), ProjectName: "a,b", DurationS: &duration, CPUCount: &cpus}}
	var out strings.Builder
	if err := WriteCSV(&out, rows); err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil || len(records) != 2 {
		t.Fatal(records, err)
	}
	if got := strings.Join(records[0], ","); got != header || len(records[0]) != 38 {
		t.Errorf("header %s", got)
	}
	want := "2024-10-05T01:02:03|a,b|||77.12" + strings.Repeat("|", 19) + "32" + strings.Repeat("|", 14)
	if got := strings.Join(records[1], "|"); got != want {
		t.Errorf("row\n%s\nwant\n%s", got, want)
	}
}

// The published table's rows 1 and 3: 85 W × 0.5 + 80 GB × 3/8 W = 72.5 W.
func TestConstantMode(t *testing.T) {
	m := NewMeter(0, 80)
	from := time.Now()
	to := from.Add(77120 * time.Millisecond)
	r := m.Read(from, to)
	if want := 72.5 * 77.12; math.Abs(r.Energy.Joules()-want) > 1e-3 || r.Quality != emissions.Estimated || r.Method != Method || len(r.Warnings) == 0 {
		t.Errorf("%.3f J, want %.3f: %+v", r.Energy.Joules(), want, r)
	}
	kg := emissions.KgCO2e(r.Energy, 1, emissions.CarbonFactor{GPerKWh: 501.7})
	if math.Abs(kg-7.79e-4) > 0.005e-4 {
		t.Errorf("%.4g kg, published 7.79e-4", kg)
	}
	if cpu, _ := ConstantW(200, 0); cpu != 100 {
		t.Errorf("cpu %v W of a TDP of 200", cpu)
	}
	if !(r.Low < r.Energy && r.Energy < r.High) {
		t.Error("no bounds")
	}
}
