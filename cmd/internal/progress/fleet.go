package progress

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/reports"
)

// Fleet shows a run on workers, host by host. It is an eval.Observer.
type Fleet struct {
	w   io.Writer
	tty bool
	now func() time.Time

	mu     sync.Mutex
	open   int // questions of this process
	total  int
	hosts  map[string]*hostProgress
	start  time.Time
	count  int
	failed int
	tenth  int       // the last tenth told
	drawn  time.Time // when the bars were
	lines  int       // that the bars take now
}

type hostProgress struct {
	replies, failed int
	model           string
}

// NewFleet shows a run from its first question on.
func NewFleet(w io.Writer, tty bool, now func() time.Time) *Fleet {
	return &Fleet{w: w, tty: tty, now: now, hosts: make(map[string]*hostProgress)}
}

// Say tells something above the bars.
func (p *Fleet) Say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	fmt.Fprintln(p.w, reports.Lines(text))
	p.draw()
}

// PhaseBegun counts the questions of a model, and what it is probed for.
func (p *Fleet) PhaseBegun(m eval.Model, name eval.PhaseName, open, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.start.IsZero() {
		p.start = p.now()
	}
	p.open += open
	p.total += total
	if open < total && name == eval.PhaseAnswer {
		p.erase()
		fmt.Fprintf(p.w, "%s: %d of %d replies are there already\n", inert(m.Name), total-open, total)
	}
}

// WarmupFailed is for runs on one machine; a worker says it itself.
func (p *Fleet) WarmupFailed(eval.Model, error) {}

// ProbeReceived moves the host's bar on.
func (p *Fleet) ProbeReceived(m eval.Model, r eval.Probe) { p.received(m, r.Host, r.Failure) }

// ReplyReceived moves the host's bar on.
func (p *Fleet) ReplyReceived(m eval.Model, r eval.Reply) { p.received(m, r.Host, r.Failure) }

func (p *Fleet) received(m eval.Model, host string, failure *eval.Failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[host]
	if h == nil {
		h = &hostProgress{}
		p.hosts[host] = h
	}
	h.replies++
	h.model = m.Name
	p.count++
	if failure != nil {
		h.failed++
		p.failed++
	}
	if p.tty {
		if now := p.now(); now.Sub(p.drawn) > 200*time.Millisecond {
			p.drawn = now
			p.erase()
			p.draw()
		}
		return
	}
	if tenth := 10 * p.count / max(1, p.open); tenth > p.tenth {
		p.tenth = tenth
		fmt.Fprintf(p.w, "%s: %s\n", p.overall(), p.byHost())
	}
}

func (p *Fleet) overall() string {
	rate := float64(p.count) / max(p.now().Sub(p.start).Seconds(), 1e-3)
	left := time.Duration(float64(p.open-p.count) / rate * float64(time.Second))
	text := fmt.Sprintf("%d of %d, %.3g/s, %s left", p.count, p.open, rate, elapsed(left))
	if p.failed > 0 {
		text += fmt.Sprintf(", %d failed", p.failed)
	}
	return text
}

func (p *Fleet) byHost() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(p.hosts)) {
		parts = append(parts, fmt.Sprintf("%s %d", inert(hostLabel(name)), p.hosts[name].replies))
	}
	return strings.Join(parts, ", ")
}

// hostLabel names the host of a failure that no host is to blame for.
func hostLabel(name string) string {
	if name == "" {
		return "(no host)"
	}
	return name
}

// draw writes the bars: the hosts' shares of what is asked, and the whole.
func (p *Fleet) draw() {
	if !p.tty || p.start.IsZero() {
		return
	}
	const width = 30
	for _, name := range slices.Sorted(maps.Keys(p.hosts)) {
		h := p.hosts[name]
		full := width * h.replies / max(1, p.open)
		fmt.Fprintf(p.w, "%-16s [%s%s] %d  %s\n", inert(hostLabel(name)), strings.Repeat("=", full), strings.Repeat(" ", width-full), h.replies, inert(h.model))
	}
	fmt.Fprintln(p.w, p.overall())
	p.lines = len(p.hosts) + 1
}

// erase takes the bars away.
func (p *Fleet) erase() {
	if p.lines > 0 {
		fmt.Fprintf(p.w, "\x1b[%dA\x1b[J", p.lines) // up, and clear to the end
		p.lines = 0
	}
}

// ModelEnded tells of a model that was given up.
func (p *Fleet) ModelEnded(m eval.Model, gaveUp string) {
	if gaveUp != "" {
		p.Say(fmt.Sprintf("%s: given up after %s", m.Name, gaveUp))
	}
}

// Close draws the bars a last time.
func (p *Fleet) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.draw()
	p.lines = 0
}
