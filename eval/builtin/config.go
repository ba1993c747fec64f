package builtin

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// maxWeights bounds what a model takes once expanded to float32: 2 GiB.
const maxWeights = 1 << 29

// config is the shape of a LLaMA model, checked against its tensors.
type config struct {
	vocab, dim, layers, hidden int
	heads, kvHeads, headDim    int
	context                    int // positions
	eps, ropeBase              float64
}

// metadata gives typed access to a file's values and keeps the first error.
type metadata struct {
	values map[string]any
	err    error
}

// integer is a whole number within [low, high]; fallback stands for a missing
// one unless it is negative.
func (m *metadata) integer(key string, fallback, low, high int) int {
	v, there := m.values[key]
	n := int64(-1)
	switch v := v.(type) {
	case uint64:
		n = int64(min(v, math.MaxInt64))
	case int64:
		n = v
	case nil:
		if !there && fallback >= 0 {
			return fallback
		}
	}
	if m.err == nil && (n < int64(low) || n > int64(high)) {
		m.err = fmt.Errorf("metadata %s is %v, not a whole number from %d to %d", key, describe(v, there), low, high)
	}
	return int(max(int64(low), min(n, int64(high))))
}

func (m *metadata) number(key string, fallback, low, high float64) float64 {
	v, there := m.values[key]
	if !there {
		v = fallback
	}
	n, ok := v.(float64)
	if m.err == nil && (!ok || !(n >= low && n <= high)) {
		m.err = fmt.Errorf("metadata %s is %v, not a number from %g to %g", key, describe(v, there), low, high)
	}
	return n
}

func (m *metadata) boolean(key string, fallback bool) bool {
	if b, ok := m.values[key].(bool); ok {
		return b
	}
	return fallback
}

func (m *metadata) text(key string) string {
	s, _ := m.values[key].(string)
	return s
}

func describe(v any, there bool) any {
	if !there {
		return "missing"
	}
	if s := fmt.Sprint(v); len(s) <= 40 {
		return s
	}
	return "too long"
}

// readConfig checks that the file is a LLaMA model that this engine computes
// exactly as it was meant, and refuses everything else by name.
func readConfig(f *ggufFile) (config, error) {
	m := &metadata{values: f.values}
	if arch := m.text("general.architecture"); arch != "llama" {
		return config{}, fmt.Errorf("architecture %.40q: the built-in engine runs only llama (use Ollama for others)", arch)
	}
	if n := m.integer("llama.expert_count", 0, 0, 1<<20); n > 0 {
		return config{}, fmt.Errorf("a mixture of %d experts: the built-in engine runs only dense llama models", n)
	}
	if s := m.text("llama.rope.scaling.type"); s != "" && s != "none" {
		return config{}, fmt.Errorf("rope scaling %.40q: the built-in engine runs only unscaled positions", s)
	}
	c := config{
		dim:      m.integer("llama.embedding_length", -1, 1, 1<<14),
		layers:   m.integer("llama.block_count", -1, 1, 256),
		hidden:   m.integer("llama.feed_forward_length", -1, 1, 1<<16),
		heads:    m.integer("llama.attention.head_count", -1, 1, 1024),
		context:  m.integer("llama.context_length", -1, 2, 1<<20),
		eps:      m.number("llama.attention.layer_norm_rms_epsilon", math.NaN(), 1e-12, 1),
		ropeBase: m.number("llama.rope.freq_base", 10000, 1, 1e9),
	}
	c.kvHeads = m.integer("llama.attention.head_count_kv", c.heads, 1, c.heads)
	c.headDim = m.integer("llama.attention.key_length", c.dim/c.heads, 2, 1<<12)
	value := m.integer("llama.attention.value_length", c.headDim, 2, 1<<12)
	rope := m.integer("llama.rope.dimension_count", c.headDim, 2, 1<<12)
	if m.err != nil {
		return config{}, m.err
	}
	if c.heads%c.kvHeads != 0 || c.headDim%2 != 0 || value != c.headDim || rope != c.headDim {
		return config{}, fmt.Errorf("attention of %d heads over %d, sizes %d, %d and %d: the built-in engine needs heads that divide and one even size", c.heads, c.kvHeads, c.headDim, value, rope)
	}
	if c.vocab = f.vocabSize(m); m.err != nil {
		return config{}, m.err
	}
	return c, c.checkTensors(f)
}

// vocabSize is the number of tokens. Only a Checkpoint may have none of its own.
func (f *ggufFile) vocabSize(m *metadata) int {
	tokens, ok := f.values["tokenizer.ggml.tokens"].([]string)
	if !ok && f.file == nil {
		return m.integer("llama.vocab_size", -1, 2, maxVocab)
	}
	return len(tokens)
}

// shapes lists the tensors of a model: a name and its dimensions, the number
// of inputs first as GGUF has it.
func (c config) shapes() map[string][]int {
	q, kv := c.heads*c.headDim, c.kvHeads*c.headDim
	out := map[string][]int{
		"token_embd.weight":  {c.dim, c.vocab},
		"output_norm.weight": {c.dim},
		"output.weight":      {c.dim, c.vocab},
	}
	for i := range c.layers {
		for name, shape := range map[string][]int{
			"attn_norm": {c.dim}, "ffn_norm": {c.dim},
			"attn_q": {c.dim, q}, "attn_k": {c.dim, kv}, "attn_v": {c.dim, kv}, "attn_output": {q, c.dim},
			"ffn_gate": {c.dim, c.hidden}, "ffn_up": {c.dim, c.hidden}, "ffn_down": {c.hidden, c.dim},
		} {
			out[blockName(i, name)] = shape
		}
	}
	return out
}

func blockName(layer int, name string) string {
	return fmt.Sprintf("blk.%d.%s.weight", layer, name)
}

// checkTensors wants exactly the tensors of the shape; a file without an
// output matrix uses its embedding for it.
func (c config) checkTensors(f *ggufFile) error {
	want := c.shapes()
	if _, ok := f.tensors["output.weight"]; !ok {
		delete(want, "output.weight")
	}
	total := 0
	for _, name := range slices.Sorted(maps.Keys(want)) {
		t, ok := f.tensors[name]
		if !ok {
			return fmt.Errorf("tensor %s is missing", name)
		}
		if !slices.Equal(t.shape, want[name]) {
			return fmt.Errorf("tensor %s has the shape %v where the metadata ask for %v", name, t.shape, want[name])
		}
		total += t.count
	}
	for _, name := range slices.Sorted(maps.Keys(f.tensors)) {
		if want[name] == nil {
			return fmt.Errorf("tensor %.60q is not part of a plain llama model", name)
		}
	}
	if total > maxWeights {
		return fmt.Errorf("%d weights: the built-in engine is for small models, up to %d", total, maxWeights)
	}
	return nil
}

// quantization names how the matrices are stored, such as F16 or F16+Q8_0.
func (f *ggufFile) quantization() string {
	var names []string
	for _, t := range f.tensors {
		if len(t.shape) == 2 && !slices.Contains(names, t.kind.String()) {
			names = append(names, t.kind.String())
		}
	}
	slices.Sort(names)
	return strings.Join(names, "+")
}

// bytes is what all tensors take where they are stored.
func (f *ggufFile) bytes() int64 {
	var n int64
	for _, t := range f.tensors {
		size, _ := t.kind.size(t.shape) // checked when the directory was read
		n += size
	}
	return n
}

// memory is what all tensors take once loaded.
func (f *ggufFile) memory() int64 {
	var n int64
	for _, t := range f.tensors {
		n += t.held().bytes(t.count)
	}
	return n
}

// parameters counts the numbers in all tensors.
func (f *ggufFile) parameters() int64 {
	var n int64
	for _, t := range f.tensors {
		n += int64(t.count)
	}
	return n
}
