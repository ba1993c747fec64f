package likelihood

import "math"

// weigh sums up, over every i, e = exp(p[i] - top) and e * (p[i] - q[i]), where
// top is the highest of p. Both are the sums of four sums, each of every fourth
// term. The exponentials are off by less than 1e-15 of themselves, and the same
// to the last bit with the processor's vectors and without.
func weigh(p, q []float32, top float32) (sum, dot float64) {
	q = q[:len(p)]
	var sums, dots [4]float64
	whole := 0
	if weighVector != nil {
		if whole = len(p) &^ 7; whole > 0 {
			weighVector(&p[0], &q[0], whole, float64(top), &sums, &dots)
		}
	}
	for i := whole; i < len(p); i++ {
		v := float64(p[i])
		e := expBelow(v - float64(top))
		sums[i&3] += e
		dots[i&3] += float64(e * (v - float64(q[i])))
	}
	return (sums[0] + sums[1]) + (sums[2] + sums[3]), (dots[0] + dots[1]) + (dots[2] + dots[3])
}

// weighVector does weigh's loop for n terms, a multiple of 8, where the
// processor has instructions for it.
var weighVector func(p, q *float32, n int, top float64, sums, dots *[4]float64)

// The logarithm of 2 in two parts, the first so short that its product with an
// exponent is exact.
const (
	ln2High = 6.93147180369123816490e-01
	ln2Low  = 1.90821492927058770002e-10

	least = -708     // exp of less is taken for this, which is 3e-308
	shift = 0x1.8p52 // added to a number, it rounds it to a whole one
)

// taylor are the reciprocals of the factorials from 13 down to 2.
var taylor = func() (c [12]float64) {
	f := 1.0
	for n := 2; n <= 13; n++ {
		f *= float64(n)
		c[13-n] = 1 / f
	}
	return c
}()

// expBelow is exp of x, at most 0. Each product is rounded before it is added.
func expBelow(x float64) float64 {
	x = max(x, least)
	shifted := float64(x*math.Log2E) + shift
	k := shifted - shift
	r := x - float64(k*ln2High)
	r -= float64(k * ln2Low)
	y := taylor[0]
	for _, c := range taylor[1:] {
		y = float64(y*r) + c
	}
	y = float64(y*r) + 1
	y = float64(y*r) + 1
	return y * math.Float64frombits(uint64(int64(k)+1023)<<52)
}
