// Package spec reads models.yaml into a Plan.
//
// Policy: strict. An unknown key, a wrong type or a duplicate is an error with
// file, line and what was expected, and all of a file's errors are told at
// once. Every default is written into the plan, where --dry-run shows it.
package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
)

// MaxBytes is the longest models file that is read.
const MaxBytes = 1 << 20

// Error is one thing wrong in a models file.
type Error struct {
	File   string
	Line   int // from 1; 0 where it is the file as a whole
	Reason string
}

// BadInput marks the error as one of an input file.
func (*Error) BadInput() {}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

// Defaults are the settings that a models file may leave out and the program's
// own settings may give instead.
type Defaults struct {
	Country string // ISO alpha-3, or empty
	Sysfs   string
	Procfs  string
}

// Load reads the plan of the models file at path. A query or model file that
// it names is looked for beside it.
func Load(path string, d Defaults) (eval.Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return eval.Plan{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return eval.Plan{}, err // names the file itself
	}
	if len(data) > MaxBytes {
		return eval.Plan{}, &Error{File: path, Reason: fmt.Sprintf("longer than %d MB; a models file has a few lines a model", MaxBytes>>20)}
	}
	return Parse(data, path, d)
}

// Parse reads a plan from a models file's text. name stands in errors, and
// its folder is where a query or model file is looked for.
func Parse(data []byte, name string, d Defaults) (eval.Plan, error) {
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return eval.Plan{}, &Error{File: name, Reason: "the file is empty; it needs at least version: 1 and models:"}
	} else if err != nil {
		return eval.Plan{}, syntaxError(name, err)
	}
	if err := decoder.Decode(&more); err == nil {
		return eval.Plan{}, &Error{File: name, Line: more.Line, Reason: "a second YAML document; a models file is one"}
	} else if !errors.Is(err, io.EOF) {
		return eval.Plan{}, syntaxError(name, err)
	}
	p := &parser{file: name}
	f := p.plan(doc.Content[0], d)
	if len(p.errs) > 0 {
		return eval.Plan{}, errors.Join(p.errs...)
	}
	set, err := loadQueries(f.QuerySrc, name)
	if err != nil {
		return eval.Plan{}, err
	}
	f.Queries, f.Source = set, name
	for i := range f.Models {
		f.Models[i].Dir = filepath.Dir(name)
	}
	return f, nil
}

// beside is the path of a file that the models file names.
func beside(models, path string) string {
	dir := filepath.Dir(models)
	if filepath.IsAbs(path) || dir == "." {
		return path
	}
	return filepath.Join(dir, path)
}

func loadQueries(src, models string) (queries.Set, error) {
	if src == "builtin" {
		return queries.Builtin(), nil
	}
	return queries.Load(beside(models, src))
}

// syntaxError takes the line out of the yaml package's message.
func syntaxError(file string, err error) error {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	var line int
	if n, _ := fmt.Sscanf(msg, "line %d:", &line); n == 1 {
		_, msg, _ = strings.Cut(msg, ": ")
	}
	return &Error{File: file, Line: line, Reason: "not YAML: " + msg}
}
