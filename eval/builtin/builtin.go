// Package builtin runs small LLaMA models in this process: three miniatures
// that are part of the program, and a user's own GGUF file.
//
// Policy: a model is computed as it was meant or refused by name. Only dense
// LLaMA models with F32, F16, BF16 or Q8_0 weights and a SentencePiece or
// byte-level BPE vocabulary run here; everything else is Ollama's. The same
// file, prompt and options give the same text, to the last token, on any
// number of threads. A file is untrusted: nothing is allocated for a size it
// claims before that size has been compared with the file's own.
//
// The miniatures are for trying and testing the program. What they get right
// follows from which facts each was taught; they say nothing about real
// models or about distillation.
package builtin

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

//go:embed models/*.gguf
var embedded embed.FS

// Names lists the models inside the program.
func Names() []string { return []string{"mini-teacher", "mini-student", "mini-baby"} }

// Info describes a model. It is known without loading the weights.
type Info struct {
	Digest        string // of the GGUF file: "sha256:" and 64 hexadecimal digits; empty for a Checkpoint
	Parameters    int64  // numbers in all tensors
	Quantization  string // how the matrices are stored: F32, F16, BF16, Q8_0, or several joined by +
	ContextLength int    // positions
	SizeBytes     int64  // of the GGUF file; of a Checkpoint's tensors
	MemoryBytes   int64  // of the weights once loaded
}

// LLM is a model that answers. Its weights are loaded at the first Load,
// Generate, Score or Greedy. Its methods may be called from several goroutines.
type LLM struct {
	name   string
	open   source
	info   Info
	rotary Rotary
	*memory
}

// memory holds the weights once for all readings of a model.
type memory struct {
	mu    sync.Mutex
	model *model // nil while not loaded
}

// source reads and checks a model's directory. Its tensors can be read until
// done is called.
type source func() (f *ggufFile, done func(), err error)

// Open checks a model: one of Names, or the path of a file ending in .gguf.
// It reads the file's directory and hashes it, and loads no weights.
func Open(name string) (*LLM, error) {
	switch {
	case strings.EqualFold(filepath.Ext(name), ".gguf"):
		return newLLM(name, RotaryPairs, (&fileSource{open: func() (fs.File, error) { return os.Open(name) }}).read)
	case slices.Contains(Names(), name):
		return newLLM(name, RotaryPairs, (&fileSource{open: func() (fs.File, error) { return embedded.Open("models/" + name + ".gguf") }}).read)
	}
	return nil, fmt.Errorf("open model %q: none of that name is inside the program; name %s, or the path of a .gguf file", name, strings.Join(Names(), ", "))
}

// OpenReader checks the model in a GGUF file of size bytes, which must stay
// readable until its weights are loaded. It reads the whole file to hash it.
func OpenReader(name string, r io.ReaderAt, size int64) (*LLM, error) {
	return newLLM(name, RotaryPairs, func() (*ggufFile, func(), error) {
		f, err := readGGUF(r, size)
		return f, func() {}, err
	})
}

func newLLM(name string, rotary Rotary, open source) (*LLM, error) {
	l := &LLM{name: name, open: open, rotary: rotary, memory: &memory{}}
	if err := l.inspect(); err != nil {
		return nil, fmt.Errorf("open model %s: %w", name, err)
	}
	return l, nil
}

// Name is the name that the model was opened by.
func (l *LLM) Name() string { return l.name }

// Info describes the model.
func (l *LLM) Info() Info { return l.info }

// inspect reads the directory, checks it and fills info.
func (l *LLM) inspect() error {
	f, done, err := l.open()
	if err != nil {
		return err
	}
	defer done()
	c, _, err := check(f)
	if err != nil {
		return err
	}
	l.info = Info{
		Parameters:    f.parameters(),
		Quantization:  f.quantization(),
		ContextLength: c.context,
		SizeBytes:     f.bytes(),
		MemoryBytes:   f.memory(),
	}
	if f.file == nil {
		return nil
	}
	sum := sha256.New()
	if l.info.SizeBytes, err = io.Copy(sum, f.file); err != nil {
		return fmt.Errorf("hash: %w", err)
	}
	l.info.Digest = fmt.Sprintf("sha256:%x", sum.Sum(nil))
	return nil
}

// check gives a directory's shape and vocabulary, which is nil where a
// Checkpoint has none.
func check(f *ggufFile) (config, *vocabulary, error) {
	c, err := readConfig(f)
	if err != nil {
		return config{}, nil, err
	}
	if f.file == nil && f.values["tokenizer.ggml.tokens"] == nil {
		return c, nil, nil
	}
	v, err := readVocabulary(f)
	return c, v, err
}

// Load reads the weights; a second call does nothing. They take Info's
// MemoryBytes.
func (l *LLM) Load() error {
	_, err := l.load()
	return err
}

// Unload frees the weights, for every reading of the model, once nothing uses
// them. A later call loads them again.
func (l *LLM) Unload() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.model = nil
}

// load gives the model as this reading of it has it.
func (l *LLM) load() (*model, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.model == nil {
		m, err := l.readWeights()
		if err != nil {
			return nil, fmt.Errorf("load model %s: %w", l.name, err)
		}
		l.model = m
	}
	m := *l.model
	m.rotary = l.rotary
	return &m, nil
}

func (l *LLM) readWeights() (*model, error) {
	f, done, err := l.open()
	if err != nil {
		return nil, err
	}
	defer done()
	c, v, err := check(f)
	if err != nil {
		return nil, err
	}
	return readModel(f, c, v)
}
