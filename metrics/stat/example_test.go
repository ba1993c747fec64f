package stat_test

import (
	"fmt"

	"github.com/disteval/disteval/metrics/stat"
)

func ExampleComparePaired() {
	teacher := []float64{1, 1, 1, 1, 1, 1, 1, 1}
	student := []float64{1, 0, 0, 0, 0, 0, 0, 0}
	c := stat.ComparePaired(student, teacher, true, 42)
	fmt.Printf("%+.3f [%.3f, %.3f], p = %.4f (%s)\n", c.Difference, c.Lo, c.Hi, c.P, c.Test)
	// Output:
	// -0.875 [-0.978, -0.401], p = 0.0156 (mcnemar-exact)
}
