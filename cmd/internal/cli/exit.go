package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
)

// The exit codes.
const (
	exitDone         = 0
	exitFailed       = 1
	exitUsage        = 2
	exitRegression   = 3
	exitInconclusive = 4
	exitInterrupted  = 130
)

// exitError ends the program with a code after everything was said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// exit tells the error and returns the exit code that it stands for.
func (a *app) exit(err error) int {
	if err == nil {
		return exitDone
	}
	var code exitError
	if errors.As(err, &code) {
		return int(code)
	}
	fmt.Fprintf(a.err, "disteval: %s\n", reports.Lines(err.Error()))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(a.err, "  next: %s\n", strings.ReplaceAll(reports.Lines(hint), "\n", "\n        "))
	}
	return codeOf(err)
}

// codeOf asks the error what it is: see eval.BadInput.
func codeOf(err error) int {
	var input interface{ BadInput() }
	switch {
	case errors.Is(err, eval.ErrInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &input):
		return exitUsage
	}
	return exitFailed
}

// codeOfJudgement is the exit code of a run that was judged.
func codeOfJudgement(j reports.Judgement) int {
	switch j.Status() {
	case reports.Pass:
		return exitDone
	case reports.Regression:
		return exitRegression
	}
	return exitInconclusive
}

// hintOf is the next step after an error; empty where the error says it all.
func hintOf(err error) string {
	var actionable interface{ Hint() string }
	if errors.As(err, &actionable) {
		return actionable.Hint()
	}
	return ""
}

// inert makes text from outside one line that does nothing to a terminal or to
// a build service that reads along.
func inert(s string) string { return reports.Line(s) }
