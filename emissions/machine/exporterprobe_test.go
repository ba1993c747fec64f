package machine

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/disteval/disteval/emissions"
)

// A counter whose value is no count of joules is listed with what it shows, and
// nobody is promised that it is measured.
func TestProbeOfExporterWithBadCounter(t *testing.T) {
	for _, tt := range []struct {
		first, second string
		quality       emissions.Quality
	}{
		{"100", "200", emissions.Measured},
		{"100", "NaN", emissions.Partial},
		{"-5", "NaN", emissions.Unavailable},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "# TYPE node_rapl_package_joules_total counter\n"+
				"node_rapl_package_joules_total{index=\"0\",path=\"/sys/class/powercap/intel-rapl:0\"} %s\n"+
				"node_rapl_package_joules_total{index=\"1\",path=\"/sys/class/powercap/intel-rapl:1\"} %s\n", tt.first, tt.second)
		}))
		found := probeExporters(t.Context(), []string{s.URL})
		s.Close()
		if len(found) != 1 || len(found[0].Zones) != 2 || found[0].Quality != tt.quality {
			t.Fatalf("%s, %s: %+v", tt.first, tt.second, found)
		}
		if bad := tt.second == "NaN"; bad != strings.Contains(found[0].Zones[1].State, "NaN is not a count of joules") || bad == (found[0].Zones[1].State == readable) {
			t.Errorf("%s: %q", tt.second, found[0].Zones[1].State)
		}
	}
}
