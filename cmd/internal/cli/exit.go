package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/disteval/disteval/emissions/audit"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/ollama"
	"github.com/disteval/disteval/eval/runstore"
	"github.com/disteval/disteval/eval/spec"
	"github.com/disteval/disteval/queries"
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

// usageError is a wrong command line, configuration or input file.
type usageError struct {
	err  error
	hint string // the next step; may be empty
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// hinted is an error with the next step.
type hinted struct {
	err  error
	hint string
}

func (e hinted) Error() string { return e.err.Error() }
func (e hinted) Unwrap() error { return e.err }

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
	fmt.Fprintf(a.err, "disteval: %s\n", inertLines(err.Error()))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(a.err, "  next: %s\n", strings.ReplaceAll(inertLines(hint), "\n", "\n        "))
	}
	return codeOf(err)
}

func codeOf(err error) int {
	var (
		usage   usageError
		model   *spec.Error
		query   *queries.Error
		queries queries.Errors
		few     *eval.ContextError
		table   *audit.InputError
		line    inputError
	)
	switch {
	case errors.Is(err, eval.ErrInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage), errors.As(err, &model), errors.As(err, &query), errors.As(err, &queries),
		errors.As(err, &few), errors.As(err, &table), errors.As(err, &line), errors.Is(err, runstore.ErrNotRun):
		return exitUsage
	}
	return exitFailed
}

// hintOf is the next step after an error; empty where the error says it all.
func hintOf(err error) string {
	var (
		usage   usageError
		hint    hinted
		server  *ollama.ServerError
		missing *ollama.MissingModelsError
		few     *eval.ContextError
		says    interface{ Hint() string }
	)
	switch {
	case errors.As(err, &hint):
		return hint.hint
	case errors.As(err, &usage):
		return usage.hint
	case errors.As(err, &missing):
		return pullHint(missing.Models)
	case errors.As(err, &server):
		return "start it with `ollama serve` (or set OLLAMA_HOST to where it runs),\nor try the models inside the program: disteval run --models builtin"
	case errors.As(err, &few):
		return fmt.Sprintf("set num_ctx to at most %d under generation: (of the file or of this model)", few.Has)
	case errors.Is(err, runstore.ErrNotRun):
		return "name a run's folder, the one that holds " + runstore.FileName + " (runs/<id>)"
	case errors.As(err, &says):
		return says.Hint()
	}
	return ""
}

// pullHint names the command that gets each missing model.
func pullHint(models []eval.Model) string {
	lines := []string{"disteval models pull --models FILE gets them all, or by hand:"}
	for _, m := range models {
		if m.Source == "" || strings.HasPrefix(m.Source, "ollama://") {
			lines = append(lines, "ollama pull "+m.Model)
		} else {
			lines = append(lines, "(from "+m.Source+": only by disteval models pull)")
		}
	}
	return strings.Join(lines, "\n")
}

// inert makes text from outside one line that does nothing to a terminal or to
// a build service that reads along.
func inert(s string) string { return reports.Line(s) }

// inertLines is inert for a message of several lines: each of them is.
func inertLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = inert(line)
	}
	return strings.Join(lines, "\n")
}
