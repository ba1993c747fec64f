// Package queries holds what a model is asked: the Query, the Set, strict
// loaders for sets from files, a lint for them, and the embedded set.
//
// Policy: a set is an instrument. A file that is not exactly what the format
// says is refused with file, line and reason; nothing is guessed or repaired.
package queries

import "strings"

// Query is one completion to ask for and what counts as the right answer.
type Query struct {
	ID         string   `json:"id" yaml:"id"`                                     // stable, unique within a set, such as geo-capital-france
	Prompt     string   `json:"prompt" yaml:"prompt"`                             // sent to the model as it stands
	Keyword    string   `json:"keyword" yaml:"keyword"`                           // the answer
	Aliases    []string `json:"aliases,omitempty" yaml:"aliases,omitempty"`       // other forms of the answer that a fair judge accepts
	Reference  string   `json:"reference,omitempty" yaml:"reference,omitempty"`   // text that ROUGE-L and cosine compare with; the loaders set it to Keyword where a file leaves it out
	Category   string   `json:"category,omitempty" yaml:"category,omitempty"`     // such as geography
	Difficulty string   `json:"difficulty,omitempty" yaml:"difficulty,omitempty"` // easy, medium or hard; empty where the set does not grade
	AsOf       string   `json:"as_of,omitempty" yaml:"as_of,omitempty"`           // YYYY-MM-DD for an answer that time could change; else empty
}

// Answers lists the keyword and then every alias.
func (q Query) Answers() []string {
	return append([]string{q.Keyword}, q.Aliases...)
}

// Set is an ordered list of queries under a name and a version.
type Set struct {
	Name    string // "builtin", or the file's base name where the file states none
	Version string // as the file states it; empty where it does not
	Queries []Query

	// Explained says why a warning of the lint stands: rule, then query ID,
	// then the reason. Nil where the file explains nothing.
	Explained map[string]map[string]string

	file  string
	lines []int // of Queries, counted from 1
}

// Label is the set's name and version.
func (s Set) Label() string { return strings.TrimSpace(s.Name + " " + s.Version) }

// File is the name that the set was read under; empty for a set made in code.
func (s Set) File() string { return s.file }

// Line is the line of the file on which Queries[i] begins, counted from 1; 0
// for a set made in code.
func (s Set) Line(i int) int {
	if i < 0 || i >= len(s.lines) {
		return 0
	}
	return s.lines[i]
}
