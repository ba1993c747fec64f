//go:build !purego

package likelihood

import (
	"math"

	"golang.org/x/sys/cpu"
)

func init() {
	if !cpu.X86.HasAVX2 {
		return
	}
	var c [18][4]float64
	for i, v := range append([]float64{least, math.Log2E, shift, ln2High, ln2Low, math.Float64frombits(1023 << 52)}, taylor[:]...) {
		c[i] = [4]float64{v, v, v, v}
	}
	weighVector = func(p, q *float32, n int, top float64, sums, dots *[4]float64) {
		weighAVX2(p, q, n, top, sums, dots, &c)
	}
}

//go:noescape
func weighAVX2(p, q *float32, n int, top float64, sums, dots *[4]float64, constants *[18][4]float64)
