package builtin

import (
	"context"
	"math"
	"slices"
	"sync"
)

// batch is how many positions are computed at once: enough that each weight is
// read for many of them, few enough that their numbers stay in the cache.
const batch = 64

// session is one text in work: the keys and values of its positions so far,
// and room to compute in. Its memory grows with the positions, not with the
// context length that a file claims.
type session struct {
	*model
	keys, values [][]float32 // by layer; one row a position
	turns        []turn      // of each position, one a frequency
	positions    int         // so far: the rows of keys and values
	paths        [][]int     // where texts share their beginnings: the rows that each of the batch attends to, itself the last; nil: all up to itself

	x, norm, q, attn, out, gate, up, logits []float32 // one row a position of the batch
	last                                    []float32 // the row of x of the last position
}

// turn is a rotation.
type turn struct{ sin, cos float32 }

func (m *model) newSession() *session {
	return &session{model: m, keys: make([][]float32, m.layers), values: make([][]float32, m.layers)}
}

// step reads one token at the next position.
func (s *session) step(token int32) { s.forward([]int32{token}) }

// prefill reads tokens at the next positions, in batches. Where each is not
// nil it is called for every one of them, in order, with the logits of the
// token that follows; the slice is the session's own. The numbers are those
// of one step after the other. When ctx ends, the error is ctx.Err() after at
// most one more batch.
func (s *session) prefill(ctx context.Context, tokens []int32, each func(i int, logits []float32)) error {
	for from := 0; from < len(tokens); from += batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(from+batch, len(tokens))
		s.forward(tokens[from:to])
		if each == nil {
			continue
		}
		all := s.predictions(newTable(s.x, to-from, s.dim))
		for i := range all.rows {
			each(from+i, all.row(i))
		}
	}
	return nil
}

// predict gives the logits of the next token after the last one read. The
// slice is the session's own.
func (s *session) predict() []float32 { return s.predictions(newTable(s.last, 1, s.dim)).row(0) }

func (s *session) predictions(x table) table {
	norm, logits := room(&s.norm, x.rows, s.dim), room(&s.logits, x.rows, s.vocab)
	normalise(norm, x, s.outputNorm, s.eps)
	s.output.mul(logits, norm)
	return logits
}

// room is a table in a buffer that grows as needed. Its numbers are whatever
// was there.
func room(buffer *[]float32, rows, cols int) table {
	*buffer = slices.Grow((*buffer)[:0], rows*cols)[:rows*cols]
	return newTable(*buffer, rows, cols)
}

func normalise(out, x table, weight []float32, eps float64) {
	for i := range x.rows {
		rmsNorm(out.row(i), x.row(i), weight, eps)
	}
}

// forward reads tokens at the next positions, one batch at most.
func (s *session) forward(tokens []int32) {
	n := len(tokens)
	x, norm, out := room(&s.x, n, s.dim), room(&s.norm, n, s.dim), room(&s.out, n, s.dim)
	gate, up := room(&s.gate, n, s.hidden), room(&s.up, n, s.hidden)
	for i, id := range tokens {
		s.embedding.widen(x.row(i), int(id))
	}
	s.turn(n)
	for i := range s.blocks {
		b := &s.blocks[i]
		normalise(norm, x, b.attnNorm, s.eps)
		s.attend(out, norm, i)
		add(x.data, out.data)
		normalise(norm, x, b.ffnNorm, s.eps)
		b.gate.mul(gate, norm)
		b.up.mul(up, norm)
		split(n, 1, n*s.hidden*siluCost, func(from, to int) {
			gateBy(gate.data[from*s.hidden:to*s.hidden], up.data[from*s.hidden:])
		})
		b.down.mul(out, gate)
		add(x.data, out.data)
	}
	s.positions += n
	s.last = x.row(n - 1)
}

// siluCost is about how many multiplications one silu takes as long as.
const siluCost = 100

// attend sets out to the attention of the next positions, whose normalised
// numbers norm has, over all up to themselves.
func (s *session) attend(out, norm table, layer int) {
	b := &s.blocks[layer]
	n := norm.rows
	q, attn := room(&s.q, n, s.heads*s.headDim), room(&s.attn, n, s.heads*s.headDim)
	keys, values := s.extend(&s.keys[layer], n), s.extend(&s.values[layer], n)
	b.q.mul(q, norm)
	b.k.mul(keys.from(s.positions, n), norm)
	b.v.mul(values.from(s.positions, n), norm)
	s.rotate(q)
	s.rotate(keys.from(s.positions, n))
	split(s.heads, 1, s.heads*n*keys.rows*(2*s.headDim+siluCost), func(from, to int) {
		scores := scorePool.Get().(*[]float32)
		defer scorePool.Put(scores)
		for h := from; h < to; h++ {
			group := h / (s.heads / s.kvHeads) * s.headDim
			s.head(attn.columns(h*s.headDim, s.headDim), q.columns(h*s.headDim, s.headDim),
				keys.columns(group, s.headDim), values.columns(group, s.headDim), room(scores, n, keys.rows))
		}
	})
	b.o.mul(out, attn)
}

// scorePool keeps the rooms that heads compute their scores in.
var scorePool = sync.Pool{New: func() any { return new([]float32) }}

// extend makes room for n positions more in keys or values.
func (s *session) extend(rows *[]float32, n int) table {
	kv := s.kvHeads * s.headDim
	have, want := s.positions*kv, (s.positions+n)*kv
	*rows = slices.Grow((*rows)[:have], want-have)[:want]
	return newTable(*rows, s.positions+n, kv)
}

// head attends for one head: each row of q over the keys and values that it
// sees.
func (s *session) head(out, q, keys, values, scores table) {
	multiply(scores, keys, q)
	scale := float32(1 / math.Sqrt(float64(s.headDim)))
	for i := range q.rows {
		seen := scores.row(i)[:s.positions+i+1]
		if s.paths != nil {
			seen = gather(seen, s.paths[i])
		}
		for t := range seen {
			seen[t] *= scale
		}
		softmax(seen)
		if s.paths != nil {
			seen = scatter(scores.row(i)[:s.positions+i+1], s.paths[i])
		}
		weigh(out.row(i), seen, values)
	}
}

// gather moves the numbers of x at the places of path, which rise, to its
// beginning.
func gather(x []float32, path []int) []float32 {
	for i, at := range path {
		x[i] = x[at]
	}
	return x[:len(path)]
}

// scatter moves them back, with 0 between: adding 0 times a value leaves every
// bit of a sum as it is.
func scatter(x []float32, path []int) []float32 {
	end := len(x)
	for i := len(path) - 1; i >= 0; i-- {
		at := path[i]
		x[at] = x[i]
		clear(x[at+1 : end])
		end = at
	}
	return x
}
