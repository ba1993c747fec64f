package stat

import (
	"fmt"
	"math"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

// MinimumDetectable returns the smallest difference of two paired proportions,
// in whole queries over n, that McNemar's test at the 5 % level finds with the
// given power, where the two models disagree on the share discordance of the
// queries (Connor, Biometrics 43, 1987). ok is false where not even
// disagreements that all point one way would suffice.
func MinimumDetectable(n int, discordance, power float64) (difference float64, ok bool) {
	if n <= 0 || !(discordance > 0 && discordance <= 1) || !(power > 0 && power < 1) {
		return 0, false
	}
	z := distuv.UnitNormal.Quantile(0.5 + Confidence/2)
	most := int(math.Floor(discordance*float64(n) + 1e-9))
	enough := func(i int) bool {
		d := float64(i+1) / float64(n)
		spread := math.Sqrt(max(0, discordance-d*d))
		excess := d*math.Sqrt(float64(n)) - z*math.Sqrt(discordance)
		return excess >= distuv.UnitNormal.Quantile(power)*spread
	}
	i := sort.Search(most, enough)
	return float64(i+1) / float64(n), i < most
}

// Agreement is Cohen's kappa of two raters.
type Agreement struct {
	N           int     // items that both rated
	Observed    float64 // share of items rated alike; 0 and meaningless when N is 0
	Kappa       float64 // [-1, 1]; 0 and meaningless without HasKappa
	HasKappa    bool    // false where agreement by chance is certain, so that kappa is 0/0
	Lo, Hi      float64 // 95 % interval within [-1, 1]; present with HasKappa
	HasInterval bool
	Warnings    []string
}

// Kappa returns the agreement of two raters beyond chance (Cohen, Educ.
// Psychol. Meas. 20, 1960), with the large-sample interval of Fleiss, Cohen
// and Everitt (Psychol. Bull. 72, 1969). table[i][j] counts the items that the
// first rater put in category i and the second in j; it must be square.
func Kappa(table [][]int) Agreement {
	p, rows, columns, n := proportions(table)
	a := Agreement{N: n}
	if n == 0 {
		a.Warnings = []string{"n = 0: no item was rated by both"}
		return a
	}
	chance := 0.0
	for i := range p {
		a.Observed += p[i][i]
		chance += rows[i] * columns[i]
	}
	if 1-chance < 1e-12 {
		a.Warnings = []string{fmt.Sprintf("n = %d: both raters used one category only, so kappa is undefined", n)}
		return a
	}
	a.Kappa, a.HasKappa = (a.Observed-chance)/(1-chance), true
	z := distuv.UnitNormal.Quantile(0.5 + Confidence/2)
	half := z * math.Sqrt(kappaVariance(p, rows, columns, a.Observed, chance)/float64(n))
	a.Lo, a.Hi, a.HasInterval = max(-1, a.Kappa-half), min(1, a.Kappa+half), true
	a.Warnings = wideInterval(n, a.Lo, a.Hi)
	if n < 30 {
		a.Warnings = append(a.Warnings, fmt.Sprintf("n = %d: the interval of kappa supposes many items", n))
	}
	return a
}

func proportions(table [][]int) (p [][]float64, rows, columns []float64, n int) {
	for _, row := range table {
		for _, count := range row {
			n += count
		}
	}
	rows, columns = make([]float64, len(table)), make([]float64, len(table))
	p = make([][]float64, len(table))
	for i, row := range table {
		p[i] = make([]float64, len(table))
		for j, count := range row {
			share := float64(count) / float64(max(1, n))
			p[i][j] = share
			rows[i] += share
			columns[j] += share
		}
	}
	return p, rows, columns, n
}

// kappaVariance is n times the large-sample variance of kappa.
func kappaVariance(p [][]float64, rows, columns []float64, observed, chance float64) float64 {
	kappa := (observed - chance) / (1 - chance)
	var diagonal, beside float64
	for i := range p {
		d := 1 - (rows[i]+columns[i])*(1-kappa)
		diagonal += p[i][i] * d * d
		for j := range p {
			if i != j {
				s := columns[i] + rows[j]
				beside += p[i][j] * s * s
			}
		}
	}
	correction := kappa - chance*(1-kappa)
	variance := diagonal + (1-kappa)*(1-kappa)*beside - correction*correction
	return max(0, variance) / ((1 - chance) * (1 - chance))
}
