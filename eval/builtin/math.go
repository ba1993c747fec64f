package builtin

import (
	"math"
	"runtime"
	"sync"
)

// Every product is rounded to float32 before it is added, and every sum runs
// in one order, so that a result does not depend on the machine having vectors
// or fused multiply-add, on the number of threads, or on how many positions
// are computed at once: work is split between outputs, never within a sum.

// vectorUnit holds the loops that a processor has instructions for, each with
// the same result, to the last bit, as the Go beside its call. A stride is the
// distance between two rows, in numbers.
type vectorUnit struct {
	// dots sets out[p*outStride+r] to the inner product of row r of w and row p
	// of x, for four rows of w and n of x; cols is a multiple of 8.
	dots func(out, w, x *float32, outStride, wStride, xStride, cols, n int)
	// weigh sets width numbers of out, a multiple of 8, to the sum of p[t] times
	// row t of v.
	weigh func(out, p, v *float32, stride, n, width int)
	// exp replaces n numbers, a multiple of 8, by their exponentials.
	exp func(x *float32, n int)
	// silu replaces n numbers of gate, a multiple of 8, by their silu times up.
	silu func(gate, up *float32, n int)
	// widen expands n numbers, whole groups of 32.
	widen map[tensorKind]func(out *float32, in *byte, n int)
}

// vector is nil where there are no such instructions.
var vector *vectorUnit

const (
	lanes     = 8
	panelRows = 4
)

// table is row by row; a row has cols numbers, and the next begins stride after it.
type table struct {
	data               []float32
	rows, cols, stride int
}

func newTable(data []float32, rows, cols int) table { return table{data, rows, cols, cols} }

func (t table) row(i int) []float32 { return t.data[i*t.stride : i*t.stride+t.cols] }

// from is the table without its first n rows, at most rows of them.
func (t table) from(n, rows int) table {
	return table{t.data[n*t.stride:], min(rows, t.rows-n), t.cols, t.stride}
}

// columns is the part of each row that begins at.
func (t table) columns(at, cols int) table { return table{t.data[at:], t.rows, cols, t.stride} }

// multiply sets each row of out to the inner products of a row of x with the
// rows of w.
func multiply(out, w, x table) {
	if vector == nil || w.cols%lanes != 0 || w.rows < panelRows {
		for p := range x.rows {
			for r := range w.rows {
				out.data[p*out.stride+r] = dot(w.row(r), x.row(p))
			}
		}
		return
	}
	for r := 0; r < w.rows; r += panelRows {
		r := min(r, w.rows-panelRows) // the last panel may do rows of the one before again
		vector.dots(&out.data[r], &w.data[r*w.stride], &x.data[0], out.stride, w.stride, x.stride, w.cols, x.rows)
	}
}

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

// weigh sets out to the sum of the rows of v, each times its number of p.
func weigh(out, p []float32, v table) {
	if vector != nil && v.cols%lanes == 0 {
		vector.weigh(&out[0], &p[0], &v.data[0], v.stride, len(p), v.cols)
		return
	}
	clear(out)
	for t, p := range p {
		for i, v := range v.row(t) {
			out[i] += float32(p * v)
		}
	}
}

// worthAThread is how many multiplications outweigh starting a goroutine for them.
const worthAThread = 1 << 17

// split calls work for parts of 0 to n that together are all of it, at once on
// as many threads as the number of multiplications is worth. Each part but the
// last is a multiple of unit.
func split(n, unit, multiplications int, work func(from, to int)) {
	parts := min(runtime.GOMAXPROCS(0), multiplications/worthAThread)
	if parts < 2 {
		work(0, n)
		return
	}
	part := (n/parts + unit - 1) / unit * unit
	var others sync.WaitGroup
	for from := part; from < n; from += part {
		others.Go(func() { work(from, min(from+part, n)) })
	}
	work(0, min(part, n))
	others.Wait()
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
	for i := range x {
		x[i] -= top
	}
	exponentials(x)
	sum := 0.0
	for _, v := range x {
		sum += float64(v)
	}
	scale := float32(1 / sum)
	for i := range x {
		x[i] *= scale
	}
}

// exponentials replaces x by exp(x).
func exponentials(x []float32) {
	whole := 0
	if vector != nil {
		if whole = len(x) &^ 7; whole > 0 {
			vector.exp(&x[0], whole)
		}
	}
	for i, v := range x[whole:] {
		x[whole+i] = exp(v)
	}
}

// gateBy replaces gate by its silu times up.
func gateBy(gate, up []float32) {
	up = up[:len(gate)]
	whole := 0
	if vector != nil {
		if whole = len(gate) &^ 7; whole > 0 {
			vector.silu(&gate[0], &up[0], whole)
		}
	}
	for i, g := range gate[whole:] {
		gate[whole+i] = silu(g) * up[whole+i]
	}
}

// silu is x times the logistic function of x.
func silu(x float32) float32 { return x / (1 + exp(-x)) }

// exp rounds a float64 to float32: of the two ways that Go's math.Exp has on
// amd64, with fused multiply-add and without, both give the same for every x
// from -104 to 104, beyond which the result is 0 or infinite.
func exp(x float32) float32 { return float32(math.Exp(float64(x))) }
