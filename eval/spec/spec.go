// Package spec reads models.yaml into a Plan.
//
// Policy: strict. An unknown key, a wrong type or a duplicate is an error with
// file, line and what was expected, and all of a file's errors are told at
// once. Every default is written into the plan, where --dry-run shows it.
package spec

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
)

// MaxBytes is the longest models file that is read.
const MaxBytes = 1 << 20

// Error is one thing wrong in a models file.
type Error = queries.Error

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
	return Parse(data, path, d)
}

// Parse reads a plan from a models file's text. name stands in errors, and
// its folder is where a query or model file is looked for.
func Parse(data []byte, name string, d Defaults) (eval.Plan, error) {
	doc, strict := queries.ParseStrict(data, name, MaxBytes, "it needs at least version: 1 and models:")
	var f eval.Plan
	if doc != nil {
		f = (&parser{strict}).plan(doc.Content[0], d)
	}
	if err := strict.Err(); err != nil {
		return eval.Plan{}, err
	}
	set, err := loadQueries(f.QuerySrc, name)
	if err != nil {
		return eval.Plan{}, err
	}
	f.Queries, f.Source = set, name
	for i := range f.Models {
		m := &f.Models[i]
		m.Dir = filepath.Dir(name)
		if m.Prompting.ExamplesSrc == "" || m.Prompting.Shots == 0 {
			continue
		}
		examples, err := loadQueries(m.Prompting.ExamplesSrc, name)
		if err != nil {
			return eval.Plan{}, fmt.Errorf("prompt.examples of model %s: %w", m.Name, err)
		}
		m.Prompting.Examples = examples.Queries
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
