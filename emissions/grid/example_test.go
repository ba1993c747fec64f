package grid_test

import (
	"fmt"

	"github.com/disteval/disteval/emissions/grid"
)

func ExampleLookup() {
	f, err := grid.Lookup("Australia")
	fmt.Println(f.ISO3, f.GPerKWh > 0, err)

	_, err = grid.Lookup("Austrlia")
	fmt.Println(err)
	// Output:
	// AUS true <nil>
	// no carbon factor for country "Austrlia": the nearest are AUS (Australia), AUT (Austria), ASIA (ASIA); use an ISO 3166-1 code or set carbon_intensity_g_per_kwh with its source
}
