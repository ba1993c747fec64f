package emissions

import (
	"context"
	"slices"
	"time"
)

// Sampler calls a function from its own goroutine until it is closed.
type Sampler struct {
	stop context.CancelFunc
	done chan struct{}
}

// StartSampler calls sample at once, and then, for as long as ctx lives,
// again after each period that sample returns. The first call has returned
// when StartSampler does.
func StartSampler(ctx context.Context, sample func() (next time.Duration)) *Sampler {
	return startSampler(ctx, sample(), sample)
}

// StartSamplerAside is StartSampler for a first call that is not worth waiting for:
// it too comes from the sampler's own goroutine.
func StartSamplerAside(ctx context.Context, sample func() (next time.Duration)) *Sampler {
	return startSampler(ctx, 0, sample)
}

func startSampler(ctx context.Context, next time.Duration, sample func() time.Duration) *Sampler {
	ctx, stop := context.WithCancel(ctx)
	s := &Sampler{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		timer := time.NewTimer(next)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
				timer.Reset(sample())
			}
		}
	}()
	return s
}

// Close ends the sampling and waits for it. A nil Sampler is closed already.
func (s *Sampler) Close() error {
	if s == nil {
		return nil
	}
	s.stop()
	<-s.done
	return nil
}

// patience is how long an interval's end may wait for a good reading.
const patience = time.Second

// ReadWhole is m.Read for an interval that is worth a wait: where a counter
// fails just at its end, it is read again, for a second at most, until a good
// reading brackets the interval.
func ReadWhole(m Meter, from, to time.Time) Reading {
	r := m.Read(from, to)
	for began := time.Now(); r.openEnded() && time.Since(began) < patience; {
		time.Sleep(patience / 50)
		r = m.Read(from, to)
	}
	return r
}

func (r Reading) openEnded() bool {
	return slices.ContainsFunc(r.Gaps, func(g Gap) bool { return g.Open })
}
