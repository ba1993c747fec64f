package eval

import (
	"errors"
	"slices"
)

// An error that people can act on says so itself: Hint is the next step, and
// a BadInput method marks wrong usage, configuration or input. Whoever shows
// errors asks for these two methods and knows no error by name.

// BadInput makes err one of wrong usage, configuration or input. next is the
// next step; it may be empty.
func BadInput(err error, next string) error { return inputError{hinted{err, next}} }

// WithHint adds the next step to err, in place of one that err has; an empty
// one says that err says it all.
func WithHint(err error, next string) error { return hinted{err, next} }

type hinted struct {
	err  error
	next string
}

func (e hinted) Error() string { return e.err.Error() }
func (e hinted) Unwrap() error { return e.err }
func (e hinted) Hint() string  { return e.next }

type inputError struct{ hinted }

func (inputError) BadInput() {}

// Interrupted reports whether an error says that asking was ended, and nothing
// else.
func Interrupted(err error) bool {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return !slices.ContainsFunc(joined.Unwrap(), func(err error) bool { return !Interrupted(err) })
	}
	return errors.Is(err, ErrInterrupted)
}
