package builtin

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// model is a LLaMA model expanded to float32. It is read only once loaded, so
// any number of sessions may share it.
type model struct {
	config
	embedding, output matrix
	outputNorm        []float32
	blocks            []block
	words             *vocabulary
	rotary            Rotary
}

// block is one transformer layer: attention, then the gated feed-forward net.
type block struct {
	attnNorm, ffnNorm []float32
	q, k, v, o        matrix
	gate, up, down    matrix
}

// readModel loads the weights of a checked file.
func readModel(f *ggufFile, c config, v *vocabulary) (*model, error) {
	var failed error
	load := func(name string) []float32 {
		if failed != nil {
			return nil
		}
		data, err := readTensor(f.tensors[name])
		if err != nil {
			failed = fmt.Errorf("tensor %s: %w", name, err)
		}
		return data
	}
	q := c.heads * c.headDim
	m := &model{config: c, words: v, outputNorm: load("output_norm.weight")}
	m.embedding = matrix{c.dim, load("token_embd.weight")}
	m.output = m.embedding
	if _, ok := f.tensors["output.weight"]; ok {
		m.output = matrix{c.dim, load("output.weight")}
	}
	for i := range c.layers {
		part := func(name string) []float32 { return load(blockName(i, name)) }
		m.blocks = append(m.blocks, block{
			attnNorm: part("attn_norm"), ffnNorm: part("ffn_norm"),
			q: matrix{c.dim, part("attn_q")}, k: matrix{c.dim, part("attn_k")}, v: matrix{c.dim, part("attn_v")}, o: matrix{q, part("attn_output")},
			gate: matrix{c.dim, part("ffn_gate")}, up: matrix{c.dim, part("ffn_up")}, down: matrix{c.hidden, part("ffn_down")},
		})
	}
	return m, failed
}

// session is one text in work: the keys and values of its positions so far,
// and room to compute in.
type session struct {
	*model
	keys, values [][]float32 // by layer; one row a position
	positions    int         // so far

	x, norm, q, attn, out []float32
	turned                []float32 // q or k, rotated
	gate, up, logits      []float32
	scores                []float32 // one a position
}

// newSession is an empty text. Its memory grows with the positions, not with
// the context length that a file claims.
func (m *model) newSession() *session {
	q := m.heads * m.headDim
	return &session{
		model: m,
		x:     make([]float32, m.dim), norm: make([]float32, m.dim), out: make([]float32, m.dim),
		q: make([]float32, q), attn: make([]float32, q), turned: make([]float32, q),
		gate: make([]float32, m.hidden), up: make([]float32, m.hidden),
		logits: make([]float32, m.vocab),
		keys:   make([][]float32, m.layers), values: make([][]float32, m.layers),
	}
}

// step reads one token at the next position.
func (s *session) step(token int32) {
	copy(s.x, s.embedding.row(int(token)))
	s.scores = append(s.scores, 0)
	for i := range s.blocks {
		b := &s.blocks[i]
		rmsNorm(s.norm, s.x, b.attnNorm, s.eps)
		s.attend(i, b)
		add(s.x, s.out)
		rmsNorm(s.norm, s.x, b.ffnNorm, s.eps)
		b.gate.mul(s.gate, s.norm)
		b.up.mul(s.up, s.norm)
		for j, g := range s.gate {
			s.gate[j] = silu(g) * s.up[j]
		}
		b.down.mul(s.out, s.gate)
		add(s.x, s.out)
	}
	s.positions++
}

// prefill reads tokens at the next positions. Where each is not nil it is
// called for every one of them, in order, with the logits of the token that
// follows; the slice is the session's own. The numbers are those of step.
func (s *session) prefill(ctx context.Context, tokens []int32, each func(i int, logits []float32)) error {
	for i, id := range tokens {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.step(id)
		if each != nil {
			each(i, s.predict())
		}
	}
	return nil
}

// rewind forgets what was read at a position and after it.
func (s *session) rewind(position int) {
	kv := s.kvHeads * s.headDim
	for i := range s.keys {
		s.keys[i], s.values[i] = s.keys[i][:position*kv], s.values[i][:position*kv]
	}
	s.scores = s.scores[:position]
	s.positions = position
}

// predict gives the logits of the next token after the last step. The slice
// is the session's own.
func (s *session) predict() []float32 {
	rmsNorm(s.norm, s.x, s.outputNorm, s.eps)
	s.output.mul(s.logits, s.norm)
	return s.logits
}

// attend sets out to the attention of the current position over all so far.
func (s *session) attend(layer int, b *block) {
	kv := s.kvHeads * s.headDim
	n := s.positions
	s.keys[layer] = slices.Grow(s.keys[layer], kv)[:(n+1)*kv]
	s.values[layer] = slices.Grow(s.values[layer], kv)[:(n+1)*kv]
	k, v := s.keys[layer][n*kv:], s.values[layer][n*kv:]
	b.q.mul(s.q, s.norm)
	b.k.mul(k, s.norm)
	b.v.mul(v, s.norm)
	s.rotate(s.q)
	s.rotate(k)
	for h := range s.heads {
		group := h / (s.heads / s.kvHeads) * s.headDim
		s.head(h*s.headDim, s.keys[layer][group:], s.values[layer][group:], kv)
	}
	b.o.mul(s.out, s.attn)
}

// head attends for the head whose numbers start at: keys and values start at
// its group and have one row of stride numbers a position.
func (s *session) head(at int, keys, values []float32, stride int) {
	q, out := s.q[at:at+s.headDim], s.attn[at:at+s.headDim]
	scale := float32(1 / math.Sqrt(float64(s.headDim)))
	for t := range s.scores {
		s.scores[t] = dot(q, keys[t*stride:t*stride+s.headDim]) * scale
	}
	softmax(s.scores)
	clear(out)
	for t, p := range s.scores {
		for i, v := range values[t*stride : t*stride+s.headDim] {
			out[i] += float32(p * v)
		}
	}
}
