package reports

import (
	"sync"

	"github.com/disteval/disteval/eval"
)

// outcome is a reply and where it is counted.
type outcome struct {
	eval.ScoredReply
	of    *tally
	query int
}

// asideTogether is how many outcomes are handed over at a time.
const asideTogether = 256

// aside has do take in outcomes in their order beside the caller, which would
// otherwise do it between two of them. wait returns when do has taken in all that
// was added; nothing may be added after it.
func aside(do func(*outcome)) (add func(outcome), wait func()) {
	full, done := make(chan []outcome, 1), make(chan struct{})
	go func() {
		defer close(done)
		for some := range full {
			for i := range some {
				do(&some[i])
			}
		}
	}()
	var next []outcome
	add = func(o outcome) {
		if next = append(next, o); len(next) == asideTogether {
			full <- next
			next = make([]outcome, 0, asideTogether)
		}
	}
	return add, sync.OnceFunc(func() {
		full <- next
		close(full)
		<-done
	})
}
