package stat

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestReference(t *testing.T) {
	data, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Wilson   [][5]float64
		McNemar  [][3]float64
		Holm     [][2][]float64
		Newcombe [][6]float64
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Wilson) < 200 || len(r.McNemar) < 200 || len(r.Holm) < 20 {
		t.Fatalf("%d, %d, %d cases", len(r.Wilson), len(r.McNemar), len(r.Holm))
	}
	for _, c := range r.Wilson {
		lo, hi := Wilson(int(c[0]), int(c[1]), c[2])
		same(t, "Wilson", c[:3], lo, c[3])
		same(t, "Wilson", c[:3], hi, c[4])
	}
	for _, c := range r.McNemar {
		p := McNemarExact(int(c[0]), int(c[1]))
		same(t, "McNemarExact", c[:2], p, c[2])
		if c[2] > 1e-300 && math.Abs(p/c[2]-1) > 1e-9 {
			t.Errorf("McNemarExact(%v) = %v, relatively far from %v", c[:2], p, c[2])
		}
	}
	for _, c := range r.Newcombe {
		lo, hi := Newcombe(int(c[0]), int(c[1]), int(c[2]), int(c[3]), 0.95)
		same(t, "Newcombe", c[:4], lo, c[4])
		same(t, "Newcombe", c[:4], hi, c[5])
	}
	for _, c := range r.Holm {
		for i, p := range Holm(c[0]) {
			same(t, "Holm", c[0], p, c[1][i])
		}
	}
}

func same(t *testing.T, name string, args []float64, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-12) {
		t.Errorf("%s(%v) = %v, want %v", name, args, got, want)
	}
}

func TestWilsonNearCertainty(t *testing.T) {
	if _, hi := Wilson(0, 10, 1-1e-12); math.Abs(hi-0.8356457195322694871) > 1e-12 {
		t.Errorf("hi %v", hi)
	}
}

func TestImpossible(t *testing.T) {
	for _, c := range [][2]int{{0, 0}, {1, 0}, {-1, 5}, {6, 5}, {0, -3}} {
		if lo, hi := Wilson(c[0], c[1], 0.95); lo != 0 || hi != 1 {
			t.Errorf("Wilson(%v) = %v, %v, want the whole scale", c, lo, hi)
		}
	}
	for _, confidence := range []float64{1, -0.5, 2, math.NaN()} {
		if lo, hi := Wilson(1, 2, confidence); lo != 0 || hi != 1 {
			t.Errorf("Wilson at %v = %v, %v, want the whole scale", confidence, lo, hi)
		}
	}
	if p := McNemarExact(-1, 3); p != 1 {
		t.Errorf("McNemarExact(-1, 3) = %v", p)
	}
	if got := Holm([]float64{math.NaN(), 0.01, 2}); !slices.Equal(got, []float64{1, 0.03, 1}) {
		t.Errorf("Holm = %v", got)
	}
}

// TestMcNemarHuge crosses to the normal approximation and back.
func TestMcNemarHuge(t *testing.T) {
	const n = 100_000_000_000
	below, above := McNemarExact(n/2-300_000, n/2+300_000), McNemarExact(n/2-300_000, n/2+300_001)
	if !(below > 0.01 && below < 0.1) || math.Abs(below-above) > 1e-6 {
		t.Errorf("%v and %v", below, above)
	}
	if p := McNemarExact(0, math.MaxInt); p != 0 {
		t.Errorf("%v, want 0", p)
	}
	if p := McNemarExact(math.MaxInt, math.MaxInt-1); !(p > 0.99) {
		t.Errorf("%v, want 1", p)
	}
}

func TestMeanBinary(t *testing.T) {
	s := MeanBinary([]float64{1, 0, 1, 0, 1, 0, 1, 0, 1, 0})
	if s.N != 10 || s.Mean != 0.5 || s.Method != "wilson" || !s.HasInterval || math.Abs(s.Lo-0.2365930905) > 1e-9 {
		t.Errorf("%+v", s)
	}
	if !slices.Contains(s.Warnings, "n = 10: interval spans half the scale") {
		t.Errorf("warnings %q", s.Warnings)
	}
	if s := MeanBinary(nil); s.N != 0 || s.HasInterval || len(s.Warnings) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestMeanBootstrap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	values := func(n int) []float64 {
		xs := make([]float64, n)
		for i := range xs {
			xs[i] = random.ExpFloat64()
		}
		return xs
	}
	for _, n := range []int{2, 20, 200, 999, 1000, 5000} {
		xs := values(n)
		s := MeanBootstrap(xs, 7)
		if again := MeanBootstrap(xs, 7); again.Lo != s.Lo || again.Hi != s.Hi {
			t.Errorf("n = %d: the same seed gives %v and %v", n, s, again)
		}
		if !(s.Lo <= s.Mean && s.Mean <= s.Hi) {
			t.Errorf("n = %d: %+v", n, s)
		}
		if n >= 200 { // near the normal interval, and shifted to the long tail
			half := 1.96 * momentsOf(xs).stderr
			if math.Abs((s.Hi-s.Lo)/(2*half)-1) > 0.1 || s.Hi-s.Mean < s.Mean-s.Lo {
				t.Errorf("n = %d: %+v, normal half width %v", n, s, half)
			}
		}
	}
}

// TestLimit holds the analytic limit to the resampling it stands for.
func TestLimit(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	xs := make([]float64, limitFrom)
	for i := range xs {
		xs[i] = math.Pow(random.Float64(), 8) // skewed, as ROUGE of a weak model is
	}
	m := momentsOf(xs)
	var lo, hi float64
	const seeds = 20
	for seed := range uint64(seeds) {
		var r resampling
		r.resample(xs, m, Confidence, seed)
		lo, hi = lo+r.lo/seeds, hi+r.hi/seeds
	}
	var limit resampling
	limit.limit(m, Confidence)
	if math.Abs(limit.lo-lo) > 0.03*m.stderr || math.Abs(limit.hi-hi) > 0.03*m.stderr {
		t.Errorf("limit %v to %v, resampled %v to %v, standard error %v", limit.lo, limit.hi, lo, hi, m.stderr)
	}
}

// TestCoverage draws samples of a known mean: 95 % of intervals must hold it.
func TestCoverage(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	const samples, n = 400, 60
	held := 0
	for range samples {
		xs := make([]float64, n)
		for i := range xs {
			xs[i] = random.ExpFloat64()
		}
		if s := MeanBootstrap(xs, 1); s.Lo <= 1 && 1 <= s.Hi {
			held++
		}
	}
	if lo, hi := Wilson(held, samples, 0.999); lo > 0.95 || hi < 0.93 {
		t.Errorf("%d of %d intervals hold the mean", held, samples)
	}
}

func TestBootstrapEdges(t *testing.T) {
	if s := MeanBootstrap(nil, 1); s.N != 0 || s.HasInterval || len(s.Warnings) != 1 {
		t.Errorf("none: %+v", s)
	}
	if s := MeanBootstrap([]float64{0.3}, 1); s.N != 1 || s.Mean != 0.3 || s.HasInterval || len(s.Warnings) != 1 {
		t.Errorf("one: %+v", s)
	}
	for _, n := range []int{2, 50, 2000} {
		s := MeanBootstrap(slices.Repeat([]float64{0.1}, n), 1)
		if s.Mean != 0.1 || s.Lo != 0.1 || s.Hi != 0.1 || !strings.Contains(strings.Join(s.Warnings, ";"), "all values are equal") {
			t.Errorf("equal: %+v", s)
		}
	}
}

func TestComparePaired(t *testing.T) {
	a, b := make([]float64, 200), make([]float64, 200)
	for i := range a {
		a[i], b[i] = 1, 1
		if i < 20 {
			b[i] = 0
		}
		if i >= 195 {
			a[i] = 0
		}
	}
	c := ComparePaired(a, b, true, 1)
	if c.N != 200 || c.Wins != 20 || c.Losses != 5 || c.Ties != 175 || math.Abs(c.Difference-0.075) > 1e-15 || c.P != McNemarExact(20, 5) || c.Test != "mcnemar-exact" {
		t.Errorf("%+v", c)
	}
	if !(c.Lo > 0 && c.Lo < 0.075 && c.Hi > 0.075 && c.Hi < 0.15) {
		t.Errorf("interval %v to %v", c.Lo, c.Hi)
	}
	d := ComparePaired(a, b, false, 1)
	if d.Test != "paired-bootstrap" || d.P > 0.02 || math.Abs(d.Lo-c.Lo) > 0.02 || math.Abs(d.Hi-c.Hi) > 0.02 {
		t.Errorf("%+v, beside %+v", d, c)
	}
	back := ComparePaired(b, a, true, 1)
	if back.Difference != -c.Difference || math.Abs(back.Lo+c.Hi) > 1e-12 || back.P != c.P {
		t.Errorf("%+v the other way", back)
	}
}

func TestComparePairedEdges(t *testing.T) {
	for _, binary := range []bool{true, false} {
		if c := ComparePaired(nil, nil, binary, 1); c.N != 0 || c.P != 1 || c.HasInterval || len(c.Warnings) != 1 {
			t.Errorf("none: %+v", c)
		}
		if c := ComparePaired([]float64{1}, []float64{0}, binary, 1); c.P != 1 || c.Difference != 1 || len(c.Warnings) != 1 {
			t.Errorf("one: %+v", c)
		}
		same := slices.Repeat([]float64{1, 0}, 100)
		if c := ComparePaired(same, same, binary, 1); c.P != 1 || c.Difference != 0 || c.Ties != 200 {
			t.Errorf("equal: %+v", c)
		}
		one, zero := slices.Repeat([]float64{1}, 200), make([]float64, 200)
		if c := ComparePaired(one, zero, binary, 1); c.P > 0.001 || c.P <= 0 || c.Difference != 1 {
			t.Errorf("opposite: %+v", c)
		}
	}
	// Three pairs cannot give p < 1/4, however large the difference.
	if c := ComparePaired([]float64{1, 1, 1}, []float64{0, 0, 0}, false, 1); c.P != 0.25 {
		t.Errorf("three: %+v", c)
	}
	defer func() {
		if recover() == nil {
			t.Error("values that are not paired were compared")
		}
	}()
	ComparePaired([]float64{1}, nil, true, 1)
}

func TestNewcombeOfNothing(t *testing.T) {
	if lo, hi := Newcombe(0, 0, 0, 0, 0.95); lo != -1 || hi != 1 {
		t.Errorf("none: %v to %v", lo, hi)
	}
}

func TestMinimumDetectable(t *testing.T) {
	if d, ok := MinimumDetectable(200, 0.10, 0.80); !ok || d != 0.065 {
		t.Errorf("%v, %v; want 0.065", d, ok)
	}
	if d, ok := MinimumDetectable(10, 0.10, 0.80); ok {
		t.Errorf("10 queries detect %v", d)
	}
	large, _ := MinimumDetectable(20000, 0.10, 0.80)
	if want := 2.8016 * math.Sqrt(0.1/20000); math.Abs(large/want-1) > 0.02 {
		t.Errorf("%v, want about %v", large, want)
	}
	for _, n := range []int{0, -1} {
		if _, ok := MinimumDetectable(n, 0.1, 0.8); ok {
			t.Errorf("n = %d is enough", n)
		}
	}
}

func TestKappa(t *testing.T) {
	a := Kappa([][]int{{20, 5}, {10, 15}}) // p = 0.7, by chance 0.5
	if math.Abs(a.Kappa-0.4) > 1e-12 || a.Observed != 0.7 || a.N != 50 {
		t.Errorf("%+v", a)
	}
	if !(a.Lo > 0.14 && a.Lo < 0.17 && a.Hi > 0.63 && a.Hi < 0.66) {
		t.Errorf("interval %v to %v", a.Lo, a.Hi)
	}
	if a := Kappa([][]int{{30, 0}, {0, 30}}); a.Kappa != 1 || a.Lo != 1 || a.Hi != 1 {
		t.Errorf("%+v", a)
	}
	if a := Kappa([][]int{{30, 0}, {0, 0}}); a.HasKappa || a.HasInterval || a.Observed != 1 || len(a.Warnings) != 1 {
		t.Errorf("%+v", a)
	}
	if a := Kappa(nil); a.N != 0 || a.HasKappa {
		t.Errorf("%+v", a)
	}
}

func TestPercentile(t *testing.T) {
	xs := []float64{1, 2, 3, 4}
	for p, want := range map[float64]float64{0: 1, 0.5: 2.5, 0.95: 3.85, 1: 4, -1: 1, 2: 4} {
		if got, ok := Percentile(xs, p); !ok || math.Abs(got-want) > 1e-12 {
			t.Errorf("%v: %v, %v; want %v", p, got, ok, want)
		}
	}
	if _, ok := Percentile(nil, 0.5); ok {
		t.Error("a percentile of nothing")
	}
}

func FuzzIntervals(f *testing.F) {
	f.Add(uint8(3), uint8(10), uint64(1))
	f.Add(uint8(0), uint8(0), uint64(2))
	f.Fuzz(func(t *testing.T, k, n uint8, seed uint64) {
		if lo, hi := Wilson(int(k), int(n), 0.95); !(0 <= lo && lo <= hi && hi <= 1) {
			t.Errorf("Wilson(%d, %d) = %v, %v", k, n, lo, hi)
		}
		if p := McNemarExact(int(k), int(n)); !(p > 0 && p <= 1) || p != McNemarExact(int(n), int(k)) {
			t.Errorf("McNemarExact(%d, %d) = %v", k, n, p)
		}
		random := rand.New(rand.NewPCG(seed, 0))
		values := func(below int) []float64 {
			xs := make([]float64, n)
			for i := range xs {
				xs[i] = float64(random.IntN(below))
			}
			return xs
		}
		a := values(4)
		for _, c := range []Comparison{ComparePaired(a, values(4), false, seed), ComparePaired(values(2), values(2), true, seed)} {
			if !(c.P > 0 && c.P <= 1) || c.HasInterval && !(c.Lo <= c.Hi) {
				t.Errorf("%+v", c)
			}
		}
		if s := MeanBootstrap(a, seed); s.HasInterval && !(0 <= s.Lo && s.Lo <= s.Hi && s.Hi <= 3) {
			t.Errorf("%+v", s)
		}
	})
}

func sample(n int) (a, b []float64) {
	random := rand.New(rand.NewPCG(1, 1))
	a, b = make([]float64, n), make([]float64, n)
	for i := range a {
		a[i], b[i] = random.Float64(), random.Float64()
	}
	return a, b
}

// All intervals of a run: three models, six metrics that are not binary.
func benchmarkRun(b *testing.B, n int) {
	x, y := sample(n)
	for b.Loop() {
		for range 18 {
			MeanBootstrap(x, 1)
		}
		for range 12 {
			ComparePaired(x, y, false, 1)
		}
	}
}

func BenchmarkRun200(b *testing.B)    { benchmarkRun(b, 200) }
func BenchmarkRun999(b *testing.B)    { benchmarkRun(b, 999) }
func BenchmarkRun2000(b *testing.B)   { benchmarkRun(b, 2000) }
func BenchmarkRun100000(b *testing.B) { benchmarkRun(b, 100_000) }
