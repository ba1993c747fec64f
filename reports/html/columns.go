package html

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
)

// columns are facts of every reply, by model, query and sample, and of every
// query. Scores, times and lengths are rounded to a byte, which tells enough to
// sort by: 0 is no value.
type columns struct {
	queries, samples int
	replies          int // outcomes taken in

	facts    []uint16 // the outcome in the lowest outcomeBits, then a bit for every flag
	category []uint16 // by query
	piece    []uint16 // by query: the number of its piece, from 1; 0: left out
	rouge    []uint8  // 1 + 254 F1
	cosine   []uint8  // 1 + 127 (cosine + 1)
	latency  []uint8  // 1 + 12 log2(1 + ms)
	length   []uint8  // 1 + 12 log2(1 + characters)

	flags []string // in the order of their bits
}

const (
	outcomeBits = 3
	mostFlags   = 16 - outcomeBits
	perOctave   = 12 // steps of latency and length
)

func newColumns(models, queries, samples int) *columns {
	n := models * queries * samples
	return &columns{queries: queries, samples: samples, facts: make([]uint16, n), category: make([]uint16, queries), piece: make([]uint16, queries),
		rouge: make([]uint8, n), cosine: make([]uint8, n), latency: make([]uint8, n), length: make([]uint8, n)}
}

// add takes in one outcome.
func (c *columns) add(model, query int, s eval.ScoredReply) error {
	at := (model*c.queries+query)*c.samples + s.Reply.JobID.Sample
	c.replies++
	facts := outcomeOf(s)
	for _, name := range s.Flags {
		bit := slices.Index(c.flags, name)
		if bit < 0 {
			if bit = len(c.flags); bit == mostFlags {
				return fmt.Errorf("the reply of %s has the flag %q, and there are %d others", s.Reply.JobID, name, mostFlags)
			}
			c.flags = append(c.flags, name)
		}
		facts |= 1 << (outcomeBits + bit)
	}
	c.facts[at] = facts
	c.rouge[at] = step(metrics.Find(s.Scores, metrics.RougeLF1).Number(), 0, 254)
	c.cosine[at] = step(metrics.Find(s.Scores, metrics.Cosine).Number(), -1, 127)
	if t := s.Reply.Timing; !t.Start.IsZero() && !t.End.IsZero() {
		c.latency[at] = octaves(float64(t.Latency().Nanoseconds()) / 1e6)
	}
	c.length[at] = octaves(float64(utf8.RuneCountInString(s.Reply.Text)))
	return nil
}

// step rounds a value to steps of 1/perOne from least up.
func step(v *float64, least, perOne float64) uint8 {
	if v == nil {
		return 0
	}
	return inByte(perOne * (*v - least))
}

// octaves rounds a value to a twelfth of its doublings.
func octaves(v float64) uint8 { return inByte(perOctave * math.Log2(1+max(0, v))) }

func inByte(x float64) uint8 { return uint8(1 + min(254, max(0, math.Round(x)))) }

// place notes in which piece queries are.
func (c *columns) place(queries []int32, piece int) {
	for _, q := range queries {
		c.piece[q] = uint16(piece)
	}
}

// held is of how many queries the texts are in the page.
func (c *columns) held() (n int) {
	for _, p := range c.piece {
		if p > 0 {
			n++
		}
	}
	return n
}

// bytes are all columns one after the other, the wide ones little-endian first.
func (c *columns) bytes() []byte {
	out := make([]byte, 0, 2*(len(c.facts)+2*c.queries)+4*len(c.facts))
	for _, wide := range [][]uint16{c.facts, c.category, c.piece} {
		for _, v := range wide {
			out = binary.LittleEndian.AppendUint16(out, v)
		}
	}
	return slices.Concat(out, c.rouge, c.cosine, c.latency, c.length)
}
