package stat

import "fmt"

// MeanClustered summarises values that come in clusters, such as the tokens of
// one reply or the samples of one query: the mean of all values, and its
// interval from whole clusters drawn with replacement, because the values of
// one cluster are no independent draws (Field and Welsh, J. R. Stat. Soc. B
// 69, 2007). N counts the values; clusters without any are left out.
func MeanClustered(clusters [][]float64, seed uint64) Summary {
	var sums, sizes []float64
	s := Summary{}
	for _, c := range clusters {
		if len(c) == 0 {
			continue
		}
		sum := 0.0
		for _, x := range c {
			sum += x
		}
		sums, sizes = append(sums, sum), append(sizes, float64(len(c)))
		s.N += len(c)
		s.Mean += sum
	}
	if s.N == 0 {
		return noValues()
	}
	s.Mean /= float64(s.N)
	if len(sums) == 1 {
		s.Warnings = []string{fmt.Sprintf("n = %d of one cluster: it has no interval", s.N)}
		return s
	}
	s.Lo, s.Hi = ratioInterval(sums, sizes, seed)
	s.HasInterval, s.Method = true, "cluster-bootstrap"
	if len(sums) < fewValues {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%d clusters: a bootstrap interval of so few is too narrow", len(sums)))
	}
	return s
}

// ratioInterval is the BCa interval of sum(sums)/sum(sizes) over clusters. The
// influence of a cluster on the ratio stands for it (Efron and Tibshirani, An
// Introduction to the Bootstrap, 1993, 14.3), which makes a mean of it that
// bootstrap knows, and is exact where all clusters are of one size.
func ratioInterval(sums, sizes []float64, seed uint64) (lo, hi float64) {
	var sum, size float64
	for i := range sums {
		sum += sums[i]
		size += sizes[i]
	}
	mean, average := sum/size, size/float64(len(sizes))
	influence := make([]float64, len(sums))
	for i := range sums {
		influence[i] = mean + (sums[i]-mean*sizes[i])/average
	}
	r := bootstrap(influence, Confidence, seed)
	return r.lo, r.hi
}
