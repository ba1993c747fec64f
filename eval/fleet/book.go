package fleet

import (
	"slices"
	"sync"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
)

// book knows where every job of a run is: still to be given out, on its way
// into the queue, in the queue, or with an outcome. A page has the questions to
// one model; behind these pages, in the same order, others have what the models
// are probed for.
type book struct {
	mu     sync.Mutex
	models int     // of the plan
	pages  []*page // messages name a page by its place here
	order  []int   // of pages, as they are asked
}

// page is the jobs of one model: its questions, or its probes.
type page struct {
	model  eval.Model
	of     int // the page of the model's questions
	probes bool
	after  int // the page that must be done before a page of probes: the reference's questions; -1: none
	jobs   []eval.Job
	state  []state
	next   int            // the first that was never given out
	again  []int          // to be given out once more
	given  int            // on their way or queued
	seq    map[int]uint64 // where the queued ones lie in the stream
	lost   map[int]int    // how often the queue has lost a job
	left   int            // without an outcome
	gaveUp string
	spoilt string // a host's answers were another model's; others may go on
	ended  bool   // told to all who want to know
}

type state uint8

const (
	stateOpen state = iota
	stateSent       // on its way into the queue
	stateQueued
	stateDone
)

// place is where a job stands in the book.
type place struct{ model, job int }

func newBook(plan eval.Plan, first []string, done map[eval.JobID]bool) *book {
	b := &book{models: len(plan.Models), order: inTurn(plan, first)}
	for i, m := range plan.Models {
		p := &page{model: m, of: i, after: -1, jobs: plan.Jobs(m), seq: make(map[int]uint64), lost: make(map[int]int)}
		p.state = make([]state, len(p.jobs))
		for i, job := range p.jobs {
			if done[job.ID] {
				p.state[i] = stateDone
			} else {
				p.left++
			}
		}
		p.ended = p.left == 0
		b.pages = append(b.pages, p)
	}
	return b
}

// inTurn lists the models as they are asked: the first, then the others as on
// one machine.
func inTurn(plan eval.Plan, first []string) (order []int) {
	var others []int
	for _, stage := range plan.Stages() {
		for _, queue := range stage {
			for _, m := range queue {
				i := slices.IndexFunc(plan.Models, func(p eval.Model) bool { return p.Name == m.Name })
				if slices.Contains(first, m.Name) {
					order = append(order, i)
				} else {
					others = append(others, i)
				}
			}
		}
	}
	return append(order, others...)
}

// addProbes adds the pages of probes; open lists the queries, by model, that
// have no outcome.
func (b *book) addProbes(plan eval.Plan, open [][]queries.Query) {
	for i, m := range plan.Models {
		p := &page{model: m, of: i, probes: true, after: -1, seq: make(map[int]uint64), lost: make(map[int]int), left: len(open[i]), ended: true}
		asks := plan.Probing(m)
		if asks.FidelityTokens > 0 {
			p.after = slices.IndexFunc(plan.Models, func(r eval.Model) bool { return r.Name == plan.Reference().Name })
		}
		wanted := make(map[string]bool, len(open[i]))
		for _, q := range open[i] {
			wanted[q.ID] = true
		}
		for _, q := range plan.Queries.Queries {
			if !asks.Any() {
				break
			}
			p.jobs, p.state = append(p.jobs, eval.Job{ID: eval.JobID{Model: m.Name, Query: q.ID}}), append(p.state, stateDone)
			if wanted[q.ID] {
				p.state[len(p.state)-1] = stateOpen
			}
		}
		b.pages[i].ended = b.pages[i].ended && p.left == 0
		b.pages = append(b.pages, p)
	}
	order := b.order
	b.order = nil
	for _, i := range order {
		b.order = append(b.order, i, b.models+i)
	}
}

// ready reports whether jobs of a page may be given out. A model is probed once
// all its questions are given out, and where it is compared with the reference,
// once that has answered.
func (b *book) ready(page int) bool {
	defer b.lock()()
	return b.readyLocked(page)
}

func (b *book) readyLocked(page int) bool {
	p := b.pages[page]
	if !p.probes {
		return true
	}
	if own := b.pages[p.of]; own.left != own.given {
		return false
	}
	return p.after < 0 || b.pages[p.after].over()
}

// over reports whether no job of the page is waited for.
func (p *page) over() bool { return p.left == 0 || p.gaveUp != "" }

func (b *book) lock() func() {
	b.mu.Lock()
	return b.mu.Unlock
}

// valid reports whether at names a job of the plan.
func (b *book) valid(at place) bool {
	return at.model >= 0 && at.model < len(b.pages) && at.job >= 0 && at.job < len(b.pages[at.model].jobs)
}

// take hands out the next job that has room in the queue.
func (b *book) take() (at place, attempt int, ok bool) {
	defer b.lock()()
	for _, i := range b.order {
		p := b.pages[i]
		if p.gaveUp != "" || p.given >= window || !b.readyLocked(i) {
			continue
		}
		if n := len(p.again); n > 0 {
			job := p.again[n-1]
			p.again = p.again[:n-1]
			if p.state[job] == stateOpen {
				p.state[job] = stateSent
				p.given++
				return place{i, job}, p.lost[job], true
			}
		}
		for p.next < len(p.jobs) && p.state[p.next] != stateOpen {
			p.next++
		}
		if p.next < len(p.jobs) {
			p.state[p.next] = stateSent
			p.next++
			p.given++
			return place{i, p.next - 1}, 0, true
		}
	}
	return place{}, 0, false
}

// queued notes that a job lies in the stream; not, that it must be given out
// again.
func (b *book) queued(at place, seq uint64, ok bool) {
	defer b.lock()()
	p := b.pages[at.model]
	if p.state[at.job] != stateSent { // its outcome was faster
		return
	}
	if ok {
		p.state[at.job], p.seq[at.job] = stateQueued, seq
		return
	}
	p.state[at.job] = stateOpen
	p.given--
	p.again = append(p.again, at.job)
}

// lost notes that the queue has lost a job, and says how often it has.
func (b *book) wasLost(at place) int {
	defer b.lock()()
	p := b.pages[at.model]
	if p.state[at.job] != stateQueued {
		return 0
	}
	p.state[at.job] = stateOpen
	p.given--
	delete(p.seq, at.job)
	p.again = append(p.again, at.job)
	p.lost[at.job]++
	return p.lost[at.job]
}

// settle notes an outcome; false where there was one already.
func (b *book) settle(at place) bool {
	defer b.lock()()
	p := b.pages[at.model]
	switch p.state[at.job] {
	case stateDone:
		return false
	case stateSent, stateQueued:
		p.given--
		delete(p.seq, at.job)
	}
	p.state[at.job] = stateDone
	p.left--
	return true
}

// waiting copies which jobs of a model lie in the queue, and where.
func (b *book) waiting(model int) map[int]uint64 {
	defer b.lock()()
	out := make(map[int]uint64, len(b.pages[model].seq))
	for job, seq := range b.pages[model].seq {
		out[job] = seq
	}
	return out
}

// openPages lists the pages that have jobs without an outcome and were not
// given up.
func (b *book) openPages() (out []int) {
	defer b.lock()()
	for i, p := range b.pages {
		if !p.over() {
			out = append(out, i)
		}
	}
	return out
}

// end lists, each once, the models that have come to an end.
func (b *book) end() (out []int) {
	defer b.lock()()
	for i, p := range b.pages[:b.models] {
		probed := b.models+i >= len(b.pages) || b.pages[b.models+i].over()
		if !p.ended && p.over() && probed {
			p.ended = true
			out = append(out, i)
		}
	}
	return out
}

func (b *book) finished() bool { return len(b.openPages()) == 0 }

// giveUp gives no more out of a page; a model whose questions are given up is
// not probed either.
func (b *book) giveUp(page int, reason string) {
	defer b.lock()()
	b.pages[page].gaveUp = reason
	if probes := b.models + page; !b.pages[page].probes && probes < len(b.pages) {
		b.pages[probes].gaveUp = reason
	}
}

// replaced notes that a host's answers for a model were another model's.
func (b *book) replaced(model int, why string) {
	defer b.lock()()
	p := b.pages[model]
	p.spoilt, p.ended = why, false
}

// counts tells how many jobs of a model have no outcome, of how many.
func (b *book) counts(model int) (open, total int) {
	defer b.lock()()
	return b.pages[model].left, len(b.pages[model].jobs)
}

// before is the request before a job, to warm up with.
func (p *page) before(job int) eval.Request {
	if job == 0 {
		return eval.FirstWarmup
	}
	return p.jobs[job-1].Request
}

// numbers gives phases of workers' turns the process numbers under which they
// are stored: a turn that is known by its start keeps its own, a new one gets
// the next of its host.
type numbers struct {
	first int
	turns map[turnKey]numbered
	last  map[turnKey]int // by model, host and name
}

type numbered struct {
	process int
	end     int64 // Unix time in ns
}

type turnKey struct {
	model, host string
	name        eval.PhaseName
	start       int64 // Unix time in ns; 0 in numbers.last
}

func newNumbers(first int, stored []eval.Phase) *numbers {
	n := &numbers{first: first, turns: make(map[turnKey]numbered), last: make(map[turnKey]int)}
	for _, p := range stored {
		n.turns[turnKey{p.Model, p.Host, p.Name, p.Start.UnixNano()}] = numbered{p.Process, p.End.UnixNano()}
	}
	return n
}

// of is the number of a phase, and whether it goes as far as the one that is
// stored: a growing phase may overtake itself on the way.
func (n *numbers) of(p eval.Phase) (process int, further bool) {
	key := turnKey{p.Model, p.Host, p.Name, p.Start.UnixNano()}
	known, ok := n.turns[key]
	if !ok {
		of := turnKey{p.Model, p.Host, p.Name, 0}
		if known.process, ok = n.last[of]; !ok {
			known.process = n.first
		}
		n.last[of] = known.process + 1
	}
	end := p.End.UnixNano()
	further = end >= known.end
	n.turns[key] = numbered{known.process, max(known.end, end)}
	return known.process, further
}

// selected lists which jobs a share of the questions is, evenly spread.
func selected(share float64, jobs int) []bool {
	out := make([]bool, jobs)
	for i := range out {
		out[i] = int(float64(i+1)*share) > int(float64(i)*share)
	}
	return slices.Clip(out)
}
