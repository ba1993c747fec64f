package cli

import (
	"bytes"
	"strings"
	"testing"
)

func TestAudit(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		code     int
		says     []string
	}{
		{"published", "", exitRegression, []string{"rows 1 and 3 = 72.5 W × 501.7 g/kWh", "about 212", "0.34 W", "assumed, not measured"}},
		{"-", "name,duration_s,emissions_kg\na,1,b\n", exitUsage, []string{"audit standard input: line 2"}},
		{"-", "name,duration_s,emissions_kg,country\na,100,0.00150,DEU\n", exitDone, []string{"No row is implausible"}},
		{"-", "timestamp,project_name,duration,emissions,energy_consumed,country_iso_code\nt,p,3600,0.0554,0.1,AUS\n", exitDone, []string{"No row is implausible", "50.0 to 150.0 W"}},
		{"nowhere.csv", "", exitUsage, []string{"nowhere.csv", "emissions.csv"}},
	} {
		var out, messages bytes.Buffer
		if code := run(t.Context(), []string{"audit", tt.name}, strings.NewReader(tt.in), &out, &messages); code != tt.code {
			t.Errorf("%s: exit code %d, want %d: %s", tt.name, code, tt.code, messages.String())
		}
		for _, want := range tt.says {
			if !strings.Contains(out.String()+messages.String(), want) {
				t.Errorf("%s: no %q in\n%s%s", tt.name, want, out.String(), messages.String())
			}
		}
	}
}
