package gate_test

import (
	"context"
	"fmt"

	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/gate"
)

// A run of one model that has 100 of its 200 queries right.
func ExampleCheck() {
	expected, err := gate.Parse([]byte(`
version: 1
queries: {n: 200, sha256: `+hash+`}
models:
  student:
    metrics:
      em: {expected: 0.6, tolerance: 0.02}
`), "expected.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	judgement, err := gate.Check(context.Background(), run(100, nil), expected, gate.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(judgement.Status())
	for _, c := range judgement.Checks {
		if c.Outcome != reports.Pass {
			fmt.Println(c.Model, c.Measure, c.Outcome)
		}
	}
	// Output:
	// regression
	// student em regression
}
