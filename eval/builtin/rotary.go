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

// position is that of a row of the batch.
func (s *session) position(row int) int {
	if s.paths != nil {
		return len(s.paths[row]) - 1
	}
	return s.positions + row
}

// turn extends the session's rotations to those of a batch of n.
func (s *session) turn(n int) {
	end := 0
	for row := range n {
		end = max(end, s.position(row)+1)
	}
	for p := len(s.turns) / len(s.frequencies); p < end; p++ {
		for _, f := range s.frequencies {
			sin, cos := math.Sincos(float64(p) * f)
			s.turns = append(s.turns, turn{float32(sin), float32(cos)})
		}
	}
}

// rotate applies the rotary position embedding to every head of the next
// positions, a row each. The numbers come out in the order of RotaryPairs, so
// that a model gives the same sums in whichever layout it is stored.
func (s *session) rotate(x table) {
	half := s.headDim / 2
	turned := make([]float32, s.headDim)
	for row := range x.rows {
		turns := s.turns[s.position(row)*half:]
		for at := 0; at < x.cols; at += s.headDim {
			head := x.row(row)[at : at+s.headDim]
			for i, t := range turns[:half] {
				first, second := s.rotary.pair(i, s.headDim)
				a, b := head[first], head[second]
				turned[2*i] = float32(a*t.cos) - float32(b*t.sin)
				turned[2*i+1] = float32(a*t.sin) + float32(b*t.cos)
			}
			copy(head, turned)
		}
	}
}
