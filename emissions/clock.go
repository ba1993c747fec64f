package emissions

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Clock tells the time of one process: the wall's when the clock was made, and
// from then on what the monotonic clock adds. A wall clock that is set
// meanwhile changes no duration, however its times are stored and compared.
type Clock struct{ start time.Time }

// NewClock anchors a clock to the wall. A process needs one.
func NewClock() Clock { return Clock{time.Now()} }

// Now returns the time.
func (c Clock) Now() time.Time { return c.start.Add(time.Since(c.start)) }

const (
	beat = 250 * time.Millisecond // between two looks at the clocks
	// still is the shortest pause that is told: less happens on a busy machine.
	still = 2 * time.Second
)

// pauses notices when this process did not run: somebody stopped it, or the
// machine slept, which the monotonic clock does not count.
type pauses struct {
	mu         sync.Mutex
	mono, wall time.Time // at the last beat; wall without its monotonic reading
	seen       []pause
}

type pause struct {
	start, end time.Time
	slept      time.Duration // by which the wall clock went ahead; 0 for a pause of the process alone
}

func (p *pauses) beat(mono, wall time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.mono.IsZero() {
		stood, went := mono.Sub(p.mono), wall.Sub(p.wall)
		switch slept := went - stood; {
		case slept >= still:
			p.seen = append(p.seen, pause{p.mono, mono, slept})
		case stood >= still:
			p.seen = append(p.seen, pause{p.mono, mono, 0})
		}
	}
	p.mono, p.wall = mono, wall
}

// warnings says what befell [from, to].
func (p *pauses) warnings(from, to time.Time) []string {
	now := time.Now()
	p.beat(now, now.Round(0)) // the end of a pause may be younger than the last beat
	p.mu.Lock()
	defer p.mu.Unlock()
	var stood, slept time.Duration
	for _, s := range p.seen {
		if s.end.Before(from) || s.start.After(to) {
			continue
		}
		if slept += s.slept; s.slept == 0 {
			stood += s.end.Sub(s.start)
		}
	}
	var out []string
	if stood > 0 {
		out = append(out, fmt.Sprintf("disteval itself stood still for %.1f s of this time (stopped, or kept from running), which counts as answering", stood.Seconds()))
	}
	if slept > 0 {
		out = append(out, fmt.Sprintf("the machine slept for %.0f s meanwhile, or its clock was set forward: that is not in the durations", slept.Seconds()))
	}
	return out
}

// WithPauses returns m with a warning on every reading of a time in which this
// process was stopped or the machine slept.
func WithPauses(m Meter) Meter { return &paused{Meter: m} }

type paused struct {
	Meter
	pauses  pauses
	sampler *Sampler
}

func (p *paused) Start(ctx context.Context) error {
	if err := p.Meter.Start(ctx); err != nil {
		return err
	}
	p.sampler = StartSampler(context.WithoutCancel(ctx), func() time.Duration {
		now := time.Now()
		p.pauses.beat(now, now.Round(0))
		return beat
	})
	return nil
}

func (p *paused) Read(from, to time.Time) Reading {
	r := p.Meter.Read(from, to)
	r.Warnings = append(r.Warnings, p.pauses.warnings(from, to)...)
	return r
}

func (p *paused) Close() error {
	_ = p.sampler.Close() // it never fails
	return p.Meter.Close()
}
