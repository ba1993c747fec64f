package fleet

import (
	"context"
	"slices"
	"sync"

	"github.com/disteval/disteval/eval"
)

// audit asks a share of the questions on a second host too: different
// processors can give different greedy answers.
type audit struct {
	share    float64
	selected [][]bool // by model and job

	mu      sync.Mutex
	asked   map[place]string // the second host of what has no answer yet
	open    []place          // of asked, not given out yet
	turn    int
	alone   int           // questions that no second host could be asked
	resting map[seat]int  // how often in a row a host had nothing to do
	used    map[seat]bool // consumers that there are
}

// seat is a model on a host.
type seat struct {
	model int
	host  string
}

func newAudit(share float64, b *book) *audit {
	a := &audit{share: share, asked: make(map[place]string), resting: make(map[seat]int), used: make(map[seat]bool)}
	for _, p := range b.pages {
		a.selected = append(a.selected, selected(share, len(p.jobs)))
	}
	return a
}

// plan chooses the second host for a job that first has answered, and reports
// whether that host needs to be told.
func (a *audit) plan(at place, first string, present []member, model eval.Model) bool {
	if a.share == 0 || !a.selected[at.model][at.job] {
		return false
	}
	var others []string
	for _, m := range present {
		if _, ok, _ := m.find(model); ok && m.Name != first {
			others = append(others, m.Name)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(others) == 0 {
		a.alone++
		return false
	}
	second := others[a.turn%len(others)]
	a.turn++
	tell := !a.hasLocked(at.model, second)
	a.asked[at] = second
	a.open = append(a.open, at)
	return tell
}

// take hands out the next job to audit.
func (a *audit) take() (at place, host string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.open) > 0 {
		at = a.open[0]
		a.open = a.open[1:]
		if host, ok := a.asked[at]; ok {
			return at, host, true
		}
	}
	return place{}, "", false
}

// opened reports whether a host's consumer is there; once it is, set says so.
func (a *audit) opened(s seat, set bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if set {
		a.used[s] = true
	}
	return a.used[s]
}

func (a *audit) again(at place, host string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked[at] == host {
		a.open = append(a.open, at)
	}
}

// settle notes an answer; false where it is none that was asked for.
func (a *audit) settle(at place, host string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked[at] != host {
		return false
	}
	delete(a.asked, at)
	return true
}

// has reports whether a host has questions to answer again.
func (a *audit) has(model int, host string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hasLocked(model, host)
}

func (a *audit) hasLocked(model int, host string) bool {
	for at, h := range a.asked {
		if at.model == model && h == host {
			return true
		}
	}
	return false
}

// finished drops the questions to hosts that have gone or have retired, and
// reports whether none is left.
func (a *audit) finished(run string, present []member) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for at, host := range a.asked {
		if !slices.ContainsFunc(present, func(m member) bool {
			_, retired := m.retiredFrom(run, at.model)
			return m.Name == host && !retired
		}) {
			a.drop(at)
		}
	}
	return len(a.asked) == 0
}

// left is how many questions were to be asked a second time and were not.
func (a *audit) left() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.alone
}

func (a *audit) drop(at place) {
	delete(a.asked, at)
	a.alone++
}

// patrol drops the questions that a host has taken and not answered.
func (a *audit) patrol(ctx context.Context, of *asking) error {
	a.mu.Lock()
	var seats []seat
	for s := range a.used {
		seats = append(seats, s)
	}
	a.mu.Unlock()
	for _, s := range seats {
		if !a.has(s.model, s.host) {
			continue
		}
		rests, err := of.resting(ctx, auditTaker(s.model, s.host))
		if err != nil {
			return err
		}
		stored := of.allStored(ctx)
		a.mu.Lock()
		if a.resting[s]++; !rests || !stored {
			a.resting[s] = 0
		}
		if a.resting[s] > 2 {
			for at, host := range a.asked {
				if at.model == s.model && host == s.host && !slices.Contains(a.open, at) {
					a.drop(at)
				}
			}
		}
		a.mu.Unlock()
	}
	return nil
}
