package eval

import (
	"fmt"
	"sync"
)

// MaxConsecutiveFailures is how many failures in a row stop a model.
const MaxConsecutiveFailures = 5

// Schedule hands out the open jobs of one model, in order and each once, and
// decides when to stop. Its methods may be called from several goroutines.
type Schedule struct {
	mu     sync.Mutex
	open   []Job
	next   int
	inARow int // failures
	gaveUp string
}

// NewSchedule schedules the jobs that have no outcome yet.
func NewSchedule(open []Job) *Schedule { return &Schedule{open: open} }

// Next is the job to ask now; ok is false where none is left or the model was
// given up.
func (s *Schedule) Next() (job Job, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == len(s.open) || s.gaveUp != "" {
		return Job{}, false
	}
	s.next++
	return s.open[s.next-1], true
}

// Note takes a reply into account.
func (s *Schedule) Note(r Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Failure == nil {
		s.inARow = 0
		return
	}
	if s.inARow++; s.inARow >= MaxConsecutiveFailures && s.gaveUp == "" {
		s.gaveUp = fmt.Sprintf("%d failures in a row; the last, on %s: %v", s.inARow, r.Query, r.Failure)
	}
}

// GaveUp says why the model was stopped; empty where it was not.
func (s *Schedule) GaveUp() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gaveUp
}

// Left is how many jobs were not handed out.
func (s *Schedule) Left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open) - s.next
}
