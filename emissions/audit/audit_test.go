package audit

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disteval/disteval/emissions"
)

var update = flag.Bool("update", false, "write the golden files")

func lookup(country string) (emissions.CarbonFactor, error) {
	for _, f := range testFactors {
		if f.ISO3 == country {
			return f, nil
		}
	}
	return emissions.CarbonFactor{}, fmt.Errorf("no carbon factor for country %q", country)
}

var testFactors = Factors{
	{GPerKWh: 553.76, ISO3: "AUS", Country: "Australia", Year: 2024, Source: "Ember"},
	{GPerKWh: 44.18, ISO3: "FRA", Country: "France", Year: 2024, Source: "Ember"},
	{GPerKWh: 342.06, ISO3: "DEU", Country: "Germany", Year: 2024, Source: "Ember"},
	{GPerKWh: 1306.3, ISO3: "TKM", Country: "Turkmenistan", Year: 2024, Source: "Ember"},
}

func analyse(t *testing.T, table string) Report {
	t.Helper()
	rows, err := Parse(strings.NewReader(table), lookup)
	if err != nil {
		t.Fatal(err)
	}
	return Analyse(rows, testFactors)
}

func TestPublished(t *testing.T) {
	rows, err := Parse(Published(), lookup)
	if err != nil {
		t.Fatal(err)
	}
	r := Analyse(rows, testFactors)
	var out strings.Builder
	if err := r.Write(&out, "published"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"rows 1 and 3 = 72.5 W × 501.7 g/kWh", "low by a factor of about 212", "0.34 W at 501.7 g/kWh", "1 of 4 rows implausible"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, out.String())
		}
	}
	if !r.Findings[0].Assumed || r.Findings[1].Assumed || !r.Findings[2].Assumed {
		t.Errorf("assumed: %+v", r.Findings)
	}
	golden := filepath.Join("testdata", "published.txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != out.String() {
		t.Errorf("%v, got:\n%s", err, out.String())
	}
}

func TestAnalyse(t *testing.T) {
	// 100 W + 32 GB × 3/8 W = 112 W in France: 112*44.18/3.6e9 = 1.37449e-6 kg/s
	const k = 112 * 44.18 / 3.6e9
	tests := []struct {
		name        string
		table       string
		implausible string // line numbers
		assumed     string
		watts       float64 // of the best combination, 0 for none
	}{
		{"constant with a TDP", fmt.Sprintf("name,duration_s,emissions_kg,country,cpu_tdp_w,ram_gb\na,100,%.4g,FRA,200,32\nb,777.5,%.4g,FRA,200,32\nc,3600,%.5g,FRA,200,32\n", 100*k, 777.5*k, 3600*k), "", "2 3 4", 112},
		{"constant, one high", fmt.Sprintf("name,duration_s,emissions_kg,country,cpu_tdp_w,ram_gb\na,100,%.4g,FRA,200,32\nb,777.5,%.4g,FRA,200,32\nc,3600,%.5g,FRA,200,32\n", 100*k, 777.5*k*300, 3600*k), "3", "2 4", 112},
		{"measured", "name,duration_s,emissions_kg,country\na,100,0.00150,AUS\nb,900,0.0112,AUS\nc,50,0.00071,AUS\n", "", "", 0},
		{"measured, one a thousandth", "name,duration_s,emissions_kg\na,100,0.00150\nb,900,0.0000112\nc,50,0.00071\n", "3", "", 0},
		{"measured, one a thousandfold", "name,duration_s,emissions_kg\na,100,0.00150\nb,900,11.2\nc,50,0.00071\n", "3", "", 0},
		{"two rows, one a hundredth", "name,duration_s,emissions_kg\na,100,0.00150\nb,900,0.000112\n", "3", "", 0},
		{"two rows, one impossible", "name,duration_s,emissions_kg,country\na,100,0.00150,AUS\nb,900,1120,AUS\n", "3", "", 0},
		{"a spreadsheet's", "\ufeff\"name\",\"duration_s\",\"emissions_kg\"\r\n\"a\",\"100\",\"0.00150\"\r\n", "", "", 0},
		{"too little for a machine", "name,duration_s,emissions_kg,country\na,100,1.5e-9,AUS\n", "2", "", 0},
		{"too much for a machine", "name,duration_s,emissions_kg,country\na,100,15,AUS\n", "2", "", 0},
		{"zero", "name,duration_s,emissions_kg\na,100,0.0\nb,10,0.0001\n", "2", "", 0},
		{"published, bare", "name,duration_s,emissions_kg\na,18215.61,1.84e-01\nb,57.20,2.73e-06\nc,77.12,7.79e-04\n", "3", "2 4", 72.5},
		{"energy against emissions", "name,duration_s,emissions_kg,country,energy_kwh\na,3600,0.05,FRA,0.100\nb,3600,0.0044,FRA,0.100\n", "2", "", 0},
		{"same duration says nothing", "name,duration_s,emissions_kg,country\na,100,0.00150,AUS\nb,100,0.00150,AUS\n", "", "", 0},
		{"different countries, same machine", "name,duration_s,emissions_kg,country\na,100,0.00154,AUS\nb,110,0.000131,FRA\nc,150,0.00551,TKM\n", "", "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := analyse(t, tt.table)
			var bad, assumed []string
			for _, f := range r.Findings {
				if len(f.Implausible) > 0 {
					bad = append(bad, fmt.Sprint(f.Row.Line))
				}
				if f.Assumed {
					assumed = append(assumed, fmt.Sprint(f.Row.Line))
				}
			}
			if got := strings.Join(bad, " "); got != tt.implausible || r.Implausible() != (got != "") {
				t.Errorf("implausible lines %q, want %q: %+v", got, tt.implausible, r.Findings)
			}
			if got := strings.Join(assumed, " "); got != tt.assumed {
				t.Errorf("assumed lines %q, want %q", got, tt.assumed)
			}
			if tt.watts > 0 && (len(r.Groups) == 0 || len(r.Groups[0].Combinations) == 0 || math.Abs(r.Groups[0].Combinations[0].watts()-tt.watts) > 1e-9) {
				t.Errorf("combinations %+v, want %v W", r.Groups, tt.watts)
			}
		})
	}
}

// A constant whose factor is not known shows by which factor it came about.
func TestUnknownFactor(t *testing.T) {
	const k = 66.5 * 58.5 / 3.6e9
	var out strings.Builder
	r := analyse(t, fmt.Sprintf("name,duration_s,emissions_kg,country,ram_gb\na,100,%.4g,FRA,64\nb,777.5,%.4g,FRA,64\n", 100*k, 777.5*k))
	if err := r.Write(&out, "x"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"assumed, not measured", "no constant power", "at 66.5 W (85 W × 0.5 + 64 GB × 3/8 W) the digits allow a factor of 58."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestMalformed(t *testing.T) {
	const h = "name,duration_s,emissions_kg"
	tests := []struct {
		table string
		line  int
		says  string
	}{
		{"", 1, "no header"},
		{h + "\n", 1, "no rows"},
		{"name,duration_s\n", 1, "emissions_kg is missing"},
		{h + ",watts\n", 1, `unknown column "watts"`},
		{h + ",name\n", 1, "twice"},
		{h + "\na,1,2\nb,x,2\n", 3, "not a decimal number"},
		{h + "\na,1,2,3\n", 2, "wrong number of fields"},
		{h + "\na,0,2\n", 2, "is 0"},
		{h + "\na,-1,2\n", 2, "negative"},
		{h + "\na,NaN,2\n", 2, "not a decimal number"},
		{h + "\na,1,0x1p-2\n", 2, "not a decimal number"},
		{h + "\na,1,1e999\n", 2, "not a decimal number"},
		{h + "\n\na,1,\n", 3, "is empty"},
		{h + "\na,1,2\na,2,3\n", 3, "on line 2 already"},
		{h + ",country\na,1,2,Atlantis\n", 2, "Atlantis"},
		{h + "\n\"a,1,2\n", 2, `"`},
	}
	for _, tt := range tests {
		_, err := Parse(strings.NewReader(tt.table), lookup)
		var in *InputError
		if !errors.As(err, &in) || in.Line != tt.line || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: %v, want line %d and %q", tt.table, err, tt.line, tt.says)
		}
	}
}

func TestPrinted(t *testing.T) {
	for text, half := range map[string]float64{"1.84e-01": 0.0005, "18215.61": 0.005, "77": 0.5, "2.73E-6": 5e-9, "1e3": 500} {
		p, err := parsePrinted(text)
		if err != nil || math.Abs(p.Half/half-1) > 1e-9 {
			t.Errorf("%s: half a digit is %v, want %v, %v", text, p.Half, half, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("name,duration_s,emissions_kg\na,1,2\nb,3,4e-5\n")
	f.Add(ccHeader + "\n2024-10-02T10:00:00,p,77.12,0.000779,42.5,0,30,0.00091,0,0.000643,0.001553,AUS,2.7.1,80,,1.0\n")
	f.Add("duration,emissions,energy_consumed\n1e-5,-1,1e15\n3,,\n")
	f.Add("name,duration_s,emissions_kg,country,energy_kwh,cpu_tdp_w,ram_gb\na,1,2,AUS,0,0,0\n")
	f.Fuzz(func(t *testing.T, table string) {
		rows, err := Parse(strings.NewReader(table), lookup)
		if err != nil {
			var in *InputError
			if !errors.As(err, &in) {
				t.Errorf("%v is no InputError", err)
			}
			return
		}
		var out strings.Builder
		if err := Analyse(rows, testFactors).Write(&out, "x"); err != nil || strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "Inf W") {
			t.Errorf("%v\n%s", err, out.String())
		}
	})
}
