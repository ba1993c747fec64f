package eval

import (
	"fmt"
	"strings"
	"sync"
)

// Stages lists the models as they are asked: the stages one after the other, the
// queues of a stage side by side, the models of a queue in the plan's order. Each
// host has a queue of its own; what runs in this process has a stage to itself,
// and so has a reference on whose replies others are compared.
func (p Plan) Stages() [][][]Model {
	var stages [][][]Model
	models := p.turns()
	if ref := p.Reference(); ref != nil && p.KeptTokens(*ref) > 0 {
		stages, models = append(stages, [][]Model{models[:1]}), models[1:]
	}
	var here []Model
	var queues [][]Model
	at := make(map[string]int)
	for _, m := range models {
		if m.Host == "" {
			here = append(here, m)
			continue
		}
		server := strings.TrimSuffix(m.Host, "/v1") // Ollama is one server by either of its APIs
		i, ok := at[server]
		if !ok {
			i = len(queues)
			at[server], queues = i, append(queues, nil)
		}
		queues[i] = append(queues[i], m)
	}
	if len(queues) <= 1 && len(models) > 0 {
		return append(stages, [][]Model{models}) // one after the other, as they stand
	}
	if len(here) > 0 {
		stages = append(stages, [][]Model{here})
	}
	if len(queues) > 0 {
		stages = append(stages, queues)
	}
	return stages
}

// SideBySide is the most hosts that are asked at the same time.
func (p Plan) SideBySide() int {
	most := 0
	for _, stage := range p.Stages() {
		most = max(most, len(stage))
	}
	return most
}

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
