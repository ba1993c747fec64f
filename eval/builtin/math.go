package builtin

import "math"

// Every product is rounded to float32 before it is added, and every sum runs
// in one order, so that a result does not depend on the machine having fused
// multiply-add or on the number of threads.

// dot is the inner product of a and b, which are of one length: eight sums of
// every eighth product, added pairwise at the end. It only reads; where the
// race detector watches it, a token takes some 14 times as long.
//
//go:norace
func dot(a, b []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	b = b[:len(a)]
	i := 0
	for ; i+8 <= len(a); i += 8 {
		x, y := (*[8]float32)(a[i:]), (*[8]float32)(b[i:])
		s0 += float32(x[0] * y[0])
		s1 += float32(x[1] * y[1])
		s2 += float32(x[2] * y[2])
		s3 += float32(x[3] * y[3])
		s4 += float32(x[4] * y[4])
		s5 += float32(x[5] * y[5])
		s6 += float32(x[6] * y[6])
		s7 += float32(x[7] * y[7])
	}
	for ; i < len(a); i++ {
		s0 += float32(a[i] * b[i])
	}
	return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
}

// matrix is row by row; a row has one output's weights.
type matrix struct {
	cols int
	data []float32
}

func (m matrix) row(i int) []float32 { return m.data[i*m.cols : (i+1)*m.cols] }

// mul sets out to m times x.
func (m matrix) mul(out, x []float32) {
	for i := range out {
		out[i] = dot(m.row(i), x)
	}
}

func add(x, y []float32) {
	for i := range x {
		x[i] += y[i]
	}
}

// rmsNorm sets out to x over its root mean square, times weight.
func rmsNorm(out, x, weight []float32, eps float64) {
	sum := 0.0
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	scale := float32(1 / math.Sqrt(sum/float64(len(x))+eps))
	for i, v := range x {
		out[i] = float32(v*scale) * weight[i]
	}
}

// softmax replaces x by exp(x) normalised to sum 1.
func softmax(x []float32) {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	sum := 0.0
	for i, v := range x {
		x[i] = exp(v - top)
		sum += float64(x[i])
	}
	scale := float32(1 / sum)
	for i := range x {
		x[i] *= scale
	}
}

// silu is x times the logistic function of x.
func silu(x float32) float32 { return x / (1 + exp(-x)) }

func exp(x float32) float32 { return float32(math.Exp(float64(x))) }
