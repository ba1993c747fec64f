//go:build !purego

package builtin

import (
	"math"
	"slices"

	"golang.org/x/sys/cpu"
)

func init() {
	if cpu.X86.HasAVX2 && cpu.X86.HasF16C {
		c := expConstants()
		vector = &vectorUnit{dots: dotsAVX2, weigh: weighAVX2,
			exp:   func(x *float32, n int) { expAVX2(x, n, c) },
			silu:  func(gate, up *float32, n int) { siluAVX2(gate, up, n, c) },
			widen: map[tensorKind]func(out *float32, in *byte, n int){kindF16: widenF16AVX2, kindBF16: widenBF16AVX2, kindQ8_0: widenQ8AVX2}}
	}
}

func dotsAVX2(out, w, x *float32, outStride, wStride, xStride, cols, n int)

func weighAVX2(out, p, v *float32, stride, n, width int)

func widenF16AVX2(out *float32, in *byte, n int)

func widenBF16AVX2(out *float32, in *byte, n int)

func widenQ8AVX2(out *float32, in *byte, n int)

//go:noescape
func expAVX2(x *float32, n int, constants *[19][4]float64)

//go:noescape
func siluAVX2(gate, up *float32, n int, constants *[19][4]float64)

// expConstants are what the exponential needs, in the order of exp_amd64.s.
func expConstants() *[19][4]float64 {
	c := []float64{-110, 100, math.Log2E, 0x1.8p52, 6.93147180369123816490e-01, 1.90821492927058770002e-10, math.Float64frombits(1023 << 52)}
	factorial := 1.0
	for n := 2.0; n <= 13; n++ {
		factorial *= n
		c = slices.Insert(c, 7, 1/factorial)
	}
	var out [19][4]float64
	for i, v := range c {
		out[i] = [4]float64{v, v, v, v}
	}
	return &out
}
