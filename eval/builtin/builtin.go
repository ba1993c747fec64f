// Package builtin runs small LLaMA models in this process: three miniatures
// that are part of the program, and a user's own GGUF file.
//
// Policy: a model is computed as it was meant or refused by name. Only dense
// LLaMA models with a SentencePiece vocabulary and F32, F16 or Q8_0 weights
// run here; everything else is Ollama's. The same file, prompt and options
// give the same text, to the last token, on any number of threads. A file is
// untrusted: nothing is allocated for a size it claims before that size has
// been compared with the file's own.
//
// The miniatures are for trying and testing the program. What they get right
// follows from which facts each was taught; they say nothing about real
// models or about distillation.
package builtin

import (
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed models/*.gguf
var embedded embed.FS

// Names lists the models inside the program.
func Names() []string { return []string{"mini-teacher", "mini-student", "mini-baby"} }

// Info describes a model. It is known without loading the weights.
type Info struct {
	Digest        string // of the GGUF file: "sha256:" and 64 hexadecimal digits
	Parameters    int64  // numbers in all tensors
	Quantization  string // how the matrices are stored: F32, F16, Q8_0, or several joined by +
	ContextLength int    // positions
	SizeBytes     int64  // of the GGUF file
}

// LLM is a model that answers. Its weights are loaded at the first Load or
// Generate. Its methods may be called from several goroutines.
type LLM struct {
	name    string
	open    func() (fs.File, error)
	info    Info
	changed time.Time // the file's last change when it was checked

	mu    sync.Mutex
	model *model // nil while not loaded
}

// Open checks a model: one of Names, or the path of a file ending in .gguf.
// It reads the file's directory and hashes it, and loads no weights.
func Open(name string) (*LLM, error) {
	l := &LLM{name: name}
	switch {
	case strings.EqualFold(filepath.Ext(name), ".gguf"):
		l.open = func() (fs.File, error) { return os.Open(name) }
	case slices.Contains(Names(), name):
		l.open = func() (fs.File, error) { return embedded.Open("models/" + name + ".gguf") }
	default:
		return nil, fmt.Errorf("open model %q: none of that name is inside the program; name %s, or the path of a .gguf file", name, strings.Join(Names(), ", "))
	}
	if err := l.inspect(); err != nil {
		return nil, fmt.Errorf("open model %s: %w", name, err)
	}
	return l, nil
}

// Name is the name that the model was opened by.
func (l *LLM) Name() string { return l.name }

// Info describes the model.
func (l *LLM) Info() Info { return l.info }

// inspect reads the file's directory, checks it and fills info.
func (l *LLM) inspect() error {
	f, size, changed, err := l.file()
	if err != nil {
		return err
	}
	defer f.Close()
	g, c, _, err := read(f, size)
	if err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, size)); err != nil {
		return fmt.Errorf("hash: %w", err)
	}
	l.changed = changed
	l.info = Info{
		Digest:        fmt.Sprintf("sha256:%x", sum.Sum(nil)),
		Parameters:    g.parameters(),
		Quantization:  g.quantization(),
		ContextLength: c.context,
		SizeBytes:     size,
	}
	return nil
}

// read gives the checked directory of a file, its shape and its vocabulary.
func read(r io.ReaderAt, size int64) (*ggufFile, config, *vocabulary, error) {
	g, err := readGGUF(r, size)
	if err != nil {
		return nil, config{}, nil, err
	}
	c, err := readConfig(g)
	if err != nil {
		return nil, config{}, nil, err
	}
	v, err := readVocabulary(g)
	return g, c, v, err
}

// randomAccess is what both the files of the system and the embedded ones are.
type randomAccess interface {
	fs.File
	io.ReaderAt
}

func (l *LLM) file() (f randomAccess, size int64, changed time.Time, err error) {
	opened, err := l.open()
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err // the path stands in front already
		}
		return nil, 0, time.Time{}, err
	}
	stat, err := opened.Stat()
	f, ok := opened.(randomAccess)
	switch {
	case err != nil:
	case !ok || !stat.Mode().IsRegular():
		err = errors.New("not a regular file")
	default:
		return f, stat.Size(), stat.ModTime(), nil
	}
	_ = opened.Close() // the error at hand says more
	return nil, 0, time.Time{}, err
}

// Load reads the weights; a second call does nothing. The memory is four bytes
// for each of Info's Parameters.
func (l *LLM) Load() error {
	_, err := l.load()
	return err
}

// Unload frees the weights once no Generate uses them. A later Generate loads
// them again.
func (l *LLM) Unload() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.model = nil
}

func (l *LLM) load() (*model, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.model != nil {
		return l.model, nil
	}
	m, err := l.weights()
	if err != nil {
		return nil, fmt.Errorf("load model %s: %w", l.name, err)
	}
	l.model = m
	return m, nil
}

func (l *LLM) weights() (*model, error) {
	f, size, changed, err := l.file()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size != l.info.SizeBytes || !changed.Equal(l.changed) {
		return nil, errors.New("the file has changed since it was checked; start again")
	}
	g, c, v, err := read(f, size)
	if err != nil {
		return nil, err
	}
	return readModel(f, g, c, v)
}
