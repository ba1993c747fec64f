package vector

import "math"

// Floor gathers, reply by reply, the mean cosine of replies with the
// references of other replies' queries: what is merely the language's. It
// keeps two sums of vectors, however many replies there are. The zero value is
// ready; all vectors must be of one dimension.
type Floor struct {
	n                   int
	replies, references []float64 // Σu and Σv, of unit vectors
	own                 float64   // Σ uᵢ·vᵢ
}

// Add takes one reply's vector and that of its reference, of any length; a
// pair with a zero vector or of another dimension is passed over and false.
func (f *Floor) Add(reply, reference []float64) bool {
	if f.n == 0 {
		f.replies, f.references = make([]float64, len(reply)), make([]float64, len(reference))
	}
	u, v := norm(reply), norm(reference)
	if !(u > 0 && v > 0) || len(reply) != len(reference) || len(reply) != len(f.replies) {
		return false
	}
	for i := range reply {
		f.replies[i] += reply[i] / u
		f.references[i] += reference[i] / v
		f.own += reply[i] / u * (reference[i] / v)
	}
	f.n++
	return true
}

// Value returns (Σu·Σv − Σ uᵢ·vᵢ)/(n(n−1)), in [-1, 1]; ok is false with fewer
// than two pairs.
func (f *Floor) Value() (floor float64, ok bool) {
	if f.n < 2 {
		return 0, false
	}
	all := 0.0
	for i := range f.replies {
		all += f.replies[i] * f.references[i]
	}
	n := float64(f.n)
	return max(-1, min(1, (all-f.own)/(n*(n-1)))), true
}

func norm(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum)
}
