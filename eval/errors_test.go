package eval_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/disteval/disteval/eval"
)

func TestInterrupted(t *testing.T) {
	full := errors.New("no space left")
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{full, false},
		{fmt.Errorf("ask: %w", eval.ErrInterrupted), true},
		{errors.Join(eval.ErrInterrupted, nil), true},
		{errors.Join(eval.ErrInterrupted, full), false},
	} {
		if got := eval.Interrupted(tt.err); got != tt.want {
			t.Errorf("Interrupted(%v) = %t", tt.err, got)
		}
	}
}
