package stat

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Comparison is the difference of two models' means on the same queries.
type Comparison struct {
	N                  int     // pairs; 0 means that there is nothing to compare
	Difference         float64 // mean of a less mean of b
	Lo, Hi             float64 // ends of the 95 % interval; 0 and meaningless without HasInterval
	HasInterval        bool
	P                  float64 // two-sided, (0, 1]; 1 where N is 0
	Test               string  // mcnemar-exact, paired-bootstrap or sign-exact
	Method             string  // of the interval: newcombe, bca-bootstrap or bca-limit; empty without one
	Wins, Losses, Ties int     // pairs in which a is above, below, equal to b
	Undecided          int     // pairs whose order bounds leave open; of sign-exact alone
	Warnings           []string
}

// ComparePaired compares a with b, whose i-th values belong to the same query.
// Binary values, all 0 or 1, get the exact McNemar test and Newcombe's interval, others the
// paired bootstrap: the BCa interval of the mean difference, and as p the share
// of resamples, the sample itself counted among them, whose centred mean is as
// far out as the difference (Efron and Tibshirani, An Introduction to the
// Bootstrap, 1993, 16.4), but never below 2^(1-n). It panics when the lengths
// differ: such values are not paired.
func ComparePaired(a, b []float64, binary bool, seed uint64) Comparison {
	if len(a) != len(b) {
		panic(fmt.Sprintf("stat: compare %d values with %d: not paired", len(a), len(b)))
	}
	c := Comparison{N: len(a), P: 1, Test: "paired-bootstrap"}
	if binary {
		c.Test = "mcnemar-exact"
	}
	differences := make([]float64, len(a))
	for i := range a {
		differences[i] = a[i] - b[i]
		switch {
		case a[i] > b[i]:
			c.Wins++
		case a[i] < b[i]:
			c.Losses++
		default:
			c.Ties++
		}
	}
	switch {
	case c.N == 0:
		c.Warnings = []string{"n = 0: no query on which both are scored"}
	case binary:
		c.compareBinary(a, b)
	default:
		c.compareBootstrap(differences, seed)
	}
	return c
}

func (c *Comparison) compareBinary(a, b []float64) {
	both := 0
	for i := range a {
		if a[i] != 0 && b[i] != 0 {
			both++
		}
	}
	c.Difference = float64(c.Wins-c.Losses) / float64(c.N)
	c.P = McNemarExact(c.Wins, c.Losses)
	c.Lo, c.Hi = Newcombe(both, c.Wins, c.Losses, c.Ties-both, Confidence)
	c.HasInterval, c.Method = true, "newcombe"
	if discordant := c.Wins + c.Losses; discordant < 6 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("%d pairs differ: with fewer than 6 no difference can reach p < 0.05", discordant))
	}
}

func (c *Comparison) compareBootstrap(differences []float64, seed uint64) {
	r := bootstrap(differences, Confidence, seed)
	c.Difference, c.P = r.mean, r.p
	if c.N == 1 {
		c.Warnings = []string{"n = 1: one pair has no interval"}
		return
	}
	c.Lo, c.Hi, c.HasInterval, c.Method = r.lo, r.hi, true, r.method
	c.Warnings = r.warnings
}

// McNemarExact returns the two-sided exact p-value of b against c discordant
// pairs, min(1, 2 P(X <= min(b, c))) with X binomial of b+c and 1/2 (McNemar,
// Psychometrika 12, 1947). Without a discordant pair it is 1.
func McNemarExact(b, c int) (p float64) {
	if b < 0 || c < 0 || b == c {
		return 1
	}
	return min(1, 2*halfBinomialCDF(float64(min(b, c)), float64(b)+float64(c)))
}

// exactUpTo is the number of discordant pairs from which the normal
// approximation, whose error is of the order 1/n, is as good as the sum, and
// the sum would take long.
const exactUpTo = 1e11

// halfBinomialCDF is P(X <= k) of a binomial with n trials and p = 1/2, for
// k < n/2: the terms below the k-th are summed as ratios, until they vanish.
func halfBinomialCDF(k, n float64) float64 {
	if n > exactUpTo {
		return distuv.UnitNormal.CDF((2*k + 1 - n) / math.Sqrt(n))
	}
	sum, term := 1.0, 1.0
	for i := k; i > 0 && term > sum*1e-18; i-- {
		term *= i / (n - i + 1)
		sum += term
	}
	return sum * math.Exp(logHalfBinomial(k, n))
}

// logHalfBinomial is log C(n, k)/2^n by the saddle-point expansion of Loader
// (Fast and Accurate Computation of Binomial Probabilities, 2000), which does
// not cancel as differences of large log-gammas do.
func logHalfBinomial(k, n float64) float64 {
	if k == 0 {
		return -n * math.Ln2
	}
	return stirlingError(n) - stirlingError(k) - stirlingError(n-k) -
		deviance(k, n/2) - deviance(n-k, n/2) +
		0.5*math.Log(n/(2*math.Pi*k*(n-k)))
}

// stirlingError is log n! less Stirling's formula.
func stirlingError(n float64) float64 {
	if n < 16 {
		factorial, _ := math.Lgamma(n + 1)
		return factorial - (n+0.5)*math.Log(n) + n - 0.5*math.Log(2*math.Pi)
	}
	nn := n * n
	return (1.0/12 - (1.0/360-(1.0/1260-(1.0/1680-1.0/1188/nn)/nn)/nn)/nn) / n
}

// deviance is x log(x/m) + m - x, by a series where x is near m.
func deviance(x, m float64) float64 {
	if math.Abs(x-m) >= 0.1*(x+m) {
		return x*math.Log(x/m) + m - x
	}
	v := (x - m) / (x + m)
	sum, term := (x-m)*v, 2*x*v
	for j := 1.0; ; j++ {
		term *= v * v
		next := sum + term/(2*j+1)
		if next == sum {
			return sum
		}
		sum = next
	}
}

// Newcombe returns the interval of the difference of two paired proportions,
// first less second, within [-1, 1], from the counts of pairs in which both,
// only the first, only the second and neither are 1: the square-and-add of two
// Wilson intervals with their correlation (Newcombe, Statistics in Medicine
// 17, 1998, 2635, method 10). Without a pair it is [-1, 1].
func Newcombe(both, first, second, neither int, confidence float64) (lo, hi float64) {
	n := both + first + second + neither
	if n <= 0 {
		return -1, 1
	}
	l1, u1 := Wilson(both+first, n, confidence)
	l2, u2 := Wilson(both+second, n, confidence)
	p1, p2 := float64(both+first)/float64(n), float64(both+second)/float64(n)
	phi := correlation(float64(both), float64(first), float64(second), float64(neither))
	add := func(x, y float64) float64 { return math.Sqrt(max(0, x*x-2*phi*x*y+y*y)) }
	d := p1 - p2
	return max(-1, d-add(p1-l1, u2-p2)), min(1, d+add(u1-p1, p2-l2))
}

// correlation is the phi coefficient with Newcombe's continuity correction.
func correlation(a, b, c, d float64) float64 {
	product := (a + b) * (c + d) * (a + c) * (b + d)
	if product == 0 {
		return 0
	}
	excess := a*d - b*c
	if excess > 0 {
		excess = max(0, excess-(a+b+c+d)/2)
	}
	return excess / math.Sqrt(product)
}
