package text

import (
	"math/bits"
	"slices"
)

// table gives the distinct tokens of a text numbers from 0, by open addressing.
type table struct {
	slots []slot
	shift uint
	seen  uint64 // one bit for each of 64 classes of keys, to pass over strangers
	used  int
	from  *tokens // the text whose tokens are interned
}

type slot struct {
	key    uint64
	index  int32 // in the text's tokens
	number int32 // plus one; 0 where the slot is free
}

// hashMultiplier spreads keys over the upper bits (2^64 over the golden ratio).
const hashMultiplier = 0x9E3779B97F4A7C15

func hash(key uint64) uint64 { return (key ^ key>>32) * hashMultiplier }

// reset empties the table and makes room for the tokens of a text.
func (t *table) reset(from *tokens) {
	size := 8
	for size < 2*from.count() {
		size *= 2
	}
	if cap(t.slots) < size || cap(t.slots) > keepScratch {
		t.slots = make([]slot, size)
	}
	t.slots = t.slots[:size]
	clear(t.slots)
	t.shift = uint(64 - bits.Len(uint(size-1)))
	t.seen, t.used, t.from = 0, 0, from
}

func (t *table) maybe(key uint64) bool { return t.seen>>(hash(key)>>58)&1 != 0 }

// find returns the slot that holds the i-th token of text, or the free one
// where it belongs.
func (t *table) find(text *tokens, i int) *slot {
	key, mask := text.keys[i], len(t.slots)-1
	for at := int(hash(key) >> t.shift); ; at++ {
		s := &t.slots[at&mask]
		if s.number == 0 || s.key == key && (key < longToken || t.from.equal(int(s.index), text, i)) {
			return s
		}
	}
}

// intern returns the number of the i-th token of the table's own text.
func (t *table) intern(i int) int32 {
	s := t.find(t.from, i)
	if s.number == 0 {
		t.used++
		s.key, s.index, s.number = t.from.keys[i], int32(i), int32(t.used)
		t.seen |= 1 << (hash(s.key) >> 58)
	}
	return s.number - 1
}

// lookup returns the number of a token of another text, -1 for a stranger.
func (t *table) lookup(text *tokens, i int) int32 { return t.find(text, i).number - 1 }

// blocks computes the length of a longest common subsequence 64 tokens of the
// pattern at a time (Hyyrö, Bit-parallel LCS-length computation revisited,
// 2004). One block runs over the whole text before the next begins, and hands
// it the carries, so that memory is linear however long both sides are.
type blocks struct {
	masks   []uint64 // of each token number, where it stands in the block
	carries []uint8  // out of the block before, at each position of the text
}

// length returns the LCS of two sequences of numbers below distinct.
func (b *blocks) length(pattern, text []int32, distinct int) int {
	b.reset(distinct, len(text))
	total := 0
	for from := 0; from < len(pattern); from += 64 {
		block := pattern[from:min(from+64, len(pattern))]
		for i, number := range block {
			b.masks[number] |= 1 << i
		}
		v := ^uint64(0)
		carries := b.carries[:len(text)]
		for j, number := range text {
			u := v & b.masks[number]
			sum, carry := bits.Add64(v, u, uint64(carries[j]))
			carries[j] = uint8(carry)
			v = sum | v&^u
		}
		inBlock := ^uint64(0) >> (64 - len(block))
		total += bits.OnesCount64(^v & inBlock)
		for _, number := range block {
			b.masks[number] = 0
		}
	}
	return total
}

func (b *blocks) reset(distinct, length int) {
	if cap(b.masks) < distinct || cap(b.masks) > keepScratch {
		b.masks = make([]uint64, distinct)
	}
	b.masks = b.masks[:cap(b.masks)] // all zero: every block clears what it sets
	if cap(b.carries) < length || cap(b.carries) > keepScratch {
		b.carries = make([]uint8, length)
	}
	b.carries = b.carries[:length]
	clear(b.carries)
}

// Shared is a token that stands in the longest common subsequence of reference
// and text, by the bytes of either.
type Shared struct {
	ReferenceStart, ReferenceEnd int
	TextStart, TextEnd           int
}

// alignCells bounds the table of Align, at four bytes a cell.
const alignCells = 1 << 24

// Align returns the tokens of a longest common subsequence in order, for a
// reader to see; ok is false where the texts are too long to align, beyond 16
// million pairs of tokens. It is for explaining, not for scoring, and allocates.
func (s *Scorer) Align(reference, text string) (shared []Shared, ok bool) {
	r, t := &s.rouge[0], &s.rouge[1]
	r.reset(reference)
	t.reset(text)
	n, m := r.count(), t.count()
	if (n+1)*(m+1) > alignCells {
		return nil, false
	}
	same := func(i, j int) bool { return r.equal(i, t, j) }
	longest := slices.Grow(s.longest[:0], (n+1)*(m+1))[:(n+1)*(m+1)] // of the tokens from i and from j on
	clear(longest)
	s.longest = longest
	at := func(i, j int) *int32 { return &longest[i*(m+1)+j] }
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if same(i, j) {
				*at(i, j) = *at(i+1, j+1) + 1
			} else {
				*at(i, j) = max(*at(i+1, j), *at(i, j+1))
			}
		}
	}
	for i, j := 0, 0; i < n && j < m; {
		switch {
		case same(i, j):
			var both Shared
			both.ReferenceStart, both.ReferenceEnd = r.offsets(i, reference)
			both.TextStart, both.TextEnd = t.offsets(j, text)
			shared = append(shared, both)
			i, j = i+1, j+1
		case *at(i+1, j) >= *at(i, j+1):
			i++
		default:
			j++
		}
	}
	return shared, true
}
