package builtin

import "math"

// Rotary is how the numbers of a head of q and k are laid out, which says
// which of them the rotary position embedding turns together. Nothing in a
// checkpoint tells it; a model read with another one than it was trained with
// still answers, with its positions scrambled.
type Rotary int

const (
	// RotaryPairs turns neighbours together: Meta's layout, and that of GGUF's
	// llama architecture.
	RotaryPairs Rotary = iota
	// RotaryHalves turns number i with number i + half a head: Hugging Face's
	// layout.
	RotaryHalves
	// RotaryTwice is Meta's layout after a conversion that took it for Hugging
	// Face's: what a GGUF file made from such a folder holds.
	RotaryTwice
)

// pair gives the two numbers of a head of size numbers that turn together with
// the i-th of its size/2 frequencies.
func (r Rotary) pair(i, size int) (a, b int) {
	switch half := size / 2; r {
	case RotaryHalves:
		return i, i + half
	case RotaryTwice:
		// The conversion moved number j*half+i to 2i+j.
		moved := func(n int) int { return 2*(n%half) + n/half }
		return moved(2 * i), moved(2*i + 1)
	}
	return 2 * i, 2*i + 1
}

// WithRotary is the same model, its weights in memory shared, with q and k
// read in another layout.
func (l *LLM) WithRotary(r Rotary) *LLM {
	other := *l
	other.rotary = r
	return &other
}

// rotate applies the rotary position embedding of the current position to
// every head. Its numbers come out in the order of RotaryPairs, so that a
// model gives the same sums in whichever layout it is stored.
func (s *session) rotate(x []float32) {
	for i := range s.headDim / 2 {
		angle := float64(s.positions) * math.Pow(s.ropeBase, -float64(2*i)/float64(s.headDim))
		sin64, cos64 := math.Sincos(angle)
		sin, cos := float32(sin64), float32(cos64)
		first, second := s.rotary.pair(i, s.headDim)
		for h := 0; h < len(x); h += s.headDim {
			a, b := x[h+first], x[h+second]
			s.turned[h+2*i] = float32(a*cos) - float32(b*sin)
			s.turned[h+2*i+1] = float32(a*sin) + float32(b*cos)
		}
	}
	copy(x, s.turned)
}
