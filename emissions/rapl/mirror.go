package rapl

import (
	"math"
	"math/bits"
	"time"
)

// mirror watches two dies of a socket for being one counter shown twice, as
// on AMD's multi-die processors (CodeCarbon #1274).
type mirror struct {
	kept, copy *counter
	recent     uint8  // the outcomes of the last comparisons, newest in bit 0
	compared   int    // how many of them there are
	sum        uint64 // kept's at the last comparison
}

// update is how far apart two showings of a counter may be in time.
const update = 10 * time.Millisecond

func pairMirrors(counters []*counter) []*mirror {
	var pairs []*mirror
	for i, a := range counters {
		for _, b := range counters[i+1:] {
			if a.counts() && b.counts() && a.place.socket == b.place.socket && a.place.domain == b.place.domain {
				pairs = append(pairs, &mirror{kept: a, copy: b})
			}
		}
	}
	return pairs
}

// compare takes the pair's growth since the start. One counter read twice
// agrees but for an update between the two reads. Until the growth is a
// hundred times what an update can be, only equality says anything.
func (p *mirror) compare() {
	a, b := float64(p.kept.sum), float64(p.copy.sum)
	if p.kept.sum == p.sum || b == 0 {
		return
	}
	p.sum = p.kept.sum
	apart := p.kept.last.at.Sub(p.copy.last.at).Abs() + update
	slack := p.kept.highW() * 1e6 * apart.Seconds()
	switch {
	case a == b:
		p.note(1)
	case slack > a/100:
		return
	case math.Abs(a-b) <= slack:
		p.note(1)
	default:
		p.note(0)
	}
}

func (p *mirror) note(outcome uint8) {
	p.recent = p.recent<<1 | outcome
	p.compared = min(p.compared+1, 8)
}

// same tells whether most of the recent comparisons agreed.
func (p *mirror) same() bool {
	return p.compared > 0 && 2*bits.OnesCount8(p.recent) >= p.compared
}
