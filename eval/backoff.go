package eval

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is how a failed attempt that can pass by itself is repeated.
type Backoff struct {
	Retries int           // attempts after the first
	Base    time.Duration // the first wait's upper bound; it doubles with each attempt
	Max     time.Duration // no wait is longer
}

// DefaultBackoff repeats three times within about four seconds.
var DefaultBackoff = Backoff{Retries: 3, Base: 500 * time.Millisecond, Max: 10 * time.Second}

// wait is how long to pause after attempt n (from 1): at least what the server
// asked for, and a random part of the doubling bound, so that several clients
// do not come back together.
func (b Backoff) wait(n int, asked time.Duration) time.Duration {
	bound := min(b.Base<<(n-1), b.Max)
	pause := bound / 2
	if pause > 0 {
		pause += rand.N(pause)
	}
	return min(max(pause, asked), max(b.Max, pause))
}

// sleep pauses for d and returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
