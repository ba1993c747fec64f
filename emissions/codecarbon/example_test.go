package codecarbon_test

import (
	"fmt"

	"github.com/disteval/disteval/emissions/codecarbon"
)

// An unknown processor beside 80 GB of memory, as in the table of October 2024.
func ExampleConstantW() {
	cpu, ram := codecarbon.ConstantW(0, 80)
	fmt.Printf("%g W + %g W\n", cpu, ram)
	// Output:
	// 42.5 W + 30 W
}
