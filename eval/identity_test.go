package eval_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/eval"
)

// watched is a Generator whose digest can be asked for.
type watched struct {
	told
	verify func() error
}

func (g *watched) Verify(context.Context) error { return g.verify() }

// TestModelReplaced: where the model is another in the end, none of the answers
// since it was last seen to be the same counts, and the model is given up.
func TestModelReplaced(t *testing.T) {
	replaced := &eval.ReplacedError{Model: "a", Was: "1", Now: "2"}
	for _, tt := range []struct {
		name    string
		load    time.Duration // that each answer tells
		after   int           // verifications that find the same model
		answers int           // that count
		stored  int
	}{
		{"at the end", 0, 0, 0, 6},
		{"at a reload", time.Second, 3, 3, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, n := newMemory(), 0
			g := &watched{verify: func() error {
				if n++; n > tt.after {
					return replaced
				}
				return nil
			}}
			g.answer = func(context.Context, string, int) (eval.Reply, error) {
				return eval.Reply{Text: "x", Timing: eval.Timing{Load: tt.load}}, nil
			}
			if err := runner(plan(6, "A"), s, g).Run(t.Context(), t.Context()); err != nil {
				t.Fatal(err)
			}
			answers := 0
			for _, r := range s.replies {
				if r.Failure == nil {
					answers++
				} else if r.Failure.Kind != eval.FailReplaced || r.Text != "x" {
					t.Errorf("%+v", r)
				}
			}
			if answers != tt.answers || len(s.replies) != tt.stored || !strings.Contains(s.gaveUp["A"], "was replaced") {
				t.Errorf("%d answers of %d, given up: %q", answers, len(s.replies), s.gaveUp["A"])
			}
		})
	}
}

// TestModelReplacedWhileManyAsk: an answer that comes after the exchange was
// seen is no answer either.
func TestModelReplacedWhileManyAsk(t *testing.T) {
	s := newMemory()
	g := &watched{verify: func() error { return &eval.ReplacedError{Model: "a", Was: "1"} }}
	g.answer = func(_ context.Context, prompt string, _ int) (eval.Reply, error) {
		var n int
		fmt.Sscanf(prompt, "prompt %d", &n)
		time.Sleep(time.Duration(n) * time.Millisecond)
		return eval.Reply{Timing: eval.Timing{Load: time.Second}}, nil
	}
	p := plan(8, "A")
	p.Parallel = 8
	if err := runner(p, s, g).Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, r := range s.replies {
		if r.Failure == nil {
			t.Errorf("%s counts", id)
		}
	}
}

// TestModelNotConfirmed: where the server is gone after the last answer, the answers
// stay and the model is given up until it can be asked.
func TestModelNotConfirmed(t *testing.T) {
	s := newMemory()
	g := &watched{verify: func() error { return refuse(true) }}
	g.answer = yes
	r := runner(plan(3, "A"), s, g)
	if err := r.Run(t.Context(), t.Context()); err != nil || !strings.Contains(s.gaveUp["A"], "could not be asked again") {
		t.Fatalf("given up: %q, %v", s.gaveUp["A"], err)
	}
	if err := r.Run(t.Context(), t.Context()); err != nil || s.gaveUp["A"] != "" || len(g.asked) != 3 {
		t.Errorf("resumed: given up %q, asked %d, %v", s.gaveUp["A"], len(g.asked), err)
	}
}
