package eval_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/disteval/disteval/eval"
)

func TestStages(t *testing.T) {
	for _, tt := range []struct {
		hosts, want string
	}{
		{"a a a", "[[[0 1 2]]]"},
		{"a - a", "[[[0 1 2]]]"},
		{"- -", "[[[0 1]]]"},
		{"a b a -", "[[[3]] [[0 2] [1]]]"},
		{"a b c", "[[[0] [1] [2]]]"},
		{"a a/v1 b/v1", "[[[0 1] [2]]]"},
		{"a/x/v1 a/y/v1", "[[[0] [1]]]"},
	} {
		var p eval.Plan
		for i, host := range strings.Fields(tt.hosts) {
			p.Models = append(p.Models, eval.Model{Name: fmt.Sprint(i), Host: strings.Trim(host, "-")})
		}
		var names [][][]string
		for _, stage := range p.Stages() {
			var queues [][]string
			for _, queue := range stage {
				var list []string
				for _, m := range queue {
					list = append(list, m.Name)
				}
				queues = append(queues, list)
			}
			names = append(names, queues)
		}
		if got := fmt.Sprint(names); got != tt.want {
			t.Errorf("hosts %s: %s, want %s", tt.hosts, got, tt.want)
		}
	}
}

// TestHostsSideBySide: each host has one question in flight, and all hosts do.
func TestHostsSideBySide(t *testing.T) {
	p := plan(5, "A1", "B1", "A2")
	for i, host := range []string{"a", "b", "a"} {
		p.Models[i].Host = host
	}
	var flight [2]atomic.Int32
	var together atomic.Bool
	var mu sync.Mutex
	var order []string
	s := newMemory()
	r := runner(p, s, nil)
	r.Open = func(m eval.Model) (eval.Generator, error) {
		mu.Lock()
		order = append(order, m.Name)
		mu.Unlock()
		at := 0
		if m.Host == "b" {
			at = 1
		}
		return &told{answer: func(context.Context, string, int) (eval.Reply, error) {
			if n := flight[at].Add(1); n > 1 {
				t.Errorf("host %s has %d questions at once", m.Host, n)
			}
			defer flight[at].Add(-1)
			time.Sleep(2 * time.Millisecond)
			if flight[1-at].Load() > 0 {
				together.Store(true)
			}
			return eval.Reply{Text: "x"}, nil
		}}, nil
	}
	if err := r.Run(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.replies) != 15 || !together.Load() || slices.Index(order, "A1") > slices.Index(order, "A2") {
		t.Errorf("%d replies, side by side %t, order %v", len(s.replies), together.Load(), order)
	}
}
