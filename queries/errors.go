package queries

import (
	"fmt"
	"strings"
)

// maxErrors is how many errors of one file are reported together.
const maxErrors = 20

// Error is one place where a file is not what its format says.
type Error struct {
	File   string
	Line   int // counted from 1; 0 where the whole file is meant
	Reason string
	Rule   string // RuleEmpty or RuleID; empty for RuleFormat
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

// BadInput marks the error as one of an input file.
func (*Error) BadInput() {}

// Errors are all errors of one file, at most 20, in the order of the file.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, 0, len(e)+1)
	for _, one := range e {
		lines = append(lines, one.Error())
	}
	if len(e) == maxErrors {
		lines = append(lines, fmt.Sprintf("reading stopped after %d errors", maxErrors))
	}
	return strings.Join(lines, "\n")
}

// BadInput marks the errors as those of an input file.
func (Errors) BadInput() {}

// Unwrap lets errors.As reach each *Error.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}
