package likelihood

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestWeigh compares with math.Exp, and the processor's vectors with Go to the
// last bit, at every remainder.
func TestWeigh(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for n := 1; n < 100; n++ {
		p, q := make([]float32, n), make([]float32, n)
		top := float32(math.Inf(-1))
		for i := range p {
			scale := math.Pow(10, float64(random.IntN(6)-1))
			p[i], q[i] = float32(scale*random.NormFloat64()), float32(scale*random.NormFloat64())
			top = max(top, p[i])
		}
		sum, dot := weigh(p, q, top)
		wantSum, wantDot, size := 0.0, 0.0, 0.0
		for i := range p {
			e := math.Exp(float64(p[i]) - float64(top))
			wantSum += e
			wantDot += e * (float64(p[i]) - float64(q[i]))
			size += e * math.Abs(float64(p[i])-float64(q[i]))
		}
		if math.Abs(sum-wantSum) > 1e-14*wantSum || math.Abs(dot-wantDot) > 1e-14*size {
			t.Errorf("%d terms: %v and %v, want %v and %v", n, sum, dot, wantSum, wantDot)
		}
		unit := weighVector
		weighVector = nil
		goSum, goDot := weigh(p, q, top)
		if weighVector = unit; sum != goSum || dot != goDot {
			t.Errorf("%d terms: %v and %v with vectors, %v and %v without", n, sum, dot, goSum, goDot)
		}
	}
}

func TestExpBelow(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	worst := 0.0
	for range 1 << 20 {
		x := -math.Exp(40*random.Float64() - 33.5) // to -665
		want := math.Exp(x)
		worst = max(worst, math.Abs(expBelow(x)-want)/want)
	}
	if worst > 1e-15 {
		t.Errorf("off by %v", worst)
	}
	if expBelow(0) != 1 || expBelow(-1e300) > 1e-300 || expBelow(math.Inf(-1)) > 1e-300 {
		t.Errorf("%v, %v and %v at the ends", expBelow(0), expBelow(-1e300), expBelow(math.Inf(-1)))
	}
}

func BenchmarkLogSoftmax(b *testing.B) {
	random := rand.New(rand.NewPCG(3, 3))
	logits := make([]float32, 32000)
	for i := range logits {
		logits[i] = float32(5 * random.NormFloat64())
	}
	for b.Loop() {
		NewLogSoftmax(logits)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(logits)), "ns/logit")
}
