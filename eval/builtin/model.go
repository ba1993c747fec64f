package builtin

import (
	"fmt"
	"math"
)

// model is a LLaMA model in memory. It is read only once loaded, so any number
// of sessions may share it.
type model struct {
	config
	embedding, output matrix
	outputNorm        []float32
	blocks            []block
	words             *vocabulary // nil: the model takes ids only
	rotary            Rotary
	frequencies       []float64 // of the rotary embedding: radians a position
}

// block is one transformer layer: attention, then the gated feed-forward net.
type block struct {
	attnNorm, ffnNorm []float32
	q, k, v, o        matrix
	gate, up, down    matrix
}

// readModel loads the weights of a checked file.
func readModel(f *ggufFile, c config, v *vocabulary) (*model, error) {
	l := &loader{file: f}
	m := &model{config: c, words: v,
		embedding: l.matrix("token_embd.weight"), outputNorm: l.vector("output_norm.weight")}
	m.output = m.embedding
	if _, ok := f.tensors["output.weight"]; ok {
		m.output = l.matrix("output.weight")
	}
	for i := range c.layers {
		part := func(name string) matrix { return l.matrix(blockName(i, name)) }
		m.blocks = append(m.blocks, block{
			attnNorm: l.vector(blockName(i, "attn_norm")), ffnNorm: l.vector(blockName(i, "ffn_norm")),
			q: part("attn_q"), k: part("attn_k"), v: part("attn_v"), o: part("attn_output"),
			gate: part("ffn_gate"), up: part("ffn_up"), down: part("ffn_down"),
		})
	}
	for i := range c.headDim / 2 {
		m.frequencies = append(m.frequencies, math.Pow(c.ropeBase, -float64(2*i)/float64(c.headDim)))
	}
	return m, l.err
}

// loader reads tensors up to the first error.
type loader struct {
	file *ggufFile
	err  error
}

func (l *loader) matrix(name string) matrix { return load(l, name, tensorInfo.matrix) }

func (l *loader) vector(name string) []float32 { return load(l, name, tensorInfo.floats) }

func load[T any](l *loader, name string, read func(tensorInfo) (T, error)) (out T) {
	if l.err != nil {
		return out
	}
	out, err := read(l.file.tensors[name])
	if err != nil {
		l.err = fmt.Errorf("tensor %s: %w", name, err)
	}
	return out
}
