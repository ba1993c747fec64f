package stat

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestSigns(t *testing.T) {
	for _, c := range []struct {
		wins, losses, ties, undecided int
		p                             float64
		warnings                      string
	}{
		{0, 0, 0, 0, 1, "n = 0"},
		{8, 0, 0, 0, 2.0 / 256, ""},
		{0, 8, 3, 0, 2.0 / 256, ""},
		{3, 2, 0, 0, 1, "5 pairs are decided and differ"},
		{9, 1, 0, 10, 22.0 / 1024, "the order of 10 of 20 pairs open"},
	} {
		got := Signs(c.wins, c.losses, c.ties, c.undecided)
		if math.Abs(got.P-c.p) > 1e-12 || got.HasInterval || got.Difference != 0 || got.Test != "sign-exact" ||
			got.N != c.wins+c.losses+c.ties+c.undecided || got.Undecided != c.undecided {
			t.Errorf("%+v: %+v", c, got)
		}
		if joined := strings.Join(got.Warnings, "; "); !strings.Contains(joined, c.warnings) || (joined == "") != (c.warnings == "") {
			t.Errorf("%+v: warnings %q", c, joined)
		}
	}
}

// TestFalseAlarms draws the bits of two models of the same quality, over and
// over, and counts how often a test calls them different at the 5 % level: with
// every value known, and with bounds in place of the high ones, as a walk over
// the most probable tokens leaves them.
func TestFalseAlarms(t *testing.T) {
	const trials, queries = 2000, 60
	random := rand.New(rand.NewPCG(12, 1))
	var boot, sign, bounded, skewed int
	for trial := range trials {
		a, b := make([]float64, queries), make([]float64, queries)
		var exact, open, other [4]int // wins, losses, ties, undecided
		for i := range queries {
			hard := 12 * random.ExpFloat64() // the query's part in both
			a[i], b[i] = hard+6*random.NormFloat64(), hard+6*random.NormFloat64()
			exact[order(a[i], b[i], 1e9, 1e9)]++
			open[order(a[i], b[i], 12, 12)]++
			other[order(a[i], b[i], 8, 16)]++ // one model's alternatives reach less far
		}
		count := func(p float64, n *int) {
			if p < 0.05 {
				*n++
			}
		}
		count(ComparePaired(a, b, false, uint64(trial)).P, &boot)
		count(Signs(exact[0], exact[1], exact[2], exact[3]).P, &sign)
		count(Signs(open[0], open[1], open[2], open[3]).P, &bounded)
		count(Signs(other[0], other[1], other[2], other[3]).P, &skewed)
	}
	// Three standard errors of a share of 5 % of 2,000.
	const most = trials * 5 / 100 * 130 / 100
	t.Logf("false alarms of %d: bootstrap %d, sign %d, with equal bounds %d, with unequal bounds %d", trials, boot, sign, bounded, skewed)
	for name, n := range map[string]int{"bootstrap": boot, "sign": sign, "sign with bounds": bounded, "sign with unequal bounds": skewed} {
		if n > most || n == 0 {
			t.Errorf("%s: %d false alarms of %d", name, n, trials)
		}
	}
}

// order says which count of wins, losses, ties and undecided pairs two values
// belong to, where only a bound is known of what lies above each limit.
func order(a, b, limitA, limitB float64) int {
	boundA, boundB := a > limitA, b > limitB
	a, b = min(a, limitA), min(b, limitB)
	switch {
	case a > b && !boundB:
		return 0
	case a < b && !boundA:
		return 1
	case a == b && !boundA && !boundB:
		return 2
	}
	return 3
}

// TestKnownDifference draws models that differ by a known amount: the interval
// of the difference holds it in 95 % of the trials.
func TestKnownDifference(t *testing.T) {
	const trials, queries, difference = 1000, 60, 3
	random := rand.New(rand.NewPCG(12, 2))
	missed := 0
	for trial := range trials {
		a, b := make([]float64, queries), make([]float64, queries)
		for i := range queries {
			hard := 12 * random.ExpFloat64()
			a[i], b[i] = hard+difference+6*random.NormFloat64(), hard+6*random.NormFloat64()
		}
		if c := ComparePaired(a, b, false, uint64(trial)); difference < c.Lo || difference > c.Hi {
			missed++
		}
	}
	if missed > trials*8/100 || missed < trials*2/100 {
		t.Errorf("the interval missed the difference %d times of %d", missed, trials)
	}
}

func TestMeanClustered(t *testing.T) {
	if s := MeanClustered(nil, 1); s.N != 0 || s.HasInterval {
		t.Errorf("%+v", s)
	}
	if s := MeanClustered([][]float64{{1, 2}, nil}, 1); s.N != 2 || s.Mean != 1.5 || s.HasInterval {
		t.Errorf("%+v", s)
	}
	s := MeanClustered([][]float64{{1, 1, 1}, {0}, {0.5, 0.5}, nil}, 1)
	if s.N != 6 || math.Abs(s.Mean-4.0/6) > 1e-12 || !s.HasInterval || !(s.Lo < s.Mean && s.Mean < s.Hi) || s.Method != "cluster-bootstrap" {
		t.Errorf("%+v", s)
	}
}

// TestClustersAreOneDraw repeats every value within its cluster: the interval
// must not narrow, as it would if the repeats were taken for draws. It covers
// the true mean in 95 % of trials with clusters of unequal size.
func TestClustersAreOneDraw(t *testing.T) {
	const trials, clusters = 400, 80
	random := rand.New(rand.NewPCG(12, 3))
	covered := 0
	for trial := range trials {
		groups := make([][]float64, clusters)
		for i := range groups {
			centre := random.NormFloat64()
			for range 1 + random.IntN(16) {
				groups[i] = append(groups[i], centre+0.1*random.NormFloat64())
			}
		}
		if s := MeanClustered(groups, uint64(trial)); s.Lo <= 0 && 0 <= s.Hi {
			covered++
		}
	}
	if covered < trials*91/100 || covered > trials*98/100 {
		t.Errorf("covered %d times of %d", covered, trials)
	}
}
