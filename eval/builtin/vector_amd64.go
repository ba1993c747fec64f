//go:build !purego

package builtin

import "golang.org/x/sys/cpu"

func init() {
	if cpu.X86.HasAVX2 && cpu.X86.HasF16C {
		vector = &vectorUnit{dots: dotsAVX2, weigh: weighAVX2,
			widen: map[tensorKind]func(out *float32, in *byte, n int){kindF16: widenF16AVX2, kindBF16: widenBF16AVX2, kindQ8_0: widenQ8AVX2}}
	}
}

func dotsAVX2(out, w, x *float32, outStride, wStride, xStride, cols, n int)

func weighAVX2(out, p, v *float32, stride, n, width int)

func widenF16AVX2(out *float32, in *byte, n int)

func widenBF16AVX2(out *float32, in *byte, n int)

func widenQ8AVX2(out *float32, in *byte, n int)
