package audit_test

import (
	"fmt"
	"strings"

	"github.com/disteval/disteval/emissions/audit"
)

func ExampleTable() {
	r, err := audit.Table(strings.NewReader("name,duration_s,emissions_kg,country\nsmall,57.20,2.73e-06,AUS\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range r.Findings {
		for _, sentence := range f.Sentences() {
			fmt.Println(f.Row.Name+":", sentence)
		}
	}
	// Output:
	// small: implies at most 0.34 W, less than any working machine
}
