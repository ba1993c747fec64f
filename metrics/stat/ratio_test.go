package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestRatioPaired(t *testing.T) {
	// By hand: 12/30, log variance 22/(12 x 30), 1.959964 of its root.
	ratio, lo, hi, ok := RatioPaired(10, 2, 20, 0.95)
	half := 1.959963984540054 * math.Sqrt(22.0/360)
	if !ok || ratio != 0.4 || math.Abs(lo-0.4*math.Exp(-half)) > 1e-12 || math.Abs(hi-0.4*math.Exp(half)) > 1e-12 {
		t.Errorf("%v [%v, %v], %t", ratio, lo, hi, ok)
	}
	if ratio, lo, hi, ok := RatioPaired(5, 0, 0, 0.95); !ok || ratio != 1 || lo != 1 || hi != 1 {
		t.Errorf("no pair differs: %v [%v, %v], %t", ratio, lo, hi, ok)
	}
	for _, none := range [][3]int{{0, 0, 4}, {0, 3, 0}, {0, 0, 0}, {-1, 3, 3}} {
		if _, _, _, ok := RatioPaired(none[0], none[1], none[2], 0.95); ok {
			t.Errorf("%v has a ratio", none)
		}
	}
}

// TestRatioCovers draws runs of 200 queries with right shares of 0.2 and 0.4.
func TestRatioCovers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const runs = 2000
	within := 0
	for range runs {
		var both, first, second int
		for range 200 {
			switch u := random.Float64(); {
			case u < 0.1:
				both++
			case u < 0.2:
				first++
			case u < 0.5:
				second++
			}
		}
		if _, lo, hi, ok := RatioPaired(both, first, second, 0.95); ok && lo <= 0.5 && 0.5 <= hi {
			within++
		}
	}
	if share := float64(within) / runs; share < 0.935 || share > 0.97 {
		t.Errorf("the interval holds the true ratio in %v of the runs, want 0.95", share)
	}
}
