package emissions_test

import (
	"fmt"

	"github.com/disteval/disteval/emissions"
)

func ExampleKgCO2e() {
	const answering = emissions.Energy(3_600_000_000) // µJ
	factor := emissions.CarbonFactor{GPerKWh: 500, Source: "a contract"}
	fmt.Println(answering.Joules(), "J")
	fmt.Println(answering.WattHours(), "Wh")
	fmt.Printf("%g kg CO2e\n", emissions.KgCO2e(answering, 1.2, factor))
	// Output:
	// 3600 J
	// 1 Wh
	// 0.0006 kg CO2e
}
