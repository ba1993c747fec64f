package hub

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/ollama/ollama/fs/ggml"
)

// Tensor says where a tensor's numbers lie.
type Tensor struct {
	Name   string // in its file
	GGUF   string // GGUF's name for it in a LLaMA; empty where that has none
	File   string
	Type   string // as safetensors or GGUF calls it
	Shape  []int  // rows, then columns
	Data   io.ReaderAt
	Offset int64 // of the first byte in Data
	Size   int64 // bytes; 0 for a kind of unknown size
}

// Count is the number of numbers.
func (t Tensor) Count() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= int64(d)
	}
	return n
}

// Weights is a model whose files are open to be read.
type Weights struct {
	Source  string
	GGUF    bool // one GGUF file, and no folder
	Shape   Shape
	Tensors []Tensor // by name
	// Metadata tells the model by GGUF's keys. For a folder it is what a GGUF
	// file made of it would hold; nil where that cannot be told.
	Metadata map[string]any
	found    []Finding // while opening
	closers  []io.Closer
}

// Close closes the files.
func (w *Weights) Close() error {
	var errs []error
	for _, c := range w.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Llama reports whether the model is of the one architecture that is
// converted and run here.
func (w *Weights) Llama() bool { return w.Shape.Architecture == architecture }

// OpenFolder opens the files of a model that is not one GGUF file.
func OpenFolder(source string, m Model) (w *Weights, err error) {
	w = &Weights{Source: source, found: slices.Clone(m.Index)}
	if n := len(m.Others); n > 0 {
		w.found = append(w.found, Finding{Check: "files", Level: Remark, Where: m.Others[0], What: fmt.Sprintf("%d other files of weights lie beside the model and are not looked at", n),
			Mend: "give each model a folder of its own"})
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	texts := make(map[string][]byte)
	for _, f := range m.Files {
		if strings.HasSuffix(f.Name, ".safetensors") {
			if err := w.addSafetensors(f); err != nil {
				return w, err
			}
			continue
		}
		if texts[f.Name], err = readSettings(f.Path); err != nil {
			return w, err
		}
	}
	config, unusual, err := readShape(texts["config.json"])
	if err != nil {
		return w, &Error{"read config.json of " + source, err, "the file is damaged: get it again"}
	}
	w.Shape = config
	slices.SortFunc(w.Tensors, func(a, b Tensor) int { return cmp.Compare(a.Name, b.Name) })
	if w.Llama() {
		w.fault("config", unusual, "correct config.json: the weights cannot be read by it")
		words, found, err := readWords(texts, config)
		w.found = append(w.found, found...)
		w.fault("tokenizer", err, "get the tokenizer's files again: tokenizer.model or tokenizer.json, with tokenizer_config.json")
		if err == nil && unusual == nil {
			w.Metadata = config.metadata(words)
		}
	}
	return w, nil
}

func (w *Weights) fault(check string, err error, mend string) {
	if err != nil {
		w.found = append(w.found, Finding{Check: check, Level: Fault, What: strings.ReplaceAll(err.Error(), "\n", "; "), Mend: mend})
	}
}

func (w *Weights) addSafetensors(file File) error {
	f, err := os.Open(file.Path)
	if err != nil {
		return fmt.Errorf("read %s: %w", file.Path, err)
	}
	w.closers = append(w.closers, f)
	h, err := readHeader(f, file.Size)
	if err != nil {
		return &Error{"read " + file.Path, err, "get the file again, or name another source"}
	}
	for name, e := range h.tensors {
		if isRotary(name) {
			continue
		}
		t := Tensor{Name: name, GGUF: ggufName(name), File: file.Name, Type: e.DType, Data: f, Offset: h.start + e.Offsets[0], Size: e.Offsets[1] - e.Offsets[0]}
		for _, d := range e.Shape {
			t.Shape = append(t.Shape, int(d))
		}
		w.Tensors = append(w.Tensors, t)
	}
	return nil
}

// GGUFEntry is a tensor as the directory of a GGUF file names it.
type GGUFEntry struct {
	Name   string
	Kind   uint32
	Type   string
	Shape  []int // rows, then columns
	Offset int64 // in the file
}

// FromGGUF is the model of a GGUF file of size bytes, by its directory. closer
// is closed with it.
func FromGGUF(source string, metadata map[string]any, entries []GGUFEntry, file io.ReaderAt, size int64, closer io.Closer) *Weights {
	w := &Weights{Source: source, GGUF: true, Metadata: metadata, closers: []io.Closer{closer}}
	w.Shape = configOf(metadata)
	for _, e := range entries {
		t := Tensor{Name: e.Name, GGUF: e.Name, Type: e.Type, Shape: e.Shape, Data: file, Offset: e.Offset}
		kind := ggml.TensorType(e.Kind)
		if per := kind.TypeSize(); per > 0 && kind.BlockSize() > 0 {
			t.Size = t.Count() * int64(per) / int64(kind.BlockSize())
		}
		if t.Offset+t.Size > size {
			w.found = append(w.found, Finding{Check: "whole", Level: Fault, Where: t.Name,
				What: fmt.Sprintf("its numbers end at byte %d of a file of %d", t.Offset+t.Size, size), Mend: "get the file again: it is cut off"})
			t.Data = nil
		}
		w.Tensors = append(w.Tensors, t)
	}
	return w
}

// configOf is the shape that a GGUF file states, as a config.json would.
func configOf(metadata map[string]any) Shape {
	name, _ := metadata["general.architecture"].(string)
	number := func(key string, fallback int) int {
		switch v := metadata[name+"."+key].(type) {
		case uint64:
			return int(min(v, 1<<24))
		case int64:
			return int(max(0, min(v, 1<<24)))
		}
		return fallback
	}
	real := func(key string, fallback float64) float64 {
		if v, ok := metadata[name+"."+key].(float64); ok {
			return v
		}
		return fallback
	}
	c := Shape{Architecture: name, Hidden: number("embedding_length", 0), Intermediate: number("feed_forward_length", 0),
		Layers: number("block_count", 0), Heads: number("attention.head_count", 0), Positions: number("context_length", 0),
		Eps: real("attention.layer_norm_rms_epsilon", math.NaN()), Theta: real("rope.freq_base", 10000)}
	c.KVHeads = number("attention.head_count_kv", c.Heads)
	c.HeadDim = number("attention.key_length", c.Hidden/max(c.Heads, 1))
	tokens, _ := metadata["tokenizer.ggml.tokens"].([]string)
	c.Vocab = number("vocab_size", len(tokens))
	if name == "llama" {
		c.Architecture = architecture
	}
	if kind, ok := metadata[name+".rope.scaling.type"].(string); ok && kind != "none" {
		c.Scaling = Scaling{Kind: kind, Factor: real("rope.scaling.factor", 1), Original: number("rope.scaling.original_context_length", 0)}
	}
	return c
}
