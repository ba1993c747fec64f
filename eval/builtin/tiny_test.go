package builtin

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// tiny is a LLaMA of one layer that a test can spoil before it is written.
type tiny struct {
	keys    []key
	tensors []tensor
}

type key struct {
	name  string
	value any
}

type tensor struct {
	name   string
	shape  []uint64
	kind   uint32
	data   []byte
	offset int64 // -1: where the data are
}

func (m *tiny) set(name string, value any) {
	m.unset(name)
	m.keys = append(m.keys, key{name, value})
}

func (m *tiny) unset(name string) {
	m.keys = slices.DeleteFunc(m.keys, func(k key) bool { return k.name == name })
}

func (m *tiny) tensor(name string) *tensor {
	return &m.tensors[slices.IndexFunc(m.tensors, func(t tensor) bool { return t.name == name })]
}

// newTiny has 32 numbers wide F32 weights that grow slowly, and the tokens a to h.
func newTiny() *tiny {
	m := &tiny{keys: []key{
		{"general.architecture", "llama"},
		{"llama.context_length", uint32(16)},
		{"llama.embedding_length", uint32(32)},
		{"llama.block_count", uint32(1)},
		{"llama.feed_forward_length", uint32(32)},
		{"llama.attention.head_count", uint32(2)},
		{"llama.attention.layer_norm_rms_epsilon", float32(1e-5)},
		{"tokenizer.ggml.model", "llama"},
		{"tokenizer.ggml.tokens", []string{"<unk>", "<s>", "</s>", "▁", "a", "b", "c", "ab", "▁ab", "▁a"}},
		{"tokenizer.ggml.scores", []float32{0, 0, 0, -6, -7, -8, -9, -1, -2, -3}},
		{"tokenizer.ggml.token_type", []int32{2, 3, 3, 1, 1, 1, 1, 1, 1, 1}},
	}}
	wide := func(name string, rows int) {
		data := make([]byte, 0, rows*32*4)
		for i := range rows * 32 {
			data = binary.LittleEndian.AppendUint32(data, f32bits(float32(i%7)-3+float32(i%11)/16))
		}
		shape := []uint64{32, uint64(rows)}
		if rows == 1 {
			shape = shape[:1]
		}
		m.tensors = append(m.tensors, tensor{name, shape, 0, data, -1})
	}
	wide("token_embd.weight", 10)
	wide("output.weight", 10)
	wide("output_norm.weight", 1)
	for _, name := range []string{"attn_norm", "ffn_norm"} {
		wide(blockName(0, name), 1)
	}
	for _, name := range []string{"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"} {
		wide(blockName(0, name), 32)
	}
	return m
}

// bytes is the file.
func (m *tiny) bytes() []byte {
	var w bytes.Buffer
	m.write(&w)
	return w.Bytes()
}

// write writes the file: the directory, then the tensors.
func (m *tiny) write(to io.Writer) {
	var w bytes.Buffer
	put := func(v any) { binary.Write(&w, binary.LittleEndian, v) }
	text := func(s string) { put(uint64(len(s))); w.WriteString(s) }
	w.WriteString("GGUF")
	put(uint32(3))
	put(uint64(len(m.tensors)))
	put(uint64(len(m.keys)))
	for _, k := range m.keys {
		text(k.name)
		writeValue(k.value, put, text)
	}
	next := 0
	for _, t := range m.tensors {
		text(t.name)
		put(uint32(len(t.shape)))
		put(t.shape)
		put(t.kind)
		if t.offset >= 0 {
			put(uint64(t.offset))
		} else {
			put(uint64(next))
		}
		next += len(t.data) + -len(t.data)&31
	}
	w.Write(make([]byte, -w.Len()&31))
	to.Write(w.Bytes())
	for _, t := range m.tensors {
		to.Write(t.data)
		to.Write(make([]byte, -len(t.data)&31))
	}
}

func writeValue(value any, put func(any), text func(string)) {
	list := func(kind uint32, n int) { put(uint32(typeArray)); put(kind); put(uint64(n)) }
	switch v := value.(type) {
	case uint32:
		put(uint32(typeUint32))
		put(v)
	case float32:
		put(uint32(typeFloat32))
		put(v)
	case bool:
		put(uint32(typeBool))
		put(v)
	case string:
		put(uint32(typeString))
		text(v)
	case []string:
		list(typeString, len(v))
		for _, s := range v {
			text(s)
		}
	case []float32:
		list(typeFloat32, len(v))
		put(v)
	case []int32:
		list(typeInt32, len(v))
		put(v)
	case []uint8:
		list(typeUint8, len(v))
		put(v)
	default:
		panic(fmt.Sprintf("no way to write a %T", value))
	}
}

// openBytes opens a file of these bytes.
func openBytes(t testing.TB, raw []byte) (*LLM, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny.gguf")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return Open(path)
}
