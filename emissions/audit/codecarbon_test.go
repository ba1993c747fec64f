package audit

import (
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions/codecarbon"
)

const ccHeader = "timestamp,project_name,duration,emissions,cpu_power,gpu_power,ram_power,cpu_energy,gpu_energy,ram_energy,energy_consumed,country_iso_code,codecarbon_version,ram_total_size,gpu_model,pue"

func TestCodeCarbon(t *testing.T) {
	const constant = "2024-10-02T10:00:00,student,77.12,0.000779,42.5,0.0,30.0,0.000910,0,0.000643,0.001553,AUS,2.7.1,80.0,,1.0"
	tests := []struct {
		name        string
		rows        []string
		says        string
		implausible bool
	}{
		{"constant mode", []string{constant}, "the processor's 42.5 W is half of CodeCarbon's default of 85 W", false},
		{"constant mode's memory", []string{constant}, "the memory's 30 W is 3/8 W × 80 GB", false},
		{"the same project twice", []string{constant, strings.Replace(constant, "T10:00", "T11:30", 1)}, `"student 2024-10-02 11:30:00"`, false},
		{"the same project at the same time", []string{constant, constant, constant}, `"student #2"`, false},
		{"counters", []string{"t,p,60,0.001,95.1,0,10,0.00158,0,0.000167,0.001747,AUS,3.0.2,32,,1"}, "the memory's 10 W is a constant", false},
		{"a wrap without a range", []string{"t,p,60,-0.04,-4300,0,10,-0.0717,0,0.000167,-0.0715,AUS,2.3.0,32,,1"}, "the processor's energy is negative", true},
		{"a failed read taken for 0", []string{"t,p,60,0.0409,100,0,10,0.0738,0,0.000167,0.073967,AUS,2.3.0,32,,1"}, "more than those of one machine draw", true},
		{"parts that do not add up", []string{"t,p,60,0.005,95,0,10,0.00158,0,0.000167,0.01,AUS,2.3.0,32,,1"}, "its parts add up to 0.001747 kWh", true},
		{"a GPU that was not read", []string{"t,p,60,0.00097,95,0,10,0.00158,0,0.000167,0.001747,AUS,2.3.0,32,1 x A100,1"}, "(1 x A100) whose energy is 0", true},
		{"no grid's factor", []string{"t,p,60,0.5,95,0,10,0.00158,0,0.000167,0.001747,AUS,2.3.0,32,,1"}, "no grid's factor", true},
		{"a data centre's overhead", []string{"t,p,3600,0.15,95,0,5,0.095,0,0.005,0.1,AUS,disteval 1.0,32,,2.5"}, "No row is implausible", false},
		{"no country of ours", []string{"t,p,3600,0.05,95,0,5,0.095,0,0.005,0.1,,2.3.0,32,,1"}, "No row is implausible", false},
		{"energy alone", []string{"t,p,3600,,95,0,5,0.095,0,0.005,0.1,,disteval 1.0,32,,1"}, "emissions not stated", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := analyse(t, ccHeader+"\n"+strings.Join(tt.rows, "\n")+"\n")
			var out strings.Builder
			if err := r.Write(&out, "emissions.csv"); err != nil {
				t.Fatal(err)
			}
			if r.Implausible() != tt.implausible || !strings.Contains(out.String(), tt.says) {
				t.Errorf("implausible %v, want %v and %q in\n%s", r.Implausible(), tt.implausible, tt.says, out.String())
			}
		})
	}
}

// Rows of one assumed power show as such by their printed digits.
func TestCodeCarbonGroup(t *testing.T) {
	r := analyse(t, ccHeader+`
2024-10-02T10:00:00,a,77.12,0.000779,42.5,0.0,30.0,0.000910,0,0.000643,0.001553,AUS,2.7.1,80.0,,1.0
2024-10-02T11:00:00,b,57.20,0.000578,42.5,0.0,30.0,0.000675,0,0.000477,0.001152,AUS,2.7.1,80.0,,1.0
`)
	if r.Implausible() || !r.Findings[0].Assumed || len(r.Groups) != 1 || r.Groups[0].Combinations[0].watts() != 72.5 {
		t.Errorf("%+v", r)
	}
}

// What disteval writes, audit reads: by model, without those that were not metered.
func TestOurOwn(t *testing.T) {
	seconds, kwh, kg, pue := 3600.0, 0.1, 0.0554, 1.0
	rows := []codecarbon.Row{
		{Timestamp: time.Now(), ProjectName: "disteval", ExperimentID: "teacher", DurationS: &seconds, EmissionsKg: &kg, EnergyConsumedKWh: &kwh,
			CPUEnergyKWh: &kwh, CountryISOCode: "AUS", Version: "disteval 1.0", PUE: &pue},
		{ProjectName: "disteval", ExperimentID: "unmetered", DurationS: &seconds, Version: "disteval 1.0"},
	}
	var csv strings.Builder
	if err := codecarbon.WriteCSV(&csv, rows); err != nil {
		t.Fatal(err)
	}
	r := analyse(t, csv.String())
	if len(r.Findings) != 1 || r.Findings[0].Row.Name != "teacher" || r.Implausible() || len(r.Findings[0].Constants) > 0 {
		t.Errorf("%+v", r)
	}
	csv.Reset()
	if err := codecarbon.WriteCSV(&csv, rows[1:]); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(strings.NewReader(csv.String()), lookup); err == nil || !strings.Contains(err.Error(), "nothing was metered") {
		t.Errorf("%v", err)
	}
}
